"""Fixtures of the attribution tests."""

from __future__ import annotations

from conftest_attribution import colours

__all__ = ["colours"]
