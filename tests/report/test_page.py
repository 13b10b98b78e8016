"""A report's content as a page, as Markdown and as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.core.errors import UsageError
from authentiscan.images.decode import encode
from authentiscan.report import plots
from authentiscan.report.judges import Judge
from authentiscan.report.page import Page, Picture, Pixels, Section, Thumb
from authentiscan.report.tables import Table
from authentiscan.report.thumbnails import address

DOT = encode(np.zeros((4, 4, 3), np.uint8), "PNG")
EVIL = "<img src=x onerror=alert(1)>"


def _page() -> Page:
    figure = plots.forest([("a", plots.Estimate(0.7, 0.6, 0.8))], label="AUC")
    return Page(
        title="Report of my_file.parquet",
        lead=EVIL,
        warnings=["a shortcut"],
        headline=[("AUC", "71 %", "[60, 80]")],
        sections=[
            Section(
                "First",
                [EVIL],
                [Table(["", "x"], [["some/long_name.png", "0.5, 0.6"]], note="a note")],
                [Picture("forest", figure, "a forest"), Pixels("dot", DOT, "a dot")],
                links=[("elsewhere", "cross/page.html")],
            ),
            Section(
                "Second",
                thumbs=[Thumb(address(DOT, "png"), "0.9", EVIL), Thumb(None, "lost", "gone")],
                strips=[("near, 0.99", [Thumb(address(DOT, "png"), "real", "row 1")])],
                points=[("strong", "the size tells the label")],
                folded=True,
            ),
        ],
        judges=[Judge("default 0.1", "ab12", ("no screenshots",)), Judge("rival")],
        closing="3 s.",
    )


def test_the_page_is_whole_safe_and_holds_everything(read_page: Callable[[str], Any]) -> None:
    page = read_page(_page().html())
    for words in (
        "Report of my_file.parquet", "a shortcut", "71 %", "some/long_name.png", "a note",
        "elsewhere", "unreadable", "near, 0.99", "the size tells the label", "no screenshots",
        "Detectors: default 0.1 (SHA-256 ab12); rival.", "3 s.", EVIL,
    ):  # fmt: skip
        assert words in page.text, words
    assert len(page.all("img")) == 4
    assert all(image["alt"] for image in page.all("img"))
    assert len(page.all("details")) == 3
    assert page.all("a") == [{"href": "cross/page.html"}]


def test_pictures_are_enlarged_by_a_click_or_a_key_without_a_script(
    read_page: Callable[[str], Any],
) -> None:
    page = read_page(_page().html())
    boxes = [box for box in page.all("input") if box.get("type") == "checkbox"]
    assert len(boxes) == len(page.all("img"))
    assert all(str(box["aria-label"]).startswith("enlarge: ") for box in boxes)
    assert ".zoom input:checked + img" in page.style


def test_tables_scroll_and_can_be_reached_by_the_keyboard(read_page: Callable[[str], Any]) -> None:
    page = read_page(_page().html())
    frames = [frame for frame in page.all("div") if frame.get("class") == "scroll"]
    assert len(frames) == len(page.all("table")) == 1
    assert all(f["tabindex"] == "0" and f["aria-label"] for f in frames)


def test_a_wide_table_of_words_names_every_cell_where_its_head_has_no_room(
    read_page: Callable[[str], Any],
) -> None:
    head = ["file", "C2PA", "claims", "what it says"]
    words = Table(head, [["a.jpg", "absent", "edited", "much"]], left=True)
    page = read_page(Page("t", "l", [Section("s", tables=[words])]).html())
    assert page.all("table") == [{"class": "left stacked"}]
    assert [cell["data-head"] for cell in page.all("td")] == head
    assert "content: attr(data-head)" in page.style


def test_markdown_says_the_same() -> None:
    text = _page().markdown()
    assert text.startswith("# Report of my_file.parquet\n")
    assert "> **Warning:** a shortcut" in text
    assert "![a forest](plots/forest.png)" in text
    assert "- **strong**: the size tells the label" in text
    assert "| real | row 1 |" in text


def test_writing_leaves_the_page_its_text_and_its_pictures(tmp_path: Path) -> None:
    page = _page().write(tmp_path / "out", "r")
    assert page == tmp_path / "out" / "r.html"
    found = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert found == {"r.html", "r.md", "plots/forest.png", "plots/dot.png"}
    assert (tmp_path / "out" / "plots" / "dot.png").read_bytes() == DOT


def test_a_page_is_saved_by_its_ending(tmp_path: Path) -> None:
    assert _page().save(tmp_path / "a.md").read_text().startswith("# Report")
    with pytest.raises(UsageError, match=r"end it in \.html or \.md"):
        _page().save(tmp_path / "a.pdf")
