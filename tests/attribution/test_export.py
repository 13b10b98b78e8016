"""An attributor without its weights for training answers as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authentiscan.attribution import load_attributor, read_attributor
from authentiscan.attribution.export import export_attributor
from authentiscan.attribution.spec import write_attributor
from authentiscan.core.errors import BundleIntegrityError
from conftest_attribution import colour_spec, colours

__all__ = ["colours"]


@pytest.fixture
def trained(colours: Path) -> Path:
    """The attributor as training leaves it."""
    (colours / "weights.safetensors").write_bytes(bytes(1000))
    write_attributor(
        colours, colour_spec().model_copy(update={"files": {"weights.safetensors": ""}})
    )
    return colours


def test_only_what_answers_is_kept(trained: Path, tmp_path: Path) -> None:
    written = export_attributor(trained, tmp_path / "lean")
    assert sorted(p.name for p in (tmp_path / "lean").iterdir()) == [
        "README.md", "detector.json", "model.onnx",
    ]  # fmt: skip
    assert written == read_attributor(tmp_path / "lean")
    picture = np.full((64, 64, 3), (250, 0, 0), np.uint8)
    before, after = (load_attributor(p).attribute(picture) for p in (trained, tmp_path / "lean"))
    assert before.candidates == after.candidates
    assert before.fit == after.fit


def test_a_damaged_one_is_not_handed_on(trained: Path, tmp_path: Path) -> None:
    with (trained / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleIntegrityError):
        export_attributor(trained, tmp_path / "lean")
    assert not (tmp_path / "lean").exists()
