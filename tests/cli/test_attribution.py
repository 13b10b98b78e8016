"""`authentiscan attribution` and `scan --attributor`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from attribution_samples import write_generators
from authentiscan.attribution.spec import write_attributor
from authentiscan.cli import app
from authentiscan.core.errors import AuthentiscanError
from conftest_attribution import colour_graph, colour_spec

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    colour_graph(folder / "model.onnx")
    write_attributor(folder, colour_spec())
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    colours = {"red": (240, 10, 10), "green": (10, 240, 10), "yellow": (125, 125, 10)}
    for name, colour in colours.items():
        (folder / name).mkdir()
        for number in range(4):
            pixels = np.clip(np.array(colour) + rng.integers(-9, 9, (48, 48, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def call(*arguments: object) -> str:
    result = RUNNER.invoke(
        app, ["attribution", *map(str, arguments)], env={"COLUMNS": "120", "NO_COLOR": "1"}
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_evaluate_prints_and_writes(bundle: Path, images: Path, tmp_path: Path) -> None:
    told = call(
        "evaluate", bundle, "-d", images, "--qualities", "50", "--bootstrap", "20", "-o",
        tmp_path / "report",
    )  # fmt: skip
    assert "accuracy, closed set" in told
    assert "JPEG quality 50" in told
    assert (tmp_path / "report" / "confusion.png").is_file()
    found = json.loads(
        call("evaluate", bundle, "-d", images, "--qualities", "none", "--bootstrap", "0", "--json")
    )
    assert found["images"] == 8
    assert found["unknown_images"] == 4
    assert found["accuracy"][0] == 1


def test_add_makes_a_new_generator_known(bundle: Path, images: Path, tmp_path: Path) -> None:
    told = call("add", "yellow", images / "yellow", "-o", tmp_path / "more", "--attributor", bundle)
    assert "registered yellow from 4 images" in told
    assert "left out in turn: 4 of 4 are called yellow" in told
    shown = call("show", tmp_path / "more")
    assert "yellow" in shown
    assert "registered" in shown
    made = json.loads(
        call("add", "y2", images / "yellow", "-o", tmp_path / "m", "--attributor", bundle, "--json")
    )
    assert (made["generator"], made["images"]) == ("y2", 4)


def test_name_asks_about_all_images(bundle: Path, images: Path, tmp_path: Path) -> None:
    pictures = sorted((images / "red").iterdir())
    told = call("name", *pictures, "--attributor", bundle)
    assert told.count("likely generator: red") == len(pictures)
    (tmp_path / "broken.png").write_bytes(b"no image")
    done = RUNNER.invoke(
        app,
        ["attribution", "name", str(tmp_path / "broken.png"), str(pictures[0]), "--json",
         "--attributor", str(bundle)],
    )  # fmt: skip
    assert done.exit_code == 1
    broken, red = [json.loads(line) for line in done.stdout.splitlines()]
    assert (broken["attribution"], bool(broken["error"])) == (None, True)
    assert (red["attribution"]["generator"], red["error"]) == ("red", None)


def test_export_leaves_a_bundle_to_hand_on(bundle: Path, tmp_path: Path) -> None:
    told = call("export", bundle, "-o", tmp_path / "lean")
    assert "2 generators" in told
    assert "red" in call("show", tmp_path / "lean")


def test_show_prints_the_figures_of_each_generator() -> None:
    shown = call("show", "default")
    assert "per generator / stylegan2: images" in shown
    assert "sources held out of training: images" in shown


def test_show_as_json_is_the_description(bundle: Path) -> None:
    found = json.loads(call("show", bundle, "--json"))
    assert found["kind"] == "attributor"
    assert [g["name"] for g in found["generators"]] == ["red", "green", "camera"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("evaluate", "{b}", "-d", "{i}", "--qualities", "high"), "allowed are numbers 1 to 100"),
        (("train", "default", "-d", "{i}", "--qualities", "0"), "allowed are numbers 1 to 100"),
        (("train", "default", "-d", "{i}"), "classes.only names cyclegan"),
        (("train", "generators-cpu", "-d", "{i}", "--resume"), "needs the run to go on with"),
        (("train", "nothing", "-d", "{i}"), "shipped are"),
        (("add", "red", "{i}/red", "-o", "{i}/../x", "--attributor", "{b}"), "take another name"),
        (("show", "{i}"), "is no detector"),
    ],
)
def test_what_cannot_work_is_told(
    bundle: Path, images: Path, arguments: tuple[str, ...], told: str
) -> None:
    given = [a.format(b=bundle, i=images) for a in arguments]
    with pytest.raises(AuthentiscanError, match=told) as raised:
        call(*given)
    assert raised.value.exit_code == 2


def scan(images: Path, tiny_bundle: Path, *more: object) -> list[dict[str, object]]:
    """Reports by a detector that calls everything generated."""
    result = RUNNER.invoke(
        app, ["scan", str(images), "--json", "-m", str(tiny_bundle), *map(str, more)]
    )
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def suspicious(tiny_bundle: Path, tmp_path: Path) -> Path:
    """The tiny detector with a threshold that every image reaches."""
    folder = tmp_path / "suspicious"
    shutil.copytree(tiny_bundle, folder)
    content = json.loads((folder / "detector.json").read_text())
    content["decision"]["generated"]["score"] = 1e-9
    content["decision"]["real_below"] = 1e-9
    (folder / "detector.json").write_text(json.dumps(content))
    return folder


def test_going_on_with_another_attributor_is_refused(
    bundle: Path, images: Path, suspicious: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "r.jsonl"
    rest = ["-m", str(suspicious), "-o", str(journal), "--resume", "--attributor"]
    assert RUNNER.invoke(app, ["scan", str(images / "red"), *rest, "none"]).exit_code == 0
    text = journal.read_text()
    assert '"verdict":"generated"' in text
    refused = RUNNER.invoke(app, ["scan", str(images), *rest, str(bundle)])
    assert "without an attributor: give --attributor none" in str(refused.exception)
    assert journal.read_text() == text


def test_scan_names_generators_and_the_verdict_stays(
    bundle: Path, images: Path, suspicious: Path
) -> None:
    named = scan(images, suspicious, "--attributor", bundle)
    plain = scan(images, suspicious, "--attributor", "none")
    assert len(named) == 12
    for one, other in zip(named, plain, strict=True):
        assert one["verdict"] == other["verdict"]
        assert one["score"] == other["score"]
        assert other["attribution"] is None
        told = one["attribution"]
        assert (told is not None) == (one["verdict"] == "generated")
    said = [r["attribution"]["generator"] for r in named if r["attribution"]]  # type: ignore[index]
    assert len(said) > 4
    assert set(said) <= {"red", "green", "unknown"}


@pytest.mark.slow
def test_train_from_a_folder_of_folders(tmp_path: Path) -> None:
    images = write_generators(tmp_path / "images", images=14, generators=("stripes", "dots"))
    small = ["classes.least=4", "preprocess.size=64", "epochs=2", "batch_size=8", "draws=2"]
    changes = [word for change in small for word in ("--set", change)]
    told = call(
        "train", "generators-cpu", "-d", images, "-o", tmp_path / "run", "--device", "cpu", *changes
    )
    assert "training ended" in told
    assert f"--attributor {tmp_path / 'run' / 'bundle'}" in told.replace("\n", "")
    assert "stripes" in call("show", tmp_path / "run")
