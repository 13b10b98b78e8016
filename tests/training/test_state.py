"""Checkpoints: whole or refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from authentiscan.core.errors import TrainingError
from authentiscan.training.state import (
    FORMAT,
    Progress,
    load_checkpoint,
    progress_from,
    progress_record,
    save_checkpoint,
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "last.ckpt"
    weights = torch.arange(2000, dtype=torch.float32).reshape(40, 50)
    save_checkpoint(path, {"weights": weights, "progress": progress_record(Progress(epoch=3))})
    return path


def test_what_was_saved_is_read_back(saved: Path) -> None:
    content = load_checkpoint(saved)
    assert content["weights"].sum() == torch.arange(2000.0).sum()
    assert progress_from(content["progress"]).epoch == 3


def test_any_turned_byte_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    rng = np.random.default_rng(0)
    places = {0, 1, len(whole) - 1, len(whole) - 65, *rng.integers(0, len(whole), 60).tolist()}
    for place in places:
        turned = bytearray(whole)
        turned[place] ^= 1 << int(rng.integers(8))
        saved.write_bytes(turned)
        with pytest.raises(TrainingError, match="damaged"):
            load_checkpoint(saved)


@pytest.mark.parametrize("kept", [0, 10, 0.5, -1])
def test_a_cut_checkpoint_is_refused(saved: Path, kept: float) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(TrainingError, match="damaged"):
        load_checkpoint(saved)


def test_a_checkpoint_of_an_earlier_release_is_read_and_its_content_watched(saved: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "weights": torch.ones(500)}, buffer)
    saved.write_bytes(buffer.getvalue())
    assert load_checkpoint(saved)["weights"].sum() == 500
    turned = bytearray(buffer.getvalue())
    at = turned.find(torch.ones(500).numpy().tobytes()) + 900
    turned[at] ^= 1
    saved.write_bytes(turned)
    with pytest.raises(TrainingError, match="damaged"):
        load_checkpoint(saved)


def test_another_programs_archive_is_refused(saved: Path) -> None:
    torch.save({"weights": torch.ones(3)}, saved)
    with pytest.raises(TrainingError, match="not written by this release"):
        load_checkpoint(saved)


def test_a_missing_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="without --resume"):
        load_checkpoint(tmp_path / "none.ckpt")
