"""Labels that may be wrong: contradicted by the file itself, or by a detector."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

pytest.importorskip("pyarrow")

from authentiscan.checks.audit import label_errors
from authentiscan.cli import app
from authentiscan.core.types import DecodedImage, Prediction
from authentiscan.datasets.open import open_data

PARAMETERS = (
    "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real images are dark, fake ones light; one real one is light, and one tells its sampler."""
    root = tmp_path_factory.mktemp("labels")
    rng = np.random.default_rng(0)
    for kind, level in (("real", 60), ("fake", 190)):
        (root / kind).mkdir()
        for number in range(12):
            light = 190 if (kind, number) == ("real", 3) else level
            pixels = rng.integers(light - 20, light + 20, (64, 64, 3)).astype(np.uint8)
            text = PngInfo()
            if number == 5:
                text.add_text("parameters", PARAMETERS)
            Image.fromarray(pixels).save(root / kind / f"{number}.png", pnginfo=text)
    return root


class ByLight:
    """Takes light images for generated."""

    def predict(self, image: DecodedImage) -> Prediction:
        score = float(image.pixels.mean()) / 255
        return Prediction(score, score, ())


def test_a_real_image_that_says_it_was_generated(folder: Path) -> None:
    (found,) = label_errors(open_data(folder))
    assert found.name.endswith("real/5.png")
    assert found.label == "real"
    assert "parameters" in found.message
    assert found.score is None


def test_a_detector_contradicts_the_label(folder: Path) -> None:
    found = label_errors(open_data(folder), detector=ByLight())  # type: ignore[arg-type]
    said = {e.name[-10:]: e for e in found if e.score is not None}
    assert "real/3.png" in said
    assert "takes it for generated" in said["real/3.png"].message
    # Others at most by noise around the mean of their own class.
    assert len([e for e in found if e.label == "real" and e.score is not None]) == 1


def test_a_detector_that_knows_nothing_contradicts_no_one(folder: Path) -> None:
    class Reversed(ByLight):
        def predict(self, image: DecodedImage) -> Prediction:
            score = 1 - super().predict(image).score
            return Prediction(score, score, ())

    found = label_errors(open_data(folder), detector=Reversed())  # type: ignore[arg-type]
    assert [e for e in found if e.score is not None] == []


def test_the_command_names_them(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    done = CliRunner().invoke(app, ["data", "audit", str(folder), "--json", "-o", str(page)])
    assert done.exit_code == 0, done.output
    (one,) = json.loads(done.stdout)["label_errors"]
    assert one["name"].endswith("real/5.png")
    assert "Labels to look at" in page.read_text()
