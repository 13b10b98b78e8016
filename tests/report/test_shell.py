"""The frame of every page: safe, readable on both grounds, and clear about who made it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from authentiscan.report import shell
from authentiscan.report.glossary import GLOSSARY
from authentiscan.report.judges import Judge

ROOT = Path(__file__).resolve().parents[2]
CARDS: dict[str, Any] = {
    "total": 2,
    "counts": [("real", 2)],
    "kinds": ("all", "real"),
    "codes": [("too_small", 1)],
    "folder": "photos",
    "pictured": 2,
    "left_out": "3 files of other kinds",
    "colours": ["#000004", "#fcffa4"],
    "index": ["[]"],
    "chunks": ["<article>a</article>", "<article>b</article>"],
}


@pytest.fixture(scope="module")
def style() -> str:
    environment = shell.templates("authentiscan.report")
    assert environment.loader is not None
    return environment.loader.get_source(environment, "style.css")[0]


def _palettes(style: str) -> Iterator[dict[str, str]]:
    """The colours for light and for dark, and for paper."""
    for block in re.findall(r":root \{(.*?)\}", style):
        short = {n: re.sub(r"^#(.)(.)(.)$", r"#\1\1\2\2\3\3", c)
                 for n, c in re.findall(r"--(\w+): (#\w+);", block)}  # fmt: skip
        yield short


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_text_colour_has_aa_contrast_on_every_ground(style: str) -> None:
    palettes = list(_palettes(style))
    assert len(palettes) == 3, "light, dark, paper"
    for colours in palettes:
        for ink in ("ink", "soft", "mark", "generated", "real", "inconclusive", "failed"):
            for ground in ("card", "ground"):
                light, dark = sorted((_luminance(colours[ink]), _luminance(colours[ground])))[::-1]
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground, colours)
        light, dark = sorted((_luminance(colours["ink"]), _luminance(colours["hint"])))[::-1]
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_pages_have_a_dark_ground_a_print_form_and_tables_that_scroll(style: str) -> None:
    assert "@media (prefers-color-scheme: dark)" in style
    printed = style[style.index("@media print") :]
    assert "break-inside: avoid" in printed
    assert re.search(r"\.scroll \{ overflow-x: auto", style)
    assert re.search(r"\.card \{[^}]*break-inside: avoid", style), "no card is cut in two"


def test_the_footer_says_who_when_how_and_what_it_cannot_do(
    monkeypatch: pytest.MonkeyPatch, read_page: Callable[[str], Any]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/authentiscan", "scan", "my photos", "-o", "p.html"])
    limits = ("Not for screenshots.", "<b>Not</b> for faces.")
    judges = [Judge("d 1", "ab12", limits)]
    page = read_page("".join(shell.page("batch.html", judges=judges, **CARDS)))
    assert f"by authentiscan {version('authentiscan')}" in page.text
    assert re.search(r"Made \d{4}-\d\d-\d\d \d\d:\d\d UTC", page.text)
    assert "authentiscan scan 'my photos' -o p.html" in page.text
    assert "Detector: d 1 (SHA-256 ab12)." in page.text
    assert "Of what was named, 3 files of other kinds." in page.text
    assert "Not for screenshots." in page.text
    assert "<b>Not</b> for faces." in page.text, "escaped, not obeyed"


def test_python_code_is_not_told_as_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest", "tests"])
    assert shell.command_line() == ""


def test_a_page_comes_in_pieces_as_its_cards_do() -> None:
    taken: list[int] = []

    def cards() -> Iterator[str]:
        for number in range(3):
            taken.append(number)
            yield f"<article>{number}</article>"

    pieces = shell.page("batch.html", **{**CARDS, "chunks": cards()})
    for piece in pieces:
        if "<article>0" in piece:
            break
    assert len(taken) < 3


def test_what_belongs_to_a_figure_stays_beside_it() -> None:
    told = shell.together("0.6 ± 0.1 of 5 % [0.1, 0.9]")
    assert told.split(" ") == ["0.6\u00a0±\u00a00.1", "of", "5\u00a0%", "[0.1,\u00a00.9]"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("folder/my_photo-of.jpg", ["folder/", "my_", "photo-", "of.", "jpg"]),
        ("score 0.47 is below 0.70", ["score 0.47 is below 0.70"]),
        ("a sentence. Another one.", ["a sentence. Another one."]),
        ("C:\\photos\\a", ["C:\\", "photos\\", "a"]),
        ("plain", ["plain"]),
    ],
)
def test_names_break_between_words_and_numbers_do_not(text: str, parts: list[str]) -> None:
    assert str(shell.breakable(text)).split("<wbr>") == parts


def test_breaking_escapes_and_shows_control_characters() -> None:
    shown = str(shell.breakable("<i>\x1b[31m")).replace("<wbr>", "")
    assert shown == "&lt;i&gt;\\u001b[31m"


def test_a_script_runs_only_by_its_checksum_and_only_where_it_is_asked_for(
    read_page: Callable[[str], Any],
) -> None:
    scripted = read_page("".join(shell.page("batch.html", script="batch.js", **CARDS)))
    assert scripted.scripts[-1] == shell.render("batch.js")
    plain = "".join(shell.page("batch.html", **{**CARDS, "chunks": []}))
    assert "script-src" not in plain, "then the policy forbids all of them"


def test_the_words_of_every_page_are_those_of_the_documents(
    read_page: Callable[[str], Any],
) -> None:
    document = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    told = " ".join(document.split())
    page = read_page("".join(shell.page("batch.html", **CARDS)))
    for word, meaning in GLOSSARY:
        assert f"**{word}**: {meaning}" in told, word
        assert meaning in page.text
    assert len(re.findall(r"^- \*\*", document, flags=re.M)) == len(GLOSSARY)


def test_code_is_set_as_code_and_stays_escaped() -> None:
    assert str(shell.coded("use `a <b>`, not <i>")) == (
        "use <code>a &lt;b&gt;</code>, not &lt;i&gt;"
    )
    assert str(shell.coded("one ` alone")) == "one ` alone"
