"""The public names of the package, and what importing them costs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import authentiscan
from authentiscan.explain import gradcam
from authentiscan.images.decode import encode
from authentiscan.images.inputs import load_image

ROOT = Path(__file__).resolve().parent.parent


def test_exported_names() -> None:
    assert authentiscan.__all__ == [
        "Attribution",
        "Attributor",
        "AuthentiscanError",
        "Detector",
        "ImageInput",
        "Report",
        "__version__",
        "analyze",
        "load_attributor",
        "load_detector",
    ]
    assert all(getattr(authentiscan, name) is not None for name in authentiscan.__all__)
    assert dir(authentiscan) == sorted(authentiscan.__all__)


def test_version_is_the_installed_one() -> None:
    assert authentiscan.__version__ == version("authentiscan")


def test_the_citation_names_the_version() -> None:
    citation = Path(__file__).parents[1] / "CITATION.cff"
    assert f"version: {version('authentiscan')}\n" in citation.read_text()


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        _ = authentiscan.analyse  # type: ignore[attr-defined]


def _loaded_after(statement: str, *names: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*[n for n in {names!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_alone_loads_nothing_heavy() -> None:
    assert not _loaded_after("import authentiscan", "numpy", "PIL", "onnxruntime", "pydantic")


def test_analysis_needs_neither_torch_nor_tables() -> None:
    heavy = ("torch", "timm", "pandas", "pyarrow", "c2pa", "matplotlib")
    assert not _loaded_after("from authentiscan import analyze, Report, load_detector", *heavy)


def test_the_package_is_a_program_too() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "authentiscan", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == f"authentiscan {version('authentiscan')}"


def test_a_detector_says_what_it_is(tiny_bundle: Path) -> None:
    detector = authentiscan.load_detector(tiny_bundle)
    shown = repr(detector)
    assert shown.startswith("<Detector 'tiny' version 1: ")
    assert detector.spec.architecture_name in shown
    assert f"generated from {detector.spec.decision.generated.score:.3f}" in shown


def test_one_image_gives_one_score_however_it_is_given(tiny_bundle: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (96, 80, 3), dtype=np.uint8)
    file = tmp_path / "noise.png"
    file.write_bytes(encode(pixels, "PNG"))
    detector = authentiscan.load_detector(tiny_bundle)
    with file.open("rb") as stream, Image.open(file) as picture:
        given = [file, str(file), file.read_bytes(), stream, pixels, picture]
        reports = [authentiscan.analyze(one, detector) for one in given]
        stream.seek(0)
        predicted = [detector.predict(one).score for one in given]
    assert len({report.score for report in reports} | set(predicted)) == 1
    with_file, without = reports[:4], reports[4:]
    assert all(report.provenance is not None for report in with_file)
    assert all(report.provenance is None and report.path == "<bytes>" for report in without)
    assert {report.image.format for report in without if report.image} == {"pixels"}


def test_the_detector_of_ones_own_in_the_docs_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/own-detector.md").read_text(), re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 32
    monkeypatch.chdir(ROOT)
    scope: dict[str, object] = {"__name__": "own_detector"}
    exec(compile(code, "own-detector.md", "exec"), scope)
    verdict, score = capsys.readouterr().out.split()[:2]
    assert verdict in ("real", "generated", "inconclusive")
    assert 0 <= float(score) <= 1
    own = scope["detector"]
    assert isinstance(own, authentiscan.Detector)
    flat, busy = np.full((128, 128, 3), 90, np.uint8), np.indices((128, 128, 3)).sum(0) % 2 * 255
    assert own.predict(flat).score > 0.9 > 0.1 > own.predict(busy.astype(np.uint8)).score
    maps = gradcam.explain(own, load_image(flat)[0])
    assert maps.prediction is not None
