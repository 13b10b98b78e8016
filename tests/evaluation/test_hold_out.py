"""Score tables by source, from images and from files, into a bundle's two thresholds."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import MetricError, UsageError
from authentiscan.core.types import Verdict
from authentiscan.evaluation.evaluate import evaluate
from authentiscan.evaluation.evaluation_page import evaluation_page
from authentiscan.evaluation.hold_out import (
    hold_out,
    of_table,
    read_scored,
    scored_by,
    write_thresholds,
)
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.evaluation.slices import Options
from authentiscan.inference import load_detector, read_spec
from authentiscan.inference.card import model_card
from authentiscan.metrics.calibration import Calibration

TINY = Path(__file__).parents[1] / "fixtures" / "tiny-bundle"


def columns(shift: float = 6.0, seed: int = 0) -> dict[str, list]:
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], 400)
    logits = rng.normal((labels - 0.5) * shift, 1)
    sources = [f"{y}-{i % 8}" for i, y in enumerate(labels)]
    return {"label": labels.tolist(), "source": sources, "logit": logits.tolist()}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    shutil.copytree(TINY, tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    found = columns()
    found["logit_matched"] = [0.8 * z for z in found["logit"]]
    found["logit_stored"] = found.pop("logit")
    pq.write_table(pa.table(found), tmp_path / "unseen.parquet")
    return tmp_path / "unseen.parquet"


def test_each_logit_column_is_a_protocol(table: Path) -> None:
    found = read_scored(table, Calibration(slope=0.5, intercept=0.1))
    assert sorted(found) == ["matched", "stored"]
    logit = pq.read_table(table)["logit_stored"][3].as_py()
    assert found["stored"].scores[3] == pytest.approx(1 / (1 + np.exp(-(0.5 * logit + 0.1))))


def test_rows_may_name_their_protocol(tmp_path: Path) -> None:
    raw, matched = columns(seed=1), columns(seed=2)
    rows = {name: raw[name] + matched[name] for name in raw}
    rows["protocol"] = ["raw"] * len(raw["label"]) + ["matched"] * len(matched["label"])
    pq.write_table(pa.table(rows), tmp_path / "long.parquet")
    found = read_scored(tmp_path / "long.parquet", Calibration())
    assert sorted(found) == ["matched", "raw"]
    expected = 1 / (1 + np.exp(-np.asarray(matched["logit"])))
    assert found["matched"].scores == pytest.approx(expected)


def test_calibrated_scores_and_csv_are_read(tmp_path: Path) -> None:
    found = columns()
    scores = [1 / (1 + np.exp(-z)) for z in found["logit"]]
    path = tmp_path / "scores.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "source", "score"])
        writer.writerows(zip(found["label"], found["source"], scores, strict=True))
    assert read_scored(path, Calibration())["scores"].scores == pytest.approx(scores)


@pytest.mark.parametrize("missing", ["label", "source", "logit"])
def test_a_table_without_what_it_needs_is_refused(tmp_path: Path, missing: str) -> None:
    found = columns()
    del found[missing]
    pq.write_table(pa.table(found), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="needs the columns label, source"):
        read_scored(tmp_path / "a.parquet", Calibration())


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    empty = pa.table({"label": [0], "source": ["a"], "score": [0.5], "protocol": ["raw"]}).slice(1)
    pq.write_table(empty, tmp_path / "empty.parquet")
    with pytest.raises(UsageError, match="holds no scores"):
        read_scored(tmp_path / "empty.parquet", Calibration())


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no table")
    with pytest.raises(UsageError, match="cannot read the scores"):
        read_scored(tmp_path / "a.parquet", Calibration())


def test_thresholds_are_written_with_their_rates(bundle: Path, table: Path) -> None:
    before = read_spec(bundle)
    found = hold_out(scored_by(bundle, table), measured_on="unseen")
    write_thresholds(bundle, found)
    spec = read_spec(bundle)
    assert spec.decision == found.decision
    assert spec.thresholds == (found.decision.generated,)
    assert spec.calibration == before.calibration
    assert spec.identity == before.identity
    assert found.decision.generated.measured_on == "unseen (matched and stored)" or (
        found.decision.generated.measured_on == "unseen (stored and matched)"
    )
    assert found.sources == {"real": 8, "generated": 8}
    assert "of unseen sources" in model_card(spec)
    assert all(figures["right"] > 0.9 for figures in found.answers.values())


def score_table(sources: list[str | None], datasets: list[str | None]) -> ScoreTable:
    count = len(sources)
    names = ("name", "generator", "style", "split", "format", "sha256", "group")
    return ScoreTable(
        labels=np.asarray([0, 1] * (count // 2)),
        scores=np.linspace(0.1, 0.9, count),
        logits=np.linspace(-1, 1, count),
        columns={n: [None] * count for n in names} | {"source": sources, "dataset": datasets},
        errors=[None] * count,
    )


def test_a_data_set_stands_in_for_a_source_that_is_not_known() -> None:
    found = of_table(score_table(["a", None, "b", None], ["x", "y", "x", "z"]))
    assert found.sources.tolist() == ["a", "y", "b", "z"]
    with pytest.raises(MetricError, match="a source or data set for every image"):
        of_table(score_table([None] * 4, ["x", "y", "x", None]))


def test_one_command_sets_both_thresholds(bundle: Path, table: Path) -> None:
    command = ["calibrate", str(bundle), "--scores", str(table), "--fpr", "0.02", "--miss", "0.05"]
    before = (bundle / "detector.json").read_bytes()
    dry = CliRunner().invoke(app, [*command, "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert (bundle / "detector.json").read_bytes() == before
    assert CliRunner().invoke(app, command).exit_code == 0
    decision = read_spec(bundle).decision
    assert decision.generated.name == "fpr_2"
    assert decision.real.name == "miss_5"
    assert decision.real.miss <= 0.05
    shown = CliRunner().invoke(app, ["models", "info", str(bundle)]).output
    assert "of unseen" in shown


def test_a_detector_that_knows_nothing_never_gives_a_verdict(bundle: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns(shift=0.0)), tmp_path / "blind.parquet")
    command = ["calibrate", str(bundle), "--scores", str(tmp_path / "blind.parquet")]
    found = CliRunner().invoke(app, command)
    assert "this detector never says real" in " ".join(found.output.split())
    spec = read_spec(bundle)
    assert not spec.decision.allows(Verdict.REAL)
    assert "never says real" in model_card(spec)
    shown = CliRunner().invoke(app, ["models", "info", str(bundle)]).output
    assert "never says real" in " ".join(shown.split())


def test_an_evaluation_checks_both_thresholds(bundle, table, image_manifest) -> None:
    found = hold_out(scored_by(bundle, table), measured_on="unseen")
    write_thresholds(bundle, found)
    result = evaluate(
        load_detector(bundle, threads=1),
        image_manifest,
        protocols=("raw",),
        options=Options(rounds=0),
    )
    raw = result.evaluation.protocols["raw"]
    assert raw.real_threshold is not None
    assert raw.real_threshold.stated_miss == found.decision.real.miss
    scores, labels = result.tables["raw"].scores, result.tables["raw"].labels
    below = scores < found.decision.real.score
    assert raw.real_threshold.miss.value == below[labels == 1].mean()
    assert raw.real_threshold.tnr.value == below[labels == 0].mean()
    page = evaluation_page(result.evaluation).markdown()
    assert "stated miss rate" in page
    assert "Right of the conclusive verdicts" in page


def test_images_or_scores_not_both(bundle: Path, table: Path) -> None:
    both = ["calibrate", str(bundle), "--scores", str(table), "--data", str(table)]
    assert isinstance(CliRunner().invoke(app, both).exception, UsageError)
    assert isinstance(CliRunner().invoke(app, ["calibrate", str(bundle)]).exception, UsageError)


def test_sources_of_a_manifest_are_left_out(bundle, image_manifest, tmp_path: Path) -> None:
    image_manifest.write(tmp_path / "unseen.parquet")
    command = ["calibrate", str(bundle), "--data", str(tmp_path / "unseen.parquet")]
    found = CliRunner().invoke(app, [*command, "--split", "all", "--hold-out-sources", "--json"])
    assert found.exit_code == 0, found.output
    assert '"how": "leave-sources-out"' in found.output
    assert read_spec(bundle).decision.generated.measured_on.endswith("(raw and matched)")
