"""Weak labels, and the generator of each row."""

from __future__ import annotations

import pyarrow as pa
import pytest

from authentiscan.attribution.labels import generator_names, is_weak
from authentiscan.core.errors import UsageError
from authentiscan.manifest.table import Manifest


@pytest.mark.parametrize(
    "name", ["gpt-4o-or-gemini-image(mixed)", "unspecified-2022", "simulacra-bot(2022)", "Mixed"]
)
def test_weak(name: str) -> None:
    assert is_weak(name)


@pytest.mark.parametrize("name", ["stylegan2", "flux.1-dev", "camera"])
def test_not_weak(name: str) -> None:
    assert not is_weak(name)


def rows(**more: list[object]) -> Manifest:
    columns = {
        "path": ["a", "b", "c", "d"],
        "label": [0, 1, 1, 1],
        "generator": ["whatever", "sd-1.4", "sd-1.5", None],
        "dataset": ["x"] * 4,
        "group": ["1", "2", "3", "4"],
        **more,
    }
    return Manifest(pa.table(columns))


def test_names_of_rows() -> None:
    assert generator_names(rows()) == ["camera", "sd-1.4", "sd-1.5", ""]
    joined = generator_names(rows(), together={"sd-1": ("sd-1.4", "sd-1.5")})
    assert joined == ["camera", "sd-1", "sd-1", ""]


def test_another_column() -> None:
    found = generator_names(rows(family=["", "diffusion", "diffusion", "gan"]), column="family")
    assert found == ["camera", "diffusion", "diffusion", "gan"]
    with pytest.raises(UsageError, match="no column 'nothing'"):
        generator_names(rows(), column="nothing")
