"""Learning new generators without forgetting: a bundle goes on learning with new data.

A network that learns new data alone forgets the old (McCloskey & Cohen 1989). What prevents it best
for its cost is *replay*: every epoch shows a share of the old data again (Rolnick et al.,
*Experience Replay for Continual Learning*, NeurIPS 2019). So the old data are looked for first, and
doing without them must be said.

    bundle's weights ─┐
    new data ─────────┼─► one recipe ─► the usual run ─► bundle ─► before and after, by generator
    old data, a share ┘

The recipe of a bundle says how it learned; what is made of it here is an ordinary recipe with a
`start`, so that resuming, phases, heads on cached features and all the rest work as ever.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from authentiscan.core.errors import AuthentiscanError, TrainingError, UsageError
from authentiscan.core.records import mistakes
from authentiscan.inference import NetworkSpec, find_bundle, read_spec
from authentiscan.inference.spec import Ancestor, Architecture, members_of
from authentiscan.training.recipe import (
    DataSource,
    EarlyStopping,
    ModelChoice,
    Phase,
    Recipe,
    Start,
)
from authentiscan.training.recipe_data import manifest_sha256, with_data
from authentiscan.training.recipe_file import dump_recipe, load_recipe, parse_recipe

if TYPE_CHECKING:
    from authentiscan.models.base import ImageClassifier

SLOWER = 0.3
"""Factor on the learning rate: the weights are good already, large steps would undo them."""
SHORTER = 0.3
"""Factor on the number of epochs."""
PATIENCE = 0.2
"""Share of the epochs after which training without progress ends."""


def continued(
    bundle: Path | str,
    added: Sequence[str],
    *,
    replay: Sequence[str] = (),
    forget: bool = False,
    replay_share: float = 0.5,
    changes: Sequence[str] = (),
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe by which the detector in ``bundle`` goes on learning from ``added``.

    bundle: a folder, or ``default``. added: ``PATH`` or ``NAME=PATH`` of new data sets. replay:
    where the data lie that it learned from, ``PATH`` for its only data set or ``NAME=PATH``; those
    left out are looked for where its recipe names them and must have the hash it states. forget: do
    not learn from them again, only measure on them where they are found. replay_share: of every
    epoch, in (0, 1). changes: to the recipe, as ``--set`` takes them.

    The new recipe is the bundle's own with 0.3 of the learning rate and of the epochs, its last
    phase's layers, and early stopping by figures in which old and new data count by their shares; a
    bundle that was made so itself keeps its settings.
    Also gives notes for the user. Raises TrainingError where old data are not found or not the
    stated ones, UsageError for wrong arguments.
    """
    folder = find_bundle(bundle)
    spec = _network(folder)
    old = _own_recipe(spec, folder)
    if not added:
        raise UsageError("say with --add which new data to learn from")
    if not 0 < replay_share < 1:
        raise UsageError(f"the replay share lies between 0 and 1, got {replay_share:g}")
    known, notes = _known_sources(spec, old, folder, replay, forget=forget)
    fresh = _new_sources(added, {source.name for source in known})
    if not forget:
        known = _with_shares(known, spec, replay_share)
        fresh = [s.model_copy(update={"share": (1 - replay_share) / len(fresh)}) for s in fresh]
    recipe = _slower(old) if old.start is None else old
    assert spec.identity is not None
    recipe = recipe.model_copy(
        update={
            "name": re.sub(
                r"[^A-Za-z0-9._-]", "-", "-".join([spec.name, *(s.name for s in fresh)])
            ),
            "summary": _summary(spec, fresh, None if forget else replay_share),
            "start": Start(bundle=str(folder.resolve()), sha256=spec.identity),
            "model": ModelChoice(
                name=spec.architecture.name, arguments=spec.architecture.arguments
            ),
            "preprocess": spec.preprocess,
            "data": (*known, *fresh),
            "split": old.split.model_copy(update={"hold_out": (), "resplit": False}),
        }
    )
    text = dump_recipe(recipe)
    return parse_recipe(text, f"continued from {spec.name}", changes), tuple(notes)


def start_model(recipe: Recipe) -> ImageClassifier:
    """The recipe's model with the weights of the bundle it starts from.

    Raises TrainingError where that bundle is not there or not the stated one, BundleError where its
    weights do not fit the recipe's architecture.
    """
    from authentiscan.inference.torch_backend import load_model

    spec = parent_spec(recipe)
    assert recipe.start is not None
    chosen = Architecture(name=recipe.model.name, arguments=recipe.model.arguments, parameters=0)
    return load_model(
        Path(recipe.start.bundle), spec.model_copy(update={"architecture": chosen})
    ).train()


def parent_spec(recipe: Recipe) -> NetworkSpec:
    """The description of the bundle that ``recipe`` starts from; errors as `start_model`."""
    assert recipe.start is not None
    spec = _network(Path(recipe.start.bundle))
    if spec.identity != recipe.start.sha256:
        raise TrainingError(
            f"the weights in {recipe.start.bundle} are not those the recipe starts from "
            f"({str(spec.identity)[:12]} instead of {recipe.start.sha256[:12]})"
        )
    return spec


def lineage(recipe: Recipe) -> tuple[Ancestor, ...]:
    """The detectors that what ``recipe`` makes descends from, oldest first."""
    if recipe.start is None:
        return ()
    spec = parent_spec(recipe)
    parent = Ancestor(
        name=spec.name, version=spec.version, created=spec.created, sha256=recipe.start.sha256
    )
    return (*spec.lineage, parent)


def _network(folder: Path) -> NetworkSpec:
    spec = read_spec(folder)
    if not isinstance(spec, NetworkSpec):
        raise UsageError(
            f"{folder.name} is an ensemble; let a member learn, named behind it as in "
            f"{folder.name}/{members_of(spec)[0]}, and make a new ensemble"
        )
    return spec


def _own_recipe(spec: NetworkSpec, folder: Path) -> Recipe:
    """The recipe that the bundle states, without what only its own run could use."""
    if not spec.recipe:
        raise TrainingError(
            f"the bundle {folder} states no recipe, so it is unknown how it learned; write a "
            "recipe with `start` and give it to `authentiscan train`"
        )
    try:
        return Recipe.model_validate(spec.recipe)
    except ValidationError as error:
        raise TrainingError(f"the recipe in {folder} cannot be read: {mistakes(error)}") from error


def _slower(old: Recipe) -> Recipe:
    """Settings to go on learning with: small steps, few of them, ended when nothing is gained."""
    last = old.phases[-1]
    epochs = max(2, math.ceil(SHORTER * old.total_epochs))
    lr = SLOWER * (last.lr or old.optimizer.lr)
    return old.model_copy(
        update={
            "phases": (Phase(epochs=epochs, trained=last.trained),),
            "optimizer": old.optimizer.model_copy(update={"lr": lr}),
            "monitor_by": "share",  # else a large old validation part would outvote the new one
            "early_stopping": EarlyStopping(patience=max(2, math.ceil(PATIENCE * epochs))),
        }
    )


def _summary(spec: NetworkSpec, fresh: Sequence[DataSource], share: float | None) -> str:
    names = ", ".join(source.name for source in fresh)
    how = f"replaying old data for {share:.0%} of every epoch" if share else "without replay"
    return f"{spec.summary} Then learned from {names}, {how}.".strip()


def _new_sources(added: Sequence[str], taken: set[str]) -> list[DataSource]:
    found: list[DataSource] = []
    for text in added:
        name, equals, path = text.partition("=")
        if not equals or Path(text).exists():
            name, path = re.sub(r"[^A-Za-z0-9._-]", "-", Path(text).resolve().stem), text
        if name in taken:
            raise UsageError(
                f"--add {text}: there is a data set {name!r} already; name it otherwise, as "
                "--add NAME=PATH"
            )
        taken.add(name)
        found.append(DataSource(name=name, path=path))
    return found


def _known_sources(
    spec: NetworkSpec, old: Recipe, folder: Path, replay: Sequence[str], *, forget: bool
) -> tuple[list[DataSource], list[str]]:
    """The data sets that the bundle learned from, with their places, and notes on them."""
    given = with_data(old.model_copy(update={"data": _nowhere(old.data)}), replay).data
    stated = {use.name: use.sha256 for use in spec.data}
    found: list[DataSource] = []
    notes: list[str] = []
    for before, source in zip(old.data, given, strict=True):
        role = "watch" if forget or before.role == "watch" else "replay"
        known = source.model_copy(
            update={"role": role, "share": before.share, "split": before.split or old.split}
        )
        if source.path is not None:
            if manifest_sha256(known, old) not in (None, stated.get(source.name)):
                notes.append(
                    f"{source.path} is not the manifest that {spec.name!r} learned "
                    f"{source.name!r} from (another hash): where its splits differ, what was "
                    "learned from may be tested with"
                )
            found.append(known)
            continue
        try:
            found.append(_found(known, before, old, folder, stated.get(source.name)))
        except TrainingError as error:
            if role == "replay":
                raise
            notes.append(f"what is forgotten cannot be measured: {error}")
    return found, notes


def _nowhere(sources: Sequence[DataSource]) -> tuple[DataSource, ...]:
    return tuple(source.model_copy(update={"path": None}) for source in sources)


def _found(
    source: DataSource, before: DataSource, old: Recipe, folder: Path, stated: str | None
) -> DataSource:
    """``source`` with the path at which the data lie that have the ``stated`` hash."""
    places = _places(source, before, folder)
    there = [place for place in places if Path(str(place.path)).is_file()]
    for place in there:
        if stated is not None and manifest_sha256(place, old) == stated:
            return place
    tried = ", ".join(dict.fromkeys(str(place.path) for place in there or places))
    what = f"{tried} is not what it learned from (another hash)" if there else f"not at {tried}"
    raise TrainingError(
        f"the data set {source.name!r} that the bundle learned from is not at hand: {what}. "
        f"Say where it is with --replay {source.name}=PATH, or take --no-replay and accept that "
        "the old generators are forgotten"
    )


def _places(source: DataSource, before: DataSource, folder: Path) -> list[DataSource]:
    """``source`` at every place where a run that left its bundle in ``folder`` may have read it."""
    assert source.split is not None
    made = folder.parent / "manifests" / f"{source.name}.parquet"
    settled = source.split.model_copy(update={"resplit": False})  # organize has dealt the rows out
    paths = []
    if (folder.parent / "recipe.yaml").is_file():
        try:
            named = {s.name: s.path for s in load_recipe(folder.parent / "recipe.yaml").data}
        except AuthentiscanError:
            named = {}  # somebody else's file of that name
        paths.append(named.get(source.name))
    paths.append(str(Path(before.path).resolve()) if before.path else None)
    return [
        source.model_copy(update={"path": str(made), "split": settled}),
        *(source.model_copy(update={"path": path}) for path in paths if path),
    ]


def _with_shares(
    known: Sequence[DataSource], spec: NetworkSpec, replay_share: float
) -> list[DataSource]:
    """``known`` with shares that add up to ``replay_share``: as before, or by number of images."""
    counts = {use.name: use.images.get("train", 0) for use in spec.data}
    replayed = [source for source in known if source.role == "replay"]
    weights = {
        source.name: source.share or float(max(1, counts.get(source.name, 0)))
        for source in replayed
    }
    total = sum(weights.values())
    return [
        source.model_copy(update={"share": replay_share * weights[source.name] / total})
        if source.role == "replay"
        else source.model_copy(update={"share": None})
        for source in known
    ]
