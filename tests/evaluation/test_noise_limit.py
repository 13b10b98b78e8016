"""The noise above which photographs would be called generated, and no verdict is given."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from authentiscan.core.errors import MetricError
from authentiscan.core.types import Prediction
from authentiscan.evaluation.noise_limit import LEVELS, noise_limit, write_limit
from authentiscan.images.decode import encode
from authentiscan.images.figures import measure
from authentiscan.inference import read_spec
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.decision import unmeasured_decision

TINY = Path(__file__).parents[1] / "fixtures" / "tiny-bundle"


class ReadsNoise:
    """Calls what is noisier than ``above`` generated."""

    def __init__(self, above: float) -> None:
        self.above = above

    def predict_many(self, images):
        for pixels in images:
            score = 0.9 if measure(pixels)["noise"] > self.above else 0.1
            yield Prediction(score=score, raw_score=score, crops=())


def manifest_of(*encoded: bytes) -> Manifest:
    count = len(encoded)
    about = {"generator": ["camera"], "dataset": ["here"], "group": [None]}
    columns = {name: value * count for name, value in about.items()}
    return Manifest(pa.table({"image": list(encoded), "label": [0] * count, **columns}))


@pytest.fixture
def photographs(photos: dict[str, np.ndarray]) -> Manifest:
    kept = [photos[name][:256, :256] for name in ("coffee", "china", "chelsea", "flower")]
    return manifest_of(*(encode(pixels, "PNG") for pixels in kept))


def test_the_limit_lies_where_noise_begins_to_mislead(photographs: Manifest) -> None:
    found = noise_limit(ReadsNoise(3.0), photographs, unmeasured_decision(), most=0.02)
    assert found.photographs == 4
    assert found.limit is not None
    assert 2.9 <= found.limit <= 6
    assert found.flagged[LEVELS[-1]] == 1.0
    assert set(found.flagged_within.values()) == {0.0}
    assert found.kept == 1.0
    assert f"noise figure of {found.limit:g}" in found.text()


def test_a_detector_that_noise_does_not_mislead_needs_no_limit(photographs: Manifest) -> None:
    found = noise_limit(ReadsNoise(1e9), photographs, unmeasured_decision(), most=0.02)
    assert found.limit is None
    assert set(found.flagged.values()) == {0.0}


def test_as_many_as_are_promised_may_be_misled(photographs: Manifest) -> None:
    strict = noise_limit(ReadsNoise(3.0), photographs, unmeasured_decision(), most=0.02)
    lax = noise_limit(ReadsNoise(3.0), photographs, unmeasured_decision(), most=0.25)
    assert lax.limit > strict.limit
    assert max(lax.flagged_within.values()) == 0.25


def test_the_limit_is_written_and_taken_out_again(photographs: Manifest, tmp_path: Path) -> None:
    shutil.copytree(TINY, tmp_path / "bundle")
    found = noise_limit(ReadsNoise(3.0), photographs, unmeasured_decision(), most=0.02)
    write_limit(tmp_path / "bundle", found)
    assert read_spec(tmp_path / "bundle").verdict_range == {"noise": (0.0, found.limit)}
    write_limit(tmp_path / "bundle", found.model_copy(update={"limit": None}))
    assert read_spec(tmp_path / "bundle").verdict_range == {}


def test_without_a_readable_photograph_nothing_is_measured() -> None:
    with pytest.raises(MetricError, match="no photograph could be read"):
        noise_limit(ReadsNoise(3.0), manifest_of(b"no image"), unmeasured_decision(), most=0.02)
