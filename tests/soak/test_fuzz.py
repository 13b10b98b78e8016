"""Damaged files through every public door give a row or one of our errors, soon, in few words.

A fixed corpus and what hypothesis thinks of; `make soak` tries far more of both. Decoding, walks
and single readers have fuzz tests of their own beside them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.files import file_sha256
from authentiscan.datasets.organize import organize
from authentiscan.images.decode import Limits
from authentiscan.inference import Detector, load_detector
from authentiscan.manifest.table import Manifest
from authentiscan.pipeline.config import EXAMPLE, load_config
from authentiscan.provenance import inspect
from authentiscan.scan import LeftOut, Options, find, lists, scan
from authentiscan.scan.resume import Earlier
from authentiscan.training.recipe_file import dump_recipe, load_recipe
from soak import hostile
from soak.hostile import Seed, answer

ROUNDS = int(os.environ.get("AUTHENTISCAN_SOAK_ROUNDS", "20"))
LIMITS = Limits(pixels=1_000_000, bytes=1_000_000, metadata=1_000_000, frames=100)
MEGABYTES = 400  # above what the process had: far less than what the damaged sizes announce

Door = Callable[[Seed, bytes, Path], str]


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


@pytest.fixture
def doors(detector: Detector, tiny_bundle: Path) -> dict[str, Door]:
    """Every door: puts a file in a folder and says in words what came of it."""

    def scanned(seed: Seed, content: bytes, folder: Path) -> str:
        (folder / "good.jpg").write_bytes(hostile.picture())
        (folder / seed.name).write_bytes(content)
        if seed.name.endswith(("txt", "lst")) and _names_a_folder(folder / seed.name):
            return "a folder, perhaps the whole disk"
        left: LeftOut = LeftOut()
        found = find([str(folder / seed.name)], limits=LIMITS, left_out=left)
        rows = [r.report for r in scan(found, detector, workers=1, options=Options(limits=LIMITS))]
        ours = {kind.__name__ for kind in _kinds(AuthentiscanError)}
        for row in rows:
            assert (row.error is None) == (row.verdict is not None)
            assert row.error_kind is None or row.error_kind in ours, row.error
        # An empty archive or list gives nothing; a file given by name is never passed over.
        assert rows or left or seed.name.endswith((".zip", ".tar", ".gz", ".txt", ".lst"))
        told = [_plain(json.loads(row.json_line())) for row in rows]
        return "\n".join([*map(json.dumps, told), json.dumps(left)])

    def origin(seed: Seed, content: bytes, folder: Path) -> str:
        return json.dumps(_plain(json.loads(inspect(content).model_dump_json())))

    def organized(seed: Seed, content: bytes, folder: Path) -> str:
        raw = folder / "raw"
        for number in range(4):
            place = raw / ("real", "fake")[number % 2] / f"{number}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(hostile.picture(seed=number))
        (raw / "good.jpg").write_bytes(hostile.picture())
        single = seed.name.endswith((".zip", ".parquet", ".csv"))
        place = raw / seed.name if single else raw / "fake" / seed.name
        place.write_bytes(content)
        made = organize([place if single else raw], folder / "m.parquet", processes=1)
        assert len(Manifest.read(made.path)) == made.rows
        failures = made.failures.read_text() if made.failures else ""
        counted = sorted((label, why, n) for (label, why), n in made.concluded.items())
        return f"{made.rows} {made.failed} {counted} {dict(made.left_out)}\n{failures}"

    def bundle(seed: Seed, content: bytes, folder: Path) -> str:
        return loaded(tiny_bundle, seed.name, content, folder)

    def recipe(seed: Seed, content: bytes, folder: Path) -> str:
        (folder / seed.name).write_bytes(content)
        return dump_recipe(load_recipe(str(folder / seed.name)))

    def config(seed: Seed, content: bytes, folder: Path) -> str:
        (folder / seed.name).write_bytes(content)
        return "\n".join(map(dump_recipe, load_config(folder / seed.name).recipes().values()))

    def resumed(seed: Seed, content: bytes, folder: Path) -> str:
        (folder / seed.name).write_bytes(content)
        earlier = Earlier(folder / seed.name)
        earlier.keep()
        return "\n".join(report.path for report in earlier.reports())

    return {"scan": scanned, "provenance": origin, "organize": organized, "bundle": bundle,
            "recipe": recipe, "config": config, "resume": resumed}  # fmt: skip


def loaded(whole: Path, name: str, content: bytes, folder: Path, backend: Any = "onnx") -> str:
    """What a detector with one other file, of which its description states the checksum, says."""
    place = folder / "bundle"
    shutil.copytree(whole, place)
    (place / name).write_bytes(content)
    if name != "detector.json":
        spec = json.loads((place / "detector.json").read_text())
        spec["files"][name] = file_sha256(place / name)
        (place / "detector.json").write_text(json.dumps(spec))
    score = load_detector(place, backend=backend, threads=1).predict(hostile.picture()).score
    return f"{score:.4f}"


def _names_a_folder(path: Path) -> bool:
    with path.open("rb") as stream, suppress(AuthentiscanError):
        places = (lists.place_of(entry, path.parent) for entry in lists.entries(stream))
        return any(os.path.isdir(place) for place in places)  # noqa: PTH112 - any characters
    return False


def _kinds(kind: type[AuthentiscanError]) -> Iterator[type[AuthentiscanError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Without times and without the class of an error, which are not for people."""
    for name in ("timings", "milliseconds", "error_kind"):
        values.pop(name, None)
    if isinstance(values.get("provenance"), dict):
        _plain(values["provenance"])
    return values


def seeds(tiny_bundle: Path) -> dict[str, list[Seed]]:
    """The whole files that go through each door."""
    report = {"schema_version": 1, "path": "a.jpg", "error": "broken"}
    journal = "".join(json.dumps(report | {"path": f"{n}.jpg"}) + "\n" for n in range(3))
    return {
        "scan": [*hostile.images(), *hostile.archives(), *hostile.lists()],
        "provenance": hostile.images(),
        "organize": [*hostile.images()[:4], *hostile.archives()[:1], *hostile.tables()],
        "bundle": [
            Seed(name, (tiny_bundle / name).read_bytes())
            for name in ("detector.json", "model.onnx")
        ],
        "recipe": [Seed("r.yaml", dump_recipe(load_recipe("quickstart")).encode())],
        "config": [Seed("c.yaml", EXAMPLE.read_bytes())],
        "resume": [Seed("j.jsonl", journal.encode())],
    }


DOORS = ("scan", "provenance", "organize", "bundle", "recipe", "config", "resume")
# The slower a door, the fewer files in the short run.
TIMES = {"scan": 8, "provenance": 25, "organize": 4, "bundle": 20, "recipe": 12, "config": 6,
         "resume": 40}  # fmt: skip


def through(door: Door, seed: Seed, content: bytes, folder: Path, again: bool) -> None:
    """One file through one door, twice where ``again``: the words must be the same."""
    said = []
    for _ in range(2 if again else 1):
        folder.mkdir()
        try:
            said.append(answer(lambda: door(seed, content, folder), folder))
        finally:
            shutil.rmtree(folder)
    assert len(set(said)) == 1


def corpus(door: str, doors: dict[str, Door], whole: Path, folder: Path, rounds: int) -> None:
    memory = hostile.Memory()
    for seed in seeds(whole)[door]:
        through(doors[door], seed, seed.packed(seed.content), folder / "x", again=True)
        random = Random(f"{door} {seed.name}")
        for number in range(TIMES[door] * rounds):
            content = seed.damaged(hostile.some_edits(random))
            through(doors[door], seed, content, folder / "x", again=number % 3 == 0)
    assert memory.grown() < MEGABYTES


@pytest.mark.parametrize("door", DOORS)
def test_damaged_files_of_a_fixed_corpus(
    door: str, doors: dict[str, Door], tiny_bundle: Path, tmp_path: Path
) -> None:
    corpus(door, doors, tiny_bundle, tmp_path, 1)


@pytest.mark.parametrize("door", DOORS)
def test_damaged_files_that_hypothesis_thinks_of(
    door: str, doors: dict[str, Door], tiny_bundle: Path, tmp_path: Path
) -> None:
    thought_of(door, doors, tiny_bundle, tmp_path, 1)


def thought_of(door: str, doors: dict[str, Door], whole: Path, folder: Path, rounds: int) -> None:
    """In one round the same files in every run; in more of them, new ones."""
    known = seeds(whole)[door]

    @settings(
        max_examples=TIMES[door] * 2 * rounds, deadline=None, database=None,
        derandomize=rounds == 1, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.sampled_from(known), hostile.edits)
    def survives(seed: Seed, edits: list[hostile.Edit]) -> None:
        through(doors[door], seed, seed.damaged(edits), folder / "x", again=False)

    survives()


def values(whole: Path) -> dict[str, tuple[Seed, Any]]:
    """What descriptions hold: the door, the file and its values."""
    spec = json.loads((whole / "detector.json").read_text())
    recipe, config = dump_recipe(load_recipe("quickstart")), EXAMPLE.read_text()
    report = {"schema_version": 1, "path": "a", "verdict": "real", "score": 0.1, "crops": [
        {"left": 0, "top": 0, "width": 9, "height": 9, "score": 0.1}]}  # fmt: skip
    return {
        "bundle": (Seed("detector.json", b""), spec),
        "recipe": (Seed("r.yaml", b""), yaml.safe_load(recipe)),
        "config": (Seed("c.yaml", b""), yaml.safe_load(config)),
        "resume": (Seed("j.jsonl", b""), report),
    }


def wrong_values(door: str, doors: dict[str, Door], whole: Path, folder: Path, times: int) -> None:
    seed, right = values(whole)[door]
    ending = "\n" if door == "resume" else ""
    for text in hostile.some_changed(right, Random(f"values {door}"), times):
        through(doors[door], seed, (text + ending).encode(), folder / "x", again=False)


@pytest.mark.parametrize("door", ["bundle", "recipe", "config", "resume"])
def test_values_that_cannot_be(
    door: str, doors: dict[str, Door], tiny_bundle: Path, tmp_path: Path
) -> None:
    wrong_values(door, doors, tiny_bundle, tmp_path, TIMES[door] * 4)


def weights(whole: Path, folder: Path, rounds: int) -> None:
    """Damaged weights, and descriptions of other networks than theirs, read by torch."""
    tensors = Seed("weights.safetensors", (whole / "weights.safetensors").read_bytes())
    random = Random("weights")

    def read(seed: Seed, content: bytes, place: Path) -> str:
        return loaded(whole, seed.name, content, place, backend="torch")

    for _ in range(10 * rounds):
        through(
            read, tensors, tensors.damaged(hostile.some_edits(random)), folder / "x", again=True
        )
    spec = json.loads((whole / "detector.json").read_text())
    for text in hostile.some_changed(spec["architecture"], random, 15 * rounds):
        changed = json.dumps(spec | {"architecture": json.loads(text)})
        through(read, Seed("detector.json", b""), changed.encode(), folder / "x", again=True)


def test_damaged_weights(tiny_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    weights(tiny_bundle, tmp_path, 1)


# The long runs


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("door", DOORS)
def test_many_damaged_files(
    door: str, doors: dict[str, Door], tiny_bundle: Path, tmp_path: Path
) -> None:
    corpus(door, doors, tiny_bundle, tmp_path, ROUNDS)
    thought_of(door, doors, tiny_bundle, tmp_path, ROUNDS)
    if door in values(tiny_bundle):
        wrong_values(door, doors, tiny_bundle, tmp_path, 100 * ROUNDS)


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(0)
def test_many_damaged_weights(tiny_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    weights(tiny_bundle, tmp_path, ROUNDS)
