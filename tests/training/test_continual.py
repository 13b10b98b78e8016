"""Going on from a bundle: its recipe, splits that stay, what is learned and what forgotten."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from authentiscan.core.errors import BundleError, RecipeError, TrainingError, UsageError
from authentiscan.images.decode import encode
from authentiscan.inference import load_detector, read_spec
from authentiscan.inference.update import update_spec
from authentiscan.manifest.table import Manifest
from authentiscan.training.before_after import MARKDOWN_FILE, Change, table_of
from authentiscan.training.continual import continued, start_model
from authentiscan.training.feeding import figures, share_weights
from authentiscan.training.parts import gather
from authentiscan.training.recipe import Recipe
from authentiscan.training.recipe_file import dump_recipe
from authentiscan.training.run import Result, train

MakeRecipe = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def parent(tiny: MakeRecipe, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A detector that knows enlarged photographs (`toy`)."""
    torch.set_num_threads(1)
    recipe = tiny(toy, "model.arguments.widths=[16, 32]", "batch_size=8", "ema=0.9", epochs=7)
    return train(recipe, output=tmp_path_factory.mktemp("parent") / "run")


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """Another generator: its trace is noise, where that of `toy` is the want of fine detail."""
    rng = np.random.default_rng(1)
    rows: dict[str, list[object]] = {
        k: [] for k in ("image", "label", "generator", "dataset", "group", "split", "sha256")
    }
    names = sorted(photos)
    for index in range(120):
        photo = photos[names[index % len(names)]]
        top, left = (int(rng.integers(s - 96)) for s in photo.shape[:2])
        tile, label = photo[top : top + 96, left : left + 96], index % 4 > 1
        if label:
            noise = rng.normal(0, 12, tile.shape)
            tile = np.clip(tile + noise, 0, 255).astype(np.uint8)
        rows["image"].append(encode(tile, "PNG") if label else encode(tile, "JPEG", quality=90))
        rows["label"].append(int(label))
        rows["generator"].append("noise" if label else "camera")
        rows["dataset"].append("noisy")
        rows["group"].append(f"noisy {index}")
        rows["split"].append("train" if index < 72 else "val" if index < 96 else "test")
        rows["sha256"].append(f"hash of noisy {index}")
    table = pa.table({**rows, "path": pa.array([None] * 120, pa.string())})
    path = tmp_path_factory.mktemp("noisy") / "noisy.parquet"
    Manifest(table).write(path)
    return path


def test_the_recipe_is_the_bundles_own_but_gentler(parent: Result, noisy: Path) -> None:
    recipe, notes = continued(parent.bundle, [str(noisy)], replay_share=0.25)
    assert notes == ()
    assert recipe.name == "tiny-noisy"
    assert recipe.optimizer.lr == pytest.approx(0.003)
    assert recipe.monitor_by == "share"
    assert [p.epochs for p in recipe.phases] == [3]
    assert recipe.early_stopping is not None
    assert recipe.model.arguments["widths"] == [16, 32]
    assert recipe.start is not None
    assert recipe.start.sha256 == read_spec(parent.bundle).identity
    old, new = recipe.data
    assert (old.name, old.role, old.share) == ("toy", "replay", 0.25)
    assert (new.name, new.role, new.share) == ("noisy", "learn", 0.75)
    assert (old.path, new.path) == (str(parent_data(parent)), str(noisy))


def parent_data(parent: Result) -> Path:
    text = (parent.folder / "recipe.yaml").read_text()
    return Path(text.partition("path: ")[2].splitlines()[0])


def test_shares_of_several_data_sets_keep_their_ratio(
    parent: Result, noisy: Path, toy: Path
) -> None:
    recipe, _ = continued(parent.bundle, [f"a={noisy}", f"b={toy}"], replay_share=0.4)
    assert [s.share for s in recipe.data] == pytest.approx([0.4, 0.3, 0.3])


def test_changes_go_through_and_mistakes_are_told(parent: Result, noisy: Path) -> None:
    recipe, _ = continued(parent.bundle, [str(noisy)], changes=["optimizer.lr=0.5", "seed=9"])
    assert (recipe.optimizer.lr, recipe.seed) == (0.5, 9)
    with pytest.raises(RecipeError, match="optimiser"):
        continued(parent.bundle, [str(noisy)], changes=["optimiser.lr=0.5"])


def test_wrong_use_is_told(parent: Result, noisy: Path) -> None:
    with pytest.raises(UsageError, match="which new data"):
        continued(parent.bundle, [])
    with pytest.raises(UsageError, match="between 0 and 1"):
        continued(parent.bundle, [str(noisy)], replay_share=1.0)
    with pytest.raises(UsageError, match="--add NAME=PATH"):
        continued(parent.bundle, [f"toy={noisy}"])


def test_a_bundle_without_a_recipe_is_refused(tiny_bundle: Path, noisy: Path) -> None:
    with pytest.raises(TrainingError, match="states no recipe"):
        continued(tiny_bundle, [str(noisy)])


def test_old_data_must_be_at_hand_and_the_same(
    parent: Result, noisy: Path, toy: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "elsewhere" / "bundle"  # no run around it
    shutil.copytree(parent.bundle, bundle)
    with pytest.raises(TrainingError, match=r"--replay toy=PATH.*--no-replay"):
        continued(bundle, [str(noisy)])
    recipe, notes = continued(bundle, [str(noisy)], replay=[str(toy)])
    assert notes == ()
    assert recipe.data[0].path == str(toy)
    part = tmp_path / "part.parquet"
    Manifest.read(toy).take(range(150)).write(part)
    _, notes = continued(bundle, [str(noisy)], replay=[str(part)])
    assert "another hash" in notes[0]
    (bundle.parent / "manifests").mkdir()
    shutil.copy(part, bundle.parent / "manifests" / "toy.parquet")
    with pytest.raises(TrainingError, match="another hash"):
        continued(bundle, [str(noisy)])
    recipe, notes = continued(bundle, [str(noisy)], forget=True)
    assert [s.name for s in recipe.data] == ["noisy"]
    assert "cannot be measured" in notes[0]


def test_without_replay_old_data_are_only_watched(
    parent: Result, noisy: Path, tmp_path: Path
) -> None:
    recipe, _ = continued(parent.bundle, [str(noisy)], forget=True)
    assert [(s.role, s.share) for s in recipe.data] == [("watch", None), ("learn", None)]
    given = [str(parent_data(parent))]
    assert continued(parent.bundle, [str(noisy)], replay=given, forget=True)[0] == recipe
    parts = gather(recipe, tmp_path)
    assert set(parts.train.column("dataset")) == {"noisy"}
    assert set(parts.val.column("dataset")) == {"noisy"}
    counts = {name: parts.test.column("dataset").count(name) for name in ("toy", "noisy")}
    assert counts == {"toy": 80, "noisy": 24}


def with_rows(path: Path, source: Path, rows: list[int], **columns: list[str]) -> Path:
    """``rows`` of a manifest with other values in some columns."""
    made = Manifest.read(source).take(rows)
    for name, values in columns.items():
        made = made.with_column(name, values)
    made.write(path)
    return path


def test_what_was_learned_from_never_becomes_a_test(
    parent: Result, toy: Path, noisy: Path, tmp_path: Path
) -> None:
    recipe, _ = continued(parent.bundle, [str(noisy)])
    everything = list(range(120))
    groups = [f"noisy {i}" for i in everything]
    groups[100] = "tile 0"  # in the test part here, learned from there
    groups[101] = "tile 199"  # in the test part of both
    groups[0] = "tile 150"  # in the training part here, validation there
    groups[1] = groups[2] = "joined"
    hashes = [f"hash {i}" for i in everything]
    mixed = with_rows(tmp_path / "mixed.parquet", noisy, everything, group=groups, sha256=hashes)
    old, new = recipe.data
    data = (old, new.model_copy(update={"path": str(mixed)}))
    parts = gather(recipe.model_copy(update={"data": data}), tmp_path)
    before = gather(recipe.model_copy(update={"data": (old,)}), tmp_path)
    for name in ("train", "val", "test"):
        kept = getattr(parts, name).where(dataset="toy")
        assert kept.column("group") == getattr(before, name).column("group")
    found = {
        value: name
        for name in ("train", "val", "test")
        for value in getattr(parts, name).where(dataset="noisy").column("sha256")
    }
    assert found["hash 100"] == "train"
    assert found["hash 101"] == "test"
    assert found["hash 0"] == "val"
    assert len(found) == 120


def test_an_image_that_known_ones_tie_to_two_parts_is_left_out(
    parent: Result, toy: Path, noisy: Path, tmp_path: Path
) -> None:
    recipe, _ = continued(parent.bundle, [str(noisy)])
    old, new = recipe.data
    known = with_rows(
        tmp_path / "known.parquet", toy, list(range(200)), sha256=[f"h{i}" for i in range(200)]
    )
    groups = [f"noisy {i}" for i in range(120)]
    groups[5] = "tile 0"
    hashes = [f"n{i}" for i in range(120)]
    hashes[5] = "h150"
    torn = with_rows(
        tmp_path / "torn.parquet", noisy, list(range(120)), group=groups, sha256=hashes
    )
    data = (
        old.model_copy(update={"path": str(known)}),
        new.model_copy(update={"path": str(torn)}),
    )
    parts = gather(recipe.model_copy(update={"data": data}), tmp_path)
    total = sum(
        len(getattr(parts, name).where(dataset="noisy")) for name in ("train", "val", "test")
    )
    assert total == 119


def test_test_images_that_are_added_are_learned_from(
    parent: Result, toy: Path, noisy: Path, tmp_path: Path
) -> None:
    recipe, _ = continued(parent.bundle, [str(noisy)])
    old, new = recipe.data
    hashes = [f"h{i}" for i in range(200)]
    known = with_rows(tmp_path / "known.parquet", toy, list(range(200)), sha256=hashes)
    again = with_rows(
        tmp_path / "again.parquet",
        known,
        list(range(160, 200)),
        split=["train"] * 20 + ["test"] * 20,
    )
    data = (
        old.model_copy(update={"path": str(known)}),
        new.model_copy(update={"path": str(again)}),
    )
    parts = gather(recipe.model_copy(update={"data": data}), tmp_path)
    assert len(parts.train) == 140
    assert len(parts.test) == 20
    assert set(parts.test.column("data_source")) == {"noisy"}


def test_training_begins_with_the_parents_weights(parent: Result, noisy: Path) -> None:
    recipe, _ = continued(parent.bundle, [str(noisy)])
    expected = load_detector(parent.bundle, backend="torch").network.backend.model.state_dict()
    found = start_model(recipe).state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    wider = continued(parent.bundle, [str(noisy)], changes=["model.arguments.widths=[16, 48]"])[0]
    with pytest.raises(BundleError, match="does not fit"):
        start_model(wider)
    assert recipe.start is not None
    other = recipe.model_copy(
        update={"start": recipe.start.model_copy(update={"sha256": "0" * 64})}
    )
    with pytest.raises(TrainingError, match="not those the recipe starts from"):
        start_model(other)


def found_share(changes: tuple[Change, ...], generator: str) -> tuple[float, float]:
    (one,) = (c for c in changes if c.generator == generator)
    return one.right_before, one.right_after


def areas(changes: tuple[Change, ...], generator: str) -> tuple[float, float]:
    (one,) = (c for c in changes if c.generator == generator)
    assert one.auc_before is not None
    assert one.auc_after is not None
    return one.auc_before, one.auc_after


def test_the_new_generator_is_learned_and_the_old_one_kept(
    parent: Result, noisy: Path, tmp_path: Path
) -> None:
    # Few images and few steps: larger ones than the defaults, which are meant for thousands.
    changes = ["optimizer.lr=0.005", "phases.0.epochs=6", "sampling.epoch_size=240"]
    recipe, _ = continued(parent.bundle, [str(noisy)], changes=changes)
    result = train(recipe, output=tmp_path / "run")
    assert result.spec is not None
    before, after = found_share(result.changes, "noise")
    assert before < 0.3
    assert after > 0.7
    before, after = found_share(result.changes, "nearest")
    assert after > before - 0.4
    assert areas(result.changes, "nearest")[1] > 0.85
    assert {c.known for c in result.changes if c.data == "toy"} == {True}
    with (result.folder / "before_after.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["generator"] for row in rows] == [
        "camera", "all generated", "nearest", "camera", "all generated", "noise",
    ]  # fmt: skip
    assert rows[2]["part"] == "test"
    assert "tiny-noisy beside tiny" in (result.folder / MARKDOWN_FILE).read_text()
    spec = read_spec(result.bundle)
    (ancestor,) = spec.lineage
    assert (ancestor.name, ancestor.sha256) == ("tiny", read_spec(parent.bundle).identity)
    noise = spec.metrics.part("before_and_after", "new: noisy", "noise")
    assert noise.value("right_after") == round(found_share(result.changes, "noise")[1], 4)
    card = (result.bundle / "README.md").read_text()
    assert "trained on from" in card
    assert "### before and after" in card
    grandchild, _ = continued(result.bundle, [f"third={noisy}"], replay_share=0.5)
    assert grandchild.optimizer.lr == 0.005  # slowed down once, not once a generation
    assert [s.share for s in grandchild.data] == pytest.approx([0.25, 0.25, 0.5])


@pytest.mark.slow
def test_without_replay_the_old_generator_is_forgotten(
    parent: Result, noisy: Path, tmp_path: Path
) -> None:
    changes = ["optimizer.lr=0.005", "phases.0.epochs=6", "sampling.epoch_size=240"]
    recipe, _ = continued(parent.bundle, [str(noisy)], forget=True, changes=changes)
    result = train(recipe, output=tmp_path / "run")
    assert found_share(result.changes, "noise")[1] > 0.7
    before, after = found_share(result.changes, "nearest")
    assert after < before - 0.5
    assert areas(result.changes, "nearest")[1] < 0.8


def test_a_stopped_run_goes_on_from_its_own_recipe(
    parent: Result, noisy: Path, tmp_path: Path
) -> None:
    recipe, _ = continued(parent.bundle, [str(noisy)], changes=["phases.0.epochs=2"])
    train(recipe, output=tmp_path / "run", stop=lambda progress: progress.total_epochs == 1)
    assert f"bundle: {parent.bundle.resolve()}" in dump_recipe(recipe)
    result = train(recipe, output=tmp_path / "run", resume=True)
    assert result.progress.total_epochs == 2
    assert result.changes


def test_small_generators_are_only_in_the_whole_table() -> None:
    one = Change("d", True, "rare", "test", 3, 0.5, 0.1, 0.9, 0.6, 0.2, 0.9, 0.7, 0.8)
    assert table_of([one])[1] == []
    assert table_of([one], every=True)[1][0][:4] == ["known", "d", "rare", "3 (test)"]


def test_recalibration_of_the_parent_does_not_matter(
    parent: Result, noisy: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(parent.bundle, bundle)
    recipe, _ = continued(bundle, [str(noisy)], replay=[str(parent_data(parent))])
    update_spec(bundle, summary="changed")
    start_model(recipe)


def test_validation_counts_data_sets_by_their_shares(parent: Result, noisy: Path) -> None:
    recipe, _ = continued(parent.bundle, [str(noisy)], replay_share=0.25)
    table = pa.table(
        {
            "path": ["a", "b", "c", "d"],
            "label": [0, 1, 0, 1],
            "generator": ["camera", "x", "camera", "x"],
            "dataset": ["d"] * 4,
            "group": [None] * 4,
            "data_source": ["toy", "toy", "toy", "noisy"],
        }
    )
    weights = share_weights(Manifest(table), recipe)
    assert weights is not None
    np.testing.assert_allclose(weights, [1 / 3, 1 / 3, 1 / 3, 3.0])
    logits = np.asarray([-1.0, 1.0, 2.0, -2.0])
    weighed = figures(Manifest(table).labels, logits, weights)
    repeated = np.asarray([0, 1, 2, *[3] * 9])
    expected = figures(Manifest(table).labels[repeated], logits[repeated])
    for name in ("val_loss", "val_roc_auc", "val_balanced_accuracy"):
        assert weighed[name] == pytest.approx(expected[name])
    alike = recipe.model_copy(update={"monitor_by": "image"})
    assert share_weights(Manifest(table), alike) is None
