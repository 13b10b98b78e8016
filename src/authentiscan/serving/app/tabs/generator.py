"""Which generator may have made the image."""

from __future__ import annotations

from authentiscan.core.types import Verdict
from authentiscan.serving.app.html import pairs, put
from authentiscan.serving.app.tabs.shown import Shown


def show(shown: Shown) -> None:
    """What the pixels say, by the attributor, and what the file names as its maker."""
    findings = shown.report.provenance.findings if shown.report.provenance else ()
    named = [(f.generator, f"{f.source}: {f.summary}") for f in findings if f.generator]
    if named:
        pairs(named, "Named by the file itself")
    put(
        "generator.html",
        named=bool(named),
        found=shown.report.attribution,
        generated=shown.report.verdict is Verdict.GENERATED,
    )
