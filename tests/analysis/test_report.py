"""The report record: JSON form, published schema, failed rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from authentiscan.analysis.report import Report, json_schema
from authentiscan.core.errors import EmptyFileError

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


def test_published_schema_is_the_reports_own() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema(), (
        "write it anew: python -m authentiscan.analysis.report > docs/report.schema.json"
    )


def test_failed_row_carries_the_error_and_no_verdict() -> None:
    row = json.loads(Report.failed("a.png", EmptyFileError("the file is empty")).json_line())
    assert (row["path"], row["verdict"], row["score"]) == ("a.png", None, None)
    assert (row["error"], row["error_kind"]) == ("the file is empty", "EmptyFileError")


def test_failed_row_never_has_an_empty_error() -> None:
    assert Report.failed("a", "").error
    assert Report.failed("a", ValueError()).error == "failed"


def test_heatmap_stays_out_of_json_and_of_the_schema() -> None:
    report = Report(path="a", heatmap=np.zeros((2, 3), np.float32))
    assert report.heatmap is not None
    assert "heatmap" not in json.loads(report.json_line())
    assert "heatmap" not in json_schema()["properties"]


def test_report_is_frozen_and_refuses_unknown_keys() -> None:
    report = Report(path="a")
    with pytest.raises(ValidationError):
        report.path = "b"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Report.model_validate({"path": "a", "verdikt": "real"})


def test_report_survives_json() -> None:
    report = Report(path="a", score=0.5, timings={"total_ms": 1.0})
    assert Report.model_validate_json(report.json_line()) == report
