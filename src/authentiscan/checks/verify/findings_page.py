"""The verification as a page, with pictures of what was found."""

from __future__ import annotations

from collections.abc import Sequence

from authentiscan.checks.verify.verify_report import Copies, ImageRef, Verification
from authentiscan.manifest.table import Manifest
from authentiscan.report.page import Page, Section, Thumb
from authentiscan.report.tables import Table
from authentiscan.report.thumbnails import thumbnail

_SETS_SHOWN, _IMAGES_SHOWN, _LINES_SHOWN = 60, 6, 200
_KINDS = {"bytes": "same file", "pixels": "same pixels, other file", "near": "near copies"}


def verification_page(manifest: Manifest, report: Verification) -> Page:
    """The page for ``report``; thumbnails are made of at most 60 sets of copies of each sort."""
    return Page(
        title=f"Verification of {report.manifest}",
        lead=f"{report.rows:,} rows, {report.readable:,} readable images.",
        sections=[
            Section("Verdict", points=[_verdict(report)]),
            Section("Copies", tables=[_copies(report)]),
            Section("Balance", tables=[_balance(report)]),
            *_listed(report),
            *(
                Section(f"{title} ({len(found)} listed)", strips=_strips(manifest, found))
                for title, found in _sorts(report)
                if found
            ),
        ],
        closing=(
            f"{report.seconds} s, {report.images_per_second} images a second. Lists are cut at "
            f"{report.listed} entries; counts are complete."
        ),
    )


def _verdict(report: Verification) -> tuple[str, str]:
    if report.trustworthy:
        leaks = (
            "No leak between splits"
            if report.counts.get("split")
            else "No splits yet, so no leak between them"
        )
        return "good", f"{leaks}, every image readable, no exact copy with two labels."
    both = sum(report.copies[kind].sets_across_labels for kind in ("bytes", "pixels"))
    return "bad", (
        f"{report.leaks} leaks, {report.unreadable_count} unreadable, {both} exact copies with "
        "both labels."
    )


def _copies(report: Verification) -> Table:
    rows = []
    for kind, words in _KINDS.items():
        c = report.copies[kind]
        counts = (c.sets, c.extra, c.pairs, c.sets_across_splits, c.sets_across_labels)
        rows.append([words, *map(str, counts)])
    head = ["", "sets", "images beyond the first", "pairs", "across splits", "across labels"]
    return Table(head, rows)


def _balance(report: Verification) -> Table:
    rows = [
        [
            b.name if b.part == b.name else f"{b.part} {b.name}",
            str(b.real),
            str(b.generated),
            b.note,
        ]
        for b in report.balance
    ]
    return Table(["part", "real", "generated", ""], rows)


def _listed(report: Verification) -> list[Section]:
    """Sections that are only there where something was found."""
    counts = [[e.dataset, str(e.published), str(e.found)] for e in report.expectations]
    groups = [
        [g.group, ", ".join(f"{split} {n}" for split, n in g.splits.items())]
        for g in report.group_leaks[:_LINES_SHOWN]
    ]
    unread = [[*_row(u.image), u.error] for u in report.unreadable[:_LINES_SHOWN]]
    wrong = [
        [*_row(m.image), m.column, m.claimed, m.found] for m in report.mismatches[:_LINES_SHOWN]
    ]
    found = (
        ("Counts against the catalog", ["data set", "published", "here"], counts),
        (f"Groups in several splits ({report.group_leak_count})", ["group", "images"], groups),
        (f"Unreadable ({report.unreadable_count})", ["row", "name", "why"], unread),
        (
            f"The manifest says otherwise ({report.mismatch_count})",
            ["row", "name", "column", "manifest", "file"],
            wrong,
        ),
    )
    return [
        Section(title, tables=[Table(head, rows, left=True)]) for title, head, rows in found if rows
    ]


def _row(image: ImageRef) -> list[str]:
    return [str(image.row), image.name]


def _sorts(report: Verification) -> list[tuple[str, list[Copies]]]:
    leaks = [c for c in report.duplicates if c.across_splits]
    labels = [c for c in report.duplicates if c.across_labels and not c.across_splits]
    inside = [c for c in report.duplicates if not c.across_labels and not c.across_splits]
    near = [c for c in inside if c.kind == "near"]
    return [
        ("Copies in different splits", leaks),
        ("Copies with different labels", labels),
        ("Near copies within one split", near),
        ("Exact copies within one split", [c for c in inside if c.kind != "near"]),
    ]


def _strips(manifest: Manifest, found: Sequence[Copies]) -> list[tuple[str, list[Thumb]]]:
    strips = []
    for copies in found[:_SETS_SHOWN]:
        shown = copies.images[:_IMAGES_SHOWN]
        more = copies.count - len(shown)
        note = f"{copies.kind}, similarity {copies.similarity}" + (f"; {more} more" if more else "")
        strips.append((note, [_thumb(manifest, image) for image in shown]))
    return strips


def _thumb(manifest: Manifest, image: ImageRef) -> Thumb:
    label = "generated" if image.label else "real"
    title = f"{label}, {image.split}" if image.split else label
    return Thumb(thumbnail(manifest, image.row), title, f"row {image.row}: {image.name}")
