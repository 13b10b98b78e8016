"""The harness scores what ships, survives bad rows, and goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from authentiscan.core.errors import MetricError
from authentiscan.evaluation.harness import (
    score_manifest,
    score_panel,
    score_protocols,
)
from authentiscan.evaluation.protocol import MATCHED, RAW, named
from authentiscan.evaluation.scores import ScoreTable, quality_band, size_band
from authentiscan.images.decode import encode
from authentiscan.images.degrade import parse
from authentiscan.inference import load_detector
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.calibration import Calibration


def test_scores_are_those_of_the_shipped_detector(tiny_bundle, image_manifest) -> None:
    detector = load_detector(tiny_bundle, threads=1)
    table = score_manifest(detector, image_manifest)
    assert table.failed == 0
    for i in (0, 1, 17, 47):
        expected = detector.predict(image_manifest.image_bytes(i))
        assert table.scores[i] == pytest.approx(expected.score, abs=1e-5)
    assert table.labels.tolist() == image_manifest.labels.tolist()


def test_facts_of_the_images_are_kept(scorer, image_manifest) -> None:
    table = score_manifest(scorer, image_manifest)
    assert set(table.column("format")) == {"JPEG", "PNG", "WEBP"}
    assert set(table.column("size_band")) == {"64-127"}
    assert set(table.column("jpeg_band")) == {"75-84", "85-89", "not JPEG"}
    assert all(len(s) == 64 for s in table.column("sha256"))


def test_protocols_share_decoding_and_equal_single_runs(scorer, image_manifest) -> None:
    history = named("history", image_manifest)
    assert history.history is not None
    assert {q for q, _ in history.history.settings} == {75, 85}
    protocols = [RAW, MATCHED, history]
    together = score_protocols(scorer, image_manifest, protocols)
    for protocol, table in zip(protocols, together, strict=True):
        alone = score_manifest(scorer, image_manifest, protocol, workers=1)
        assert np.array_equal(alone.scores, table.scores), protocol.name


def test_chains_depend_on_the_image_not_on_its_row(scorer, image_manifest) -> None:
    chain = parse("crop:keep=0.3..0.9")
    table = score_manifest(scorer, image_manifest, chain, seed=4)
    order = np.random.default_rng(0).permutation(len(image_manifest))
    shuffled = score_manifest(scorer, image_manifest.take(order), chain, seed=4)
    assert np.array_equal(shuffled.scores, table.scores[order])
    other = score_manifest(scorer, image_manifest, chain, seed=5)
    assert not np.array_equal(other.scores, table.scores)


def bad_rows(tmp_path: Path) -> Manifest:
    pixels = np.full((40, 40, 3), 120, dtype=np.uint8)
    good = tmp_path / "good.png"
    good.write_bytes(encode(pixels, "PNG"))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(encode(pixels, "PNG")[:40])
    names = ["good.png", "empty.png", "missing.png", "cut.png"]
    return Manifest(
        pa.table(
            {
                "path": [str(tmp_path / n) for n in names],
                "label": [0, 0, 1, 1],
                "generator": ["camera", "camera", "alpha", "alpha"],
                "dataset": ["one"] * 4,
                "group": names,
            }
        )
    )


def test_bad_images_are_rows_with_errors(scorer, tmp_path) -> None:
    table = score_manifest(scorer, bad_rows(tmp_path))
    assert table.failed == 3
    assert table.errors[0] is None
    assert all(table.errors[1:])
    assert len(table.scored()) == 1
    with pytest.raises(MetricError, match="none of 3 images was scored"):
        table.take([1, 2, 3]).scored()


def test_cached_scores_are_used_again(scorer, image_manifest, tmp_path) -> None:
    first = score_manifest(scorer, image_manifest, MATCHED, cache=tmp_path)
    seen = scorer.seen
    calls: list[tuple[int, int]] = []
    again = score_manifest(
        scorer, image_manifest, MATCHED, lambda d, t: calls.append((d, t)), cache=tmp_path
    )
    assert scorer.seen == seen
    assert calls == [(48, 48)]
    assert np.array_equal(first.scores, again.scores)
    assert again.column("sha256") == first.column("sha256")
    score_manifest(scorer, image_manifest, RAW, cache=tmp_path)
    assert scorer.seen == seen + 48
    score_manifest(scorer, image_manifest.take(range(10)), RAW, cache=tmp_path)
    assert scorer.seen == seen + 58


def test_an_unknown_identity_is_never_cached(image_manifest, scorer, tmp_path) -> None:
    scorer.identity = None
    score_manifest(scorer, image_manifest, cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_stopped_run_goes_on(scorer, image_manifest, tmp_path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_manifest(scorer, image_manifest, progress=stop, cache=tmp_path)
    before = scorer.seen
    table = score_manifest(scorer, image_manifest, cache=tmp_path)
    assert scorer.seen - before <= 48 - 20
    assert table.failed == 0
    fresh = score_manifest(scorer, image_manifest)
    assert np.array_equal(fresh.scores, table.scores)
    assert table.column("width") == fresh.column("width")


def test_other_pixels_under_the_same_names_are_scored_anew(
    scorer, image_manifest, tmp_path
) -> None:
    score_manifest(scorer, image_manifest, cache=tmp_path)
    seen = scorer.seen
    images = [image_manifest.image_bytes(i) for i in range(len(image_manifest))]
    table = image_manifest.table.drop_columns(["path", "row"])
    other = table.append_column("image", [images[::-1]])
    score_manifest(scorer, Manifest(other), cache=tmp_path)
    assert scorer.seen == seen + 48


def test_a_damaged_cache_is_scored_anew(scorer, image_manifest, tmp_path) -> None:
    score_manifest(scorer, image_manifest, cache=tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(b"not parquet")
    assert score_manifest(scorer, image_manifest, cache=tmp_path).failed == 0


def test_identity_outlives_recalibration(tiny_bundle) -> None:
    detector = load_detector(tiny_bundle, threads=1)
    before = detector.spec.identity
    detector.spec = detector.spec.model_copy(update={"calibration": Calibration(slope=3.0)})
    assert detector.spec.identity == before
    detector.spec = detector.spec.model_copy(update={"files": {}})
    assert detector.spec.identity is None


def test_recalibrated_scores(scorer, image_manifest) -> None:
    table = score_manifest(scorer, image_manifest)
    flat = table.recalibrated(Calibration(slope=0.0, intercept=0.0))
    assert (flat.scores == 0.5).all()


def test_score_tables_survive_the_disk(scorer, tmp_path) -> None:
    table = score_manifest(scorer, bad_rows(tmp_path))
    table.write(tmp_path / "scores.parquet")
    read = ScoreTable.read(tmp_path / "scores.parquet")
    assert read.errors == table.errors
    assert read.columns == table.columns
    assert np.array_equal(read.scores, table.scores, equal_nan=True)
    table.write(tmp_path / "scores.csv")
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 5
    with pytest.raises(MetricError, match="no score table"):
        ScoreTable.read(tmp_path / "scores.csv")


def test_bands() -> None:
    assert [size_band(n) for n in (1, 64, 127, 128, 5000)] == [
        "<64", "64-127", "64-127", "128-255", ">=2048",
    ]  # fmt: skip
    assert quality_band("PNG", None) == "not JPEG"
    assert quality_band("JPEG", None) == "non-standard tables"
    assert quality_band("JPEG", 100) == ">=98"


def test_a_panel_reads_every_image_once_and_each_errs_alone(
    scorer, image_manifest, monkeypatch, tmp_path
) -> None:
    class Fails(type(scorer)):
        name = "fails on dark images"

        def logits(self, images):
            if images[0].mean() < 90:
                raise MetricError("too dark")
            return super().logits(images)

    read = []
    plain = Manifest.image_bytes
    monkeypatch.setattr(
        Manifest, "image_bytes", lambda self, i: read.append(i) or plain(self, i), raising=True
    )
    fails = Fails("fails-1")
    both = score_panel([scorer, fails], image_manifest, [RAW, MATCHED], cache=tmp_path)
    assert sorted(read) == list(range(len(image_manifest)))
    assert [t.failed for t in both[0]] == [0, 0]
    assert 0 < both[1][0].failed < len(image_manifest)
    alone = score_protocols(scorer, image_manifest, [RAW, MATCHED])
    assert all(np.array_equal(a.scores, b.scores) for a, b in zip(alone, both[0], strict=True))
    # One whose scores are kept is not asked again, and keeps its errors.
    seen, other = fails.seen, type(scorer)("other")
    again = score_panel([fails, other], image_manifest, [RAW, MATCHED], cache=tmp_path)
    assert fails.seen == seen
    assert other.seen == 2 * len(image_manifest)
    assert again[0][0].errors == both[1][0].errors
