"""`data verify` and `data audit` as users call them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

from authentiscan.cli import data_checks
from authentiscan.core.errors import ManifestError
from authentiscan.images.decode import encode
from authentiscan.manifest.table import Manifest

app = typer.Typer()
app.command()(data_checks.verify)
app.command()(data_checks.audit)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def table(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    """40 images, real ones JPEG and generated ones PNG, with one copy in two splits."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        photo = photos[sorted(photos)[i % 6]]
        top, left = int(rng.integers(photo.shape[0] - 64)), int(rng.integers(photo.shape[1] - 64))
        part = photo[top : top + 64, left : left + 64]
        data = encode(part, "PNG") if i % 2 else encode(part, "JPEG", quality=80)
        rows.append({"image": data, "label": i % 2, "split": "train"})
    rows[4] = {**rows[0], "split": "test"}
    target = tmp_path / "table.parquet"
    pq.write_table(pa.Table.from_pylist(rows), target)
    return target


def test_verify_exits_1_on_a_leak_and_0_once_fixed(table: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "clean.parquet", tmp_path / "pages" / "verify.html"
    result = run("verify", table, "--fix", out, "--html", page)
    assert result.exit_code == 1, result.output
    assert "1 leaks between splits" in result.stdout
    assert "39 rows, 1 went" in result.stderr
    assert page.read_text().startswith("<!doctype html>")
    assert len(Manifest.read(out)) == 39
    again = run("verify", out)
    assert again.exit_code == 0, again.output


def test_verify_prints_clean_json(table: Path) -> None:
    report = json.loads(run("verify", table, "--json").stdout)
    assert report["leaks"] == 1
    assert report["copies"]["bytes"]["pairs"] == 1
    assert report["duplicates"][0]["across_splits"] is True


def test_audit_writes_everything_it_is_asked_for(table: Path, tmp_path: Path) -> None:
    page, plot, out = (tmp_path / n for n in ("audit.html", "bars.png", "matched.parquet"))
    result = run(
        "audit", table, "--html", page, "--plot", plot, "--matched", out, "--after", "jpeg"
    )
    assert result.exit_code == 0, result.output
    assert "The file format gives the label away almost always" in result.stdout.replace("\n", " ")
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "data:image/png" in page.read_text()
    matched = Manifest.read(out)
    assert matched.image_bytes(0)
    assert {matched.image_bytes(i)[:2] for i in range(len(matched))} == {b"\xff\xd8"}
    assert int(matched.labels.sum()) * 2 == len(matched)


def test_audit_prints_clean_json(table: Path) -> None:
    report = json.loads(run("audit", table, "--json").stdout)
    assert {s["name"] for s in report["measured"][0]["shortcuts"]} >= {"format", "grid", "all"}


def test_what_is_no_manifest_is_an_error_of_the_package(tmp_path: Path) -> None:
    assert isinstance(run("verify", tmp_path / "none").exception, ManifestError)
    assert isinstance(run("audit", tmp_path / "none").exception, ManifestError)
