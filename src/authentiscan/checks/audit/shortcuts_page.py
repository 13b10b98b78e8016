"""The audit as a page."""

from __future__ import annotations

from authentiscan.checks.audit.audit_report import Audit, Measured
from authentiscan.checks.audit.plot import picture
from authentiscan.report.page import Page, Pixels, Section
from authentiscan.report.tables import Table

_SHOWN = 4  # facts named beside a shortcut


def audit_page(report: Audit) -> Page:
    """The page for ``report``, with the picture in it."""
    first = report.measured[0]
    unread = f"; {report.unreadable} could not be read" if report.unreadable else ""
    bars = Pixels("shortcuts", picture(report), "AUC of each shortcut; 0.5 is chance.")
    findings = [(f.severity, f"{f.message} {f.remedy}".strip()) for f in report.findings]
    return Page(
        title=f"Can a model cheat on {report.manifest}?",
        lead=(
            "A small classifier guessed the label from facts that say nothing of how an image was "
            f"made. {first.images:,} images of {report.rows:,} rows ({first.real} real, "
            f"{first.generated} generated, {first.groups} groups){unread}. AUC 0.5: the facts do "
            "not help; 1: they give every label away."
        ),
        sections=[
            Section("In words", points=findings),
            Section("In a picture", pictures=[bars]),
            *_matched(report),
            *(_measured(version) for version in report.measured),
            *_labels(report),
        ],
        closing=(
            f"{report.seconds} s. Intervals: bootstrap over groups. Classifier: gradient-boosted "
            "trees, cross-validated by group."
        ),
    )


def _matched(report: Audit) -> list[Section]:
    m = report.matching
    if m is None:
        return []
    text = (
        f"{m.rows} rows, {m.per_class} of each class, matched by {m.level}; {m.recompressed} "
        "lossless images were compressed with settings of the other class."
    )
    return [Section("Matched version", [text])]


def _labels(report: Audit) -> list[Section]:
    if not report.label_errors:
        return []
    text = (
        f"{len(report.label_errors)} images whose label may be wrong. Look at each: a file's words "
        "can be copied, and a detector errs."
    )
    rows = [[e.name, e.label, e.message] for e in report.label_errors]
    table = Table(["image", "label", "what contradicts it"], rows, left=True)
    return [Section("Labels to look at", [text], tables=[table])]


def _measured(version: Measured) -> Section:
    rows = [
        [
            s.name,
            f"{s.auc:.3f}",
            f"{s.low:.3f} to {s.high:.3f}",
            ", ".join(f"{x.name} ({x.auc_drop:.3f})" for x in s.suspects[:_SHOWN]),
        ]
        for s in version.shortcuts
    ]
    head = ["shortcut", "AUC", "95 % interval", "facts that do it (fall of the AUC without them)"]
    title = version.version[:1].upper() + version.version[1:]
    return Section(title, tables=[Table(head, rows, left=True)])
