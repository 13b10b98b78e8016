"""The whole verdict beside that of the pixels, on real files with and without credentials."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import MetricError
from authentiscan.core.types import Verdict
from authentiscan.evaluation import whole_verdict
from authentiscan.images.decode import encode
from authentiscan.inference import Detector, load_detector
from authentiscan.manifest.table import Manifest
from authentiscan.provenance import TrustList

GENERATED, REAL, OPEN = Verdict.GENERATED, Verdict.REAL, Verdict.INCONCLUSIVE
MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@pytest.fixture
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


@pytest.fixture
def manifest(photos: dict[str, np.ndarray], sign: Callable[..., bytes], tmp_path: Path) -> Manifest:
    """Four plain photographs, and four whose signer says that AI made them; one is no image."""
    import pyarrow as pa

    rows = []
    actions = [{"action": "c2pa.created", "digitalSourceType": MADE}]
    for number, pixels in enumerate(list(photos.values())[:4]):
        plain = encode(pixels, "JPEG", quality=90)
        signed = sign(plain, "image/jpeg", actions)
        for label, content in ((0, plain), (1, signed)):
            rows.append({"image": content, "label": label, "group": f"g{number}"})
    rows.append({"image": b"no image", "label": 0, "group": "g9"})
    for number, row in enumerate(rows):
        row |= {"path": f"{number}.jpg", "dataset": "test"}
        row["generator"] = "x" if row["label"] else "camera"
    return Manifest(pa.Table.from_pylist(rows))


def test_trusted_signatures_change_only_their_own_class(
    manifest: Manifest, detector: Detector, signer_chain: dict[str, bytes]
) -> None:
    trust = TrustList(signer_chain["root"].decode(), "test root")
    told: list[tuple[int, int | None]] = []
    found = whole_verdict.measure(
        manifest, detector, trust=trust, rounds=50, progress=lambda *step: told.append(step)
    )
    assert found.whole["generated"].counts[GENERATED] == 4
    assert found.whole["generated"].shares[GENERATED].value == 1.0
    assert found.whole["real"] == found.pixels["real"]
    assert found.rules["generated"] == {"signed-ai": 4}
    assert found.c2pa == {"absent": 4, "trusted": 4}
    assert found.failed == 1
    assert found.changed == 4 - found.pixels["generated"].counts[GENERATED]
    assert told[-1] == (9, 9)
    assert found.trust_list == "test root, 1 certificates"


def test_unknown_signers_are_never_real(manifest: Manifest, detector: Detector) -> None:
    found = whole_verdict.measure(manifest, detector, trust=TrustList(), rounds=50)
    assert found.whole["generated"].counts[REAL] == 0
    assert found.c2pa["untrusted"] == 4


def test_shares_have_intervals_over_whole_groups() -> None:
    from authentiscan.metrics.bootstrap import Resampler

    labels = np.repeat([0, 1], 40)
    said = [GENERATED if i % 4 == 0 else OPEN for i in range(80)]
    single = whole_verdict._answers(labels, said, Resampler(labels, None, rounds=400))
    pairs = [i // 8 for i in range(80)]
    share = single["real"].shares[GENERATED]
    assert share.value == 0.25
    assert share.low is not None
    assert share.high is not None
    assert 0.05 < share.low < 0.25 < share.high < 0.5
    grouped = whole_verdict._answers(labels, said, Resampler(labels, pairs, rounds=400))
    same = grouped["real"].shares[GENERATED]
    assert same.low == same.high == 0.25, "every group has the same share: nothing varies"
    assert sum(single["real"].counts.values()) == single["real"].images == 40


def test_a_class_that_is_absent_has_no_share(manifest: Manifest, detector: Detector) -> None:
    real = manifest.where(label=0)
    found = whole_verdict.measure(real, detector, rounds=20)
    assert found.whole["generated"].images == 0
    assert found.whole["generated"].shares[REAL].value is None
    head, rows = whole_verdict.table(found)
    assert head[:2] == ["class", "images"]
    assert [row[1] for row in rows] == ["4", "4", "0", "0"]


def test_nothing_judged_is_an_error(manifest: Manifest, detector: Detector) -> None:
    with pytest.raises(MetricError, match="no image"):
        whole_verdict.measure(manifest.take([8]), detector)


def test_the_command_counts_both(
    manifest: Manifest, tiny_bundle: Path, tmp_path: Path, signer_chain: dict[str, bytes]
) -> None:
    data, listed = tmp_path / "all.parquet", tmp_path / "roots.pem"
    manifest.take(range(8)).write(data)
    listed.write_bytes(signer_chain["root"])
    program = "from authentiscan.cli import main; main()"
    wanted = ["--whole-verdict", "--trust-list", str(listed), "--json", "-o", str(tmp_path / "out")]
    shown = subprocess.run(
        [
            *(sys.executable, "-c", program, "evaluate", str(tiny_bundle), "--data", str(data)),
            *("--protocol", "raw", "--bootstrap", "20", *wanted),
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)["whole_verdict"]
    assert found["whole"]["generated"]["counts"]["generated"] == 4
    kept = json.loads((tmp_path / "out" / "whole_verdict.json").read_text())
    assert kept == found
