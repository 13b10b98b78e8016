"""How work tells how far it is: one type for all rooms; the caller decides what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with what is done and what there is in all, None while nobody knows."""

Stages: TypeAlias = Callable[[str], Progress]
"""Gives the `Progress` of the stage of that title, which takes the place of the one before."""


def stage(stages: Stages | None, title: str) -> Progress | None:
    """The `Progress` of one stage, None where nothing is told."""
    return None if stages is None else stages(title)
