"""The whole evaluation: slices, shortcut warning, reports, calibration, robustness."""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil

import numpy as np
import pytest

from authentiscan.core.errors import MetricError, UsageError
from authentiscan.datasets.open import NamedData
from authentiscan.evaluation.adapters import Candidate
from authentiscan.evaluation.cross_dataset import cross_evaluate
from authentiscan.evaluation.cross_page import write_cross_evaluation
from authentiscan.evaluation.evaluate import evaluate, worst_mistakes
from authentiscan.evaluation.evaluation_page import (
    evaluation_page,
    short_slices_table,
    slices_table,
)
from authentiscan.evaluation.harness import score_manifest
from authentiscan.evaluation.report import write_report
from authentiscan.evaluation.results import Evaluation
from authentiscan.evaluation.robustness import robustness, sample
from authentiscan.evaluation.robustness_page import write_robustness_report
from authentiscan.evaluation.slices import Options
from authentiscan.inference import load_detector
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.spec import DataUse
from authentiscan.metrics.ranking import METRICS

QUICK = Options(rounds=60)


class FormatReader:
    """A cheat: exact pixel values tell images that were never compressed."""

    name = "cheat"
    identity = None

    def logits(self, images):
        # A JPEG of smooth chroma leaves little high-frequency chroma; a lossless copy keeps it.
        return np.asarray([self._chroma(i) - 1.2 for i in images]) * 10

    def scores(self, logits):
        return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))

    @staticmethod
    def _chroma(image):
        red_green = image[..., 0].astype(float) - image[..., 1]
        return float(np.abs(np.diff(red_green, axis=1)).mean())


@pytest.fixture
def result(scorer, image_manifest):
    return evaluate(scorer, image_manifest, name="crops", options=QUICK)


def test_protocols_stand_side_by_side(result) -> None:
    e = result.evaluation
    assert list(e.protocols) == ["raw", "matched", "history"]
    for protocol in e.protocols.values():
        assert protocol.images == 48
        assert protocol.overall.real == protocol.overall.generated == 24
        assert protocol.overall.metrics["roc_auc"].low is not None
        assert sum(protocol.verdicts.real.values()) == 24
    assert e.main.name == "matched"
    assert {s.metric for s in e.shortcuts} == {"roc_auc", "balanced_accuracy"}


def test_slices(result) -> None:
    slices = {(s.by, s.name): s for s in result.evaluation.main.slices}
    camera = slices["generator", "camera"]
    assert camera.generated == 0
    assert set(camera.metrics) == {"real_accuracy"}
    alpha = slices["generator", "alpha"]
    assert alpha.compared_with == "all real"
    assert alpha.metrics["roc_auc"].value is not None
    assert slices["dataset", "one"].compared_with == "own"
    assert slices["style", "art"].real == 0
    assert ("size_band", "64-127") not in slices  # one value only: nothing to compare
    assert slices["jpeg_band", "75-84"].generated == 0


def test_a_format_shortcut_is_warned_of(image_manifest) -> None:
    e = evaluate(FormatReader(), image_manifest, options=Options(rounds=200)).evaluation
    raw, matched = (e.protocols[p].overall.metrics["roc_auc"] for p in ("raw", "matched"))
    assert raw.value > matched.value
    if raw.value > matched.high:
        assert any("shortcut" in w for w in e.warnings)
        assert e.shortcuts[0].suspicious


def test_json_round_trip_and_summary(result) -> None:
    text = result.evaluation.model_dump_json()
    assert Evaluation.model_validate_json(text) == result.evaluation
    old = text.replace('"key":', '"treatment":')  # as earlier releases wrote it
    assert Evaluation.model_validate_json(old) == result.evaluation
    assert "NaN" not in text
    summary = result.evaluation.summary().model_dump(mode="json")
    assert summary["matched"]["roc_auc"]["low"] <= summary["matched"]["roc_auc"]["value"]
    assert "alpha" in summary["per_generator_matched"]


def test_report_is_one_page_without_network(result, image_manifest, tmp_path) -> None:
    page = write_report(result, image_manifest, tmp_path)
    html = page.read_text()
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []
    assert "data:image/svg+xml" in html
    assert "data:image/jpeg" in html  # thumbnails of mistakes
    assert "<script" not in html
    names = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert {"report.md", "evaluation.json", "scores-raw.csv", "roc.png", "confusion.png"} <= names
    assert "| ROC AUC |" in (tmp_path / "report.md").read_text()
    rows = list(csv.DictReader((tmp_path / "slices.csv").open()))
    assert {r["protocol"] for r in rows} == {"raw", "matched", "history"}
    assert {r["by"] for r in rows} >= {"all", "dataset", "generator", "format", "jpeg_band"}
    assert {f"{m}_low" for m in METRICS} <= set(rows[0])


def test_parts_stand_beside_those_of_the_images_as_stored(result) -> None:
    table = slices_table(result.evaluation, "dataset")
    assert [name for name in table.head if name.endswith(", raw")] == [
        "balanced accuracy, raw",
        "ROC AUC, raw",
    ]
    e = result.evaluation
    raw = next(s for s in e.protocols["raw"].slices if (s.by, s.name) == ("dataset", "one"))
    (row,) = [r for r in table.rows if r[0] == "one"]
    assert row[-1] == str(raw.metrics["roc_auc"])
    short = short_slices_table(e, "generator")
    assert short.head[-2:] == ["ROC AUC, raw", "ROC AUC, matched"]
    assert "all real images" in short.note


def test_mistakes_are_by_origin_with_their_numbers(result) -> None:
    table = result.tables["matched"]
    mistakes = worst_mistakes(table, 0.5, 12)
    wrong = np.asarray(
        [(s >= 0.5) != bool(y) for s, y in zip(table.scores, table.labels, strict=True)]
    )
    for m in mistakes:
        column, origin = ("dataset", m.dataset) if m.label == 0 else ("generator", m.generator)
        own = (np.asarray(table.columns[column]) == origin) & (table.labels == m.label)
        assert (m.wrong, m.among) == ((own & wrong).sum(), own.sum())
    origins = [(m.label, m.dataset if m.label == 0 else m.generator) for m in mistakes]
    assert origins == sorted(origins, key=origins.index)  # those of one origin side by side
    assert max(origins.count(o) for o in origins) <= 2


def test_a_report_includes_robustness_and_the_cross_matrix(
    result, scorer, image_manifest, tmp_path
) -> None:
    sources = [NamedData(n, image_manifest.where(dataset=n)) for n in ("one", "two")]
    cross = cross_evaluate([Candidate("bright", 0.5, scorer)], sources, options=QUICK)
    write_cross_evaluation(cross, {}, tmp_path / "cross")
    robust = robustness(scorer, image_manifest, families=("crop",), options=QUICK)
    write_robustness_report(robust, tmp_path / "robust")
    further = [tmp_path / "cross" / "cross.json", tmp_path / "robust" / "robustness.json"]
    html = write_report(result, image_manifest, tmp_path / "all", further).read_text()
    assert "Robustness curves" in html
    assert "Every detector on every data set" in html
    assert (tmp_path / "all" / "plots" / "robustness-crop.png").is_file()
    for content in ("{}", "[]", "no", '{"kind": "robustness"}'):
        (tmp_path / "wrong.json").write_text(content)
        with pytest.raises(UsageError):
            write_report(result, image_manifest, tmp_path / "all", [tmp_path / "wrong.json"])


def test_hostile_names_are_escaped(result, image_manifest) -> None:
    facts = result.evaluation.data.model_copy(update={"name": "<script>alert(1)</script>|x"})
    page = evaluation_page(result.evaluation.model_copy(update={"data": facts}), image_manifest)
    assert "<script>" not in page.html()


def test_one_class_and_nothing(scorer, image_manifest) -> None:
    e = evaluate(scorer, image_manifest.where(label=0), options=QUICK).evaluation
    assert e.main.overall.metrics["roc_auc"].value is None
    assert e.main.overall.metrics["real_accuracy"].value is not None
    assert e.main.roc is None
    assert any("no generated images" in w for w in e.warnings)
    evaluation_page(e).html()
    with pytest.raises(MetricError, match="no images"):
        evaluate(scorer, image_manifest.take([]), options=QUICK)
    with pytest.raises(UsageError, match="none of"):
        evaluate(scorer, image_manifest, protocols=["nonsense"], options=QUICK)


def test_train_rows_are_warned_of(tiny_bundle, image_manifest) -> None:
    rows = image_manifest.with_column("split", ["train"] * len(image_manifest))
    detector = load_detector(tiny_bundle, threads=1)
    e = evaluate(detector, rows, protocols=["raw"], options=QUICK).evaluation
    assert any("'train'" in w for w in e.warnings)
    assert e.main.thresholds  # the bundle's thresholds, checked on this data


def test_the_folder_that_a_detector_learned_from_is_warned_of(tiny_bundle, image_manifest) -> None:
    rows = image_manifest.with_column("split", [None] * len(image_manifest))
    detector = load_detector(tiny_bundle, threads=1)
    for images, warned in ((len(rows), True), (len(rows) + 1, False)):
        use = DataUse(name="mine", sha256="0" * 64, images={"train": images - 2, "test": 2})
        detector.spec = detector.spec.model_copy(update={"data": (use,)})
        e = evaluate(detector, rows, protocols=["raw"], options=QUICK).evaluation
        assert any("as many images (mine)" in w for w in e.warnings) is warned


def test_recalibration_is_written_into_the_bundle(tiny_bundle, image_manifest, tmp_path) -> None:
    from authentiscan.evaluation.calibration_page import write_calibration_report
    from authentiscan.evaluation.recalibrate import recalibrate, write_calibration

    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    detector = load_detector(bundle, threads=1)
    table = score_manifest(detector, image_manifest)
    result = recalibrate(table, fprs=(0.1, 0.3), decide=0.3, measured_on="crops")
    write_calibration(bundle, result)
    spec = read_spec(bundle)
    assert spec.calibration == result.calibration
    assert [t.name for t in spec.thresholds] == ["fpr_10", "fpr_30"]
    assert spec.decision.generated.name == "fpr_30"
    assert spec.metrics.part("calibration").facts["measured_on"] == "crops"
    after = score_manifest(load_detector(bundle, threads=1), image_manifest)
    real = after.labels == 0
    assert (after.scores[real] >= spec.decision.generated.score).mean() <= 0.3
    counts = result.verdicts
    assert sum(counts.real.values()) + sum(counts.generated.values()) == len(image_manifest)
    flagged = after.scores[real] >= spec.decision.generated.score
    assert counts.real["generated"] == flagged.sum()
    for threshold in result.thresholds:
        low, high = result.threshold_intervals[threshold.name]
        assert low <= threshold.score <= high
    assert "Brier" in write_calibration_report(result, "tiny", tmp_path / "out").read_text()


def test_a_calibration_of_noise_says_so(scorer, image_manifest) -> None:
    from authentiscan.evaluation.recalibrate import recalibrate

    table = score_manifest(scorer, image_manifest)
    noise = np.random.default_rng(0).normal(size=len(table))
    noise[table.labels == 1] -= 0.5
    said = recalibrate(dataclasses.replace(table, logits=noise)).warnings
    assert any("better than chance" in w for w in said)
    assert any("false-positive rate of 1 %" in w for w in said)


def test_calibration_methods_and_costs(scorer, image_manifest) -> None:
    from authentiscan.evaluation.recalibrate import parse_costs, recalibrate

    table = score_manifest(scorer, image_manifest)
    for method in ("platt", "temperature", "isotonic", "auto"):
        result = recalibrate(table, method=method, decide="cost")
        assert result.decision.generated.name == "least_cost"
        assert {q.method for q in result.quality} >= {"before"}
    assert parse_costs("miss=2, inconclusive=0.5").miss == 2
    for text in ("miss", "miss=x", "mis=1", "miss=0.1"):
        with pytest.raises(UsageError):
            parse_costs(text)


def test_robustness(scorer, image_manifest, tmp_path) -> None:
    found = robustness(
        scorer, image_manifest, families=("jpeg", "crop"), extra={"mine": "blur:sigma=1"},
        options=QUICK,
    )  # fmt: skip
    assert len(found.family("jpeg")) == 9
    assert found.base.flips.value == 0.0
    assert all(0 <= c.flips.value <= 1 for c in found.conditions)
    page = write_robustness_report(found, tmp_path)
    assert "JPEG quality" in page.read_text()
    lines = (tmp_path / "jpeg-quality.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:3]] == ["100", "95"]
    with pytest.raises(UsageError, match="unknown sweeps"):
        robustness(scorer, image_manifest, families=("fog",))
    few = sample(image_manifest, 8)
    assert sorted(few.labels.tolist()) == [0] * 4 + [1] * 4
    assert set(few.column("generator")) == {"camera", "alpha", "beta"}


def test_every_pair_is_a_valid_chain() -> None:
    from authentiscan.evaluation.robustness import PAIRS, SWEEPS
    from authentiscan.images.degrade import parse

    for condition in [*PAIRS, *(c for family in SWEEPS.values() for c in family)]:
        parse(condition.chain)
    assert len(PAIRS) == 56


def test_the_packaged_detector_never_claims_to_have_seen_a_users_own_images(
    image_manifest,
) -> None:
    rows = image_manifest.with_column("split", ["train"] * len(image_manifest))
    detector = load_detector("default", threads=1)
    e = evaluate(detector, rows, protocols=["raw"], options=QUICK).evaluation
    assert not any("seen" in w for w in e.warnings)
    assert e.detector.limits == tuple(detector.spec.limits)
    page = evaluation_page(e)
    (judge,) = page.judges
    assert tuple(judge.limits) == e.detector.limits
