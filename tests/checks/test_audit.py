"""The audit finds planted shortcuts, leaves clean data alone, and its matched version is clean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authentiscan.checks.audit import GROUPS, Auditor, audit_page, picture
from authentiscan.checks.audit.audit_report import LabelError
from authentiscan.checks.audit.borders import BORDER_NAMES, border_facts
from authentiscan.checks.audit.features import NAMES, Source, as_file, features
from authentiscan.checks.audit.shortcuts import measure_shortcut
from authentiscan.checks.audit.traces import (
    GRID_NAMES,
    RESAMPLING_NAMES,
    grid_traces,
    resampling_traces,
)
from authentiscan.core.errors import DatasetError, UsageError
from authentiscan.images import degrade
from authentiscan.images.decode import decode, encode
from authentiscan.manifest.table import Manifest

Photos = dict[str, np.ndarray]
SIDE = 96


def windows(photos: Photos, count: int, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    """Random windows of the photographs, and which photograph each is of."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        name = sorted(photos)[i // 2 % len(photos)]  # each photograph in both classes
        photo = photos[name]
        top = int(rng.integers(photo.shape[0] - SIDE + 1))
        left = int(rng.integers(photo.shape[1] - SIDE + 1))
        found.append((name, photo[top : top + SIDE, left : left + SIDE]))
    return found


def manifest(rows: list[tuple[bytes, int, str]]) -> Manifest:
    table = pa.table(
        {
            "image": [data for data, _, _ in rows],
            "label": pa.array([label for _, label, _ in rows], pa.int8()),
            "generator": ["x" if label else "camera" for _, label, _ in rows],
            "dataset": ["own"] * len(rows),
            "group": [group for _, _, group in rows],
        }
    )
    return Manifest(table)


@pytest.fixture(scope="module")
def biased(photos: Photos) -> Manifest:
    """Real JPEG, generated PNG, of the same photographs: nothing but the files tells them apart."""
    rng = np.random.default_rng(1)
    rows = []
    for i, (name, pixels) in enumerate(windows(photos, 300)):
        quality = int(rng.integers(70, 96))
        data = encode(pixels, "PNG") if i % 2 else encode(pixels, "JPEG", quality=quality)
        rows.append((data, i % 2, f"{name}-{i // 12}"))
    return manifest(rows)


def test_a_biased_set_is_found_out_and_its_matched_version_is_clean(
    biased: Manifest, read_page: Callable[[str], Any]
) -> None:
    audited = Auditor(matched=True, workers=1)(biased, "biased")
    stored, matched = audited.report.measured
    assert stored.auc("format") >= 0.99
    assert stored.auc("jpeg") >= 0.99
    assert stored.auc("all file facts") >= 0.99
    assert stored.auc("all") >= 0.99
    assert stored.auc("grid") > 0.8
    assert stored.auc("size") <= 0.6
    for shortcut in matched.shortcuts:
        assert shortcut.auc <= 0.6, shortcut
    assert audited.report.matching is not None
    assert audited.report.matching.recompressed == audited.report.matching.per_class
    assert audited.matched is not None
    formats = {
        decode(audited.matched.image_bytes(i)).facts.format for i in range(len(audited.matched))
    }
    assert formats == {"JPEG"}
    first = audited.report.findings[0]
    assert first.severity == "total"
    assert "AUC 1.000" in first.message or "AUC 0.99" in first.message
    assert first.remedy
    page = read_page(audit_page(audited.report).html())
    assert first.message in page.text
    assert page.text.count("facts that do it") == len(audited.report.measured)
    assert len(page.all("img")) == 1
    assert picture(audited.report).startswith(b"\x89PNG")


def test_a_report_of_an_earlier_release_is_read() -> None:
    found = LabelError.model_validate({"name": "a.png", "row": 0, "label": "real", "says": "why"})
    assert found.message == "why"
    assert "says" not in found.model_dump()


def test_a_fair_set_offers_nothing(photos: Photos) -> None:
    rows = [
        (encode(pixels, "JPEG", quality=75 + i // 2 % 20), i % 2, f"{name}-{i // 12}")
        for i, (name, pixels) in enumerate(windows(photos, 240, seed=2))
    ]
    measured = Auditor(workers=1)(manifest(rows)).report.measured[0]
    assert measured.auc("format") == pytest.approx(0.5)
    assert measured.auc("size") == pytest.approx(0.5)
    assert measured.auc("all file facts") < 0.65


def test_after_a_chain_only_what_remains_is_measured(biased: Manifest) -> None:
    report = Auditor(after=["jpeg:quality=90"], workers=1)(biased).report
    after = report.measured[1]
    assert after.version == "after jpeg:quality=90"
    for name in ("format", "jpeg", "metadata", "size"):
        assert after.auc(name) == pytest.approx(0.5)
    # Reals are now compressed twice, the others once: this remains, and is said.
    assert after.auc("grid") > 0.6


def test_borders_and_upsampling_are_found(photos: Photos) -> None:
    shrink = degrade.parse("rescale:scale=0.5,kernel=bilinear")
    rows = []
    for i, (name, window) in enumerate(windows(photos, 160, seed=3)):
        pixels = window
        if i % 2:
            pixels = shrink(window, degrade.image_rng(0))[0].copy()
            pixels[:4] = 0
        rows.append((encode(pixels, "PNG"), i % 2, f"{name}-{i // 12}"))
    measured = Auditor(workers=1)(manifest(rows)).report.measured[0]
    assert measured.auc("border") > 0.95
    assert measured.auc("resampling") > 0.9
    border = next(s for s in measured.shortcuts if s.name == "border")
    assert {s.name for s in border.suspects} <= set(BORDER_NAMES)
    assert border.suspects


def test_one_class_or_one_group_is_refused(photos: Photos) -> None:
    data = [encode(pixels, "PNG") for _, pixels in windows(photos, 12)]
    with pytest.raises(DatasetError, match="both classes"):
        Auditor(workers=1)(manifest([(d, 1, str(i)) for i, d in enumerate(data)]))
    with pytest.raises(DatasetError, match="two groups"):
        Auditor(workers=1)(manifest([(d, i % 2, "one") for i, d in enumerate(data)]))
    with pytest.raises(UsageError, match="no degradation"):
        Auditor(after=["nothing-like-it"])(manifest([(data[0], 0, "a")]))


def test_no_match_is_said_clearly(photos: Photos) -> None:
    rows = []
    for i, (name, pixels) in enumerate(windows(photos, 40)):
        part = pixels[:48, :48] if i % 2 else pixels
        rows.append((encode(part, "PNG"), i % 2, f"{name}-{i}"))
    with pytest.raises(DatasetError, match="no matched version"):
        Auditor(matched=True, workers=1)(manifest(rows))


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    seed=st.integers(0, 1000),
    chain=st.sampled_from(["none", "jpeg", "webp", "blur", "jpeg | crop"]),
)
def test_any_image_has_a_full_row_of_facts(height: int, width: int, seed: int, chain: str) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    data = as_file(pixels, degrade.parse(chain).draw(degrade.image_rng(seed)))
    with np.errstate(all="raise", under="ignore"):
        values = features(decode(data), data, Source())
    assert values.shape == (len(NAMES),)
    assert not np.isinf(values).any()
    assert len(NAMES) == len(set(NAMES)) == sum(len(group) for group in GROUPS.values())


def test_traces_see_what_they_are_for(photos: Photos) -> None:
    photo = photos["astronaut"][:256, :256]
    jpeg = decode(encode(photo, "JPEG", quality=60)).pixels
    at = GRID_NAMES.index("grid_aligned")
    assert grid_traces(jpeg)[at] > grid_traces(photo)[at] + 0.05
    shifted = grid_traces(np.ascontiguousarray(jpeg[3:, 5:]))
    assert np.argmax(shifted[:8]) == 3  # 8 - 5 columns cut off
    assert np.argmax(shifted[8:16]) == 5
    peak = RESAMPLING_NAMES.index("resampling_peak")
    larger = degrade.parse("resize:scale=1.6,kernel=bilinear")(photo, degrade.image_rng(0))[0]
    assert resampling_traces(larger)[peak] > resampling_traces(photo)[peak]


def test_border_facts_see_uniform_and_mirrored_sides(photos: Photos) -> None:
    photo = photos["chelsea"][:90, :120]
    plain = border_facts(photo)
    assert plain[0] == 0
    barred = photo.copy()
    barred[:9] = 20
    assert border_facts(barred)[:3].tolist() == pytest.approx([1, 0.1, 20], abs=0.02)
    mirrored = np.pad(photo, ((5, 0), (0, 0), (0, 0)), mode="reflect")
    assert border_facts(mirrored)[3] < 0.1 < plain[3]


def test_the_area_and_its_interval_are_those_of_the_metrics_room() -> None:
    rng = np.random.default_rng(3)
    labels = np.asarray([0, 1] * 60, np.int8)
    values = (labels + rng.normal(0, 0.7, 120)).astype(np.float32)[:, None]
    groups = np.arange(120) // 2
    found = measure_shortcut("one", ["fact"], values, labels, groups, seed=1)
    assert 0.6 < found.low < found.auc < found.high < 1
    assert [s.name for s in found.suspects] == ["fact"]


def test_the_audit_is_repeatable(biased: Manifest) -> None:
    some = biased.take(np.arange(120))
    first, second = (Auditor(workers=1, seed=4)(some).report for _ in range(2))
    assert first.model_copy(update={"seconds": 0}) == second.model_copy(update={"seconds": 0})


@pytest.mark.slow
def test_cifake_gives_nothing_away_by_format_or_size(shared_data: Path) -> None:
    from authentiscan.datasets.open import open_data

    measured = Auditor(limit=4000)(open_data(shared_data / "cifake.parquet")).report.measured[0]
    for name in ("format", "size", "jpeg", "metadata"):
        assert 0.45 < measured.auc(name) < 0.55
