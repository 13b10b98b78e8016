"""The API reference shows what each room exports."""

from __future__ import annotations

from pathlib import Path

from docsite import api

import authentiscan

SOURCE = Path(__file__).resolve().parents[3] / "src"
PAGES = api.pages(SOURCE)


def test_the_public_face_comes_first() -> None:
    for name in authentiscan.__all__:
        shown = f"::: authentiscan.{name}\n" in PAGES["api/index.md"]
        assert shown is not name.startswith("_")


def test_every_room_has_a_page() -> None:
    rooms = {p.parent.name for p in (SOURCE / "authentiscan").glob("*/__init__.py")}
    assert set(api.ROOMS) == rooms - {"cli", "serving"}


def test_a_room_shows_what_it_exports_and_nothing_twice() -> None:
    page = PAGES["api/scan.md"]
    exported = api.exported(SOURCE / "authentiscan/scan")
    assert exported
    for name in exported:
        assert f"::: authentiscan.scan.{name}\n" in page
    assert "::: authentiscan.analysis.Report\n" not in PAGES["api/analysis.md"]
    assert "(index.md#authentiscan.Report)" in PAGES["api/analysis.md"]


def test_a_room_without_exports_shows_its_modules() -> None:
    assert "::: authentiscan.metrics.ranking\n" in PAGES["api/metrics.md"]
    assert "::: authentiscan.images.walk\n" in PAGES["api/images.md"]  # a package in a room
