"""The evidence sheet: all that is known of one image, as one self-contained page of two A4 sides.

For whoever has to stand behind a verdict: attached to a mail, kept with a case. It says how sure
the verdict is, what it rests on, what it cannot say, and how to repeat it.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from authentiscan.analysis import Opened, Report, analyze
from authentiscan.core.types import JsonObject, RGBImage, Verdict
from authentiscan.explain import Target, gradcam
from authentiscan.explain.colours import table
from authentiscan.explain.overlay import overlay
from authentiscan.images.decode import encode
from authentiscan.inference.find import DEFAULT
from authentiscan.provenance import Finding, State, TrustList
from authentiscan.report import shell
from authentiscan.report.thumbnails import address, shrunk

if TYPE_CHECKING:
    from authentiscan.attribution import Attributor
    from authentiscan.inference import Detector
    from authentiscan.metrics.decision import Decision

SIDE = 720
"""Longest side of a picture on the sheet, in pixels."""

MOST_FINDINGS, MOST_WORDS = 8, 160
"""Findings shown, and characters of each: ordinary sheets are to fit two sides."""

_MEANING = {
    Verdict.GENERATED: "This picture looks as if a generative model made it.",
    Verdict.REAL: "This picture looks like a photograph taken by a camera.",
    Verdict.INCONCLUSIVE: "What is known of this picture does not decide it, either way.",
}
_SIGNED = {
    State.ABSENT: "It carries no signed statement of its origin (C2PA).",
    State.TRUSTED: "A signed statement (C2PA) is in it. The signature fits the file, and the "
    "signer is on the trust list.",
    State.UNTRUSTED: "A signed statement (C2PA) is in it. The signature fits the file, but the "
    "signer is not on the trust list: it is quoted, not believed.",
    State.INVALID: "A signed statement (C2PA) is in it, but it does not fit: the file was changed "
    "after signing. That says nothing of how the picture was made.",
    State.UNREADABLE: "A signed statement (C2PA) is in it, but it cannot be read.",
    State.UNCHECKED: "A signed statement (C2PA) is in it, but it could not be checked here.",
}
_BELIEF = {
    State.TRUSTED: "signed, signer trusted",
    State.UNTRUSTED: "signed, signer not known",
    State.INVALID: "not at all: signature broken",
    State.UNREADABLE: "could not be read",
    State.UNCHECKED: "was not checked",
    State.UNSIGNED: "unsigned: anyone can write it",
}
_ALWAYS = (
    "It is evidence, not proof. Use it beside the source, the context and other pictures.",
    "Missing or present metadata without a trusted signature proves nothing.",
    "Real means photographed. A photograph can be staged, edited, or shown in a false context.",
)


def make_sheet(
    opened: Opened,
    detector: Detector,
    *,
    trust: TrustList,
    attributor: Attributor | None = None,
    model: str | None = None,
    namer: str = DEFAULT,
) -> tuple[Report, str]:
    """The report on an opened image, stability included, and its sheet as HTML.

    trust: whose C2PA signatures count. attributor: names the likely generator, None for nobody.
    model: how the command line named the detector, None for the packaged one; namer: how it named
    the attributor. Raises as `analyze` does.
    """
    report = analyze(opened, detector, stability=True, trust=trust, attributor=attributor)
    target: Target = "real" if report.pixel_verdict is Verdict.REAL else "generated"
    found = gradcam.explain(detector, opened.image, target=target)
    pixels = opened.image.pixels
    over = overlay(pixels, found.scaled(), covered=found.covered)
    content = {
        **_verdict(report, detector.spec.decision_for(*pixels.shape[:2])),
        **_pictures(pixels, over),
        **_stability(report),
        **_provenance(report),
        "name": _name(report),
        "target": target,
        "colours": [f"#{bytes(colour).hex()}" for colour in table("inferno")[::32]],
        "file_facts": _file_facts(report),
        "judge_facts": _judge_facts(report, trust),
        "commands": _commands(report, model, namer),
        "limits": [*_ALWAYS, *detector.spec.limits],
    }
    return report, "".join(shell.page("sheet.html", **content))


def _name(report: Report) -> str:
    """The file's own name: where it lay is nobody else's business."""
    return PurePath(report.path.rpartition("::")[2].replace("\\", "/")).name


def _verdict(report: Report, decision: Decision) -> JsonObject:
    assert report.verdict is not None
    assert report.score is not None
    low, high = decision.real.score, decision.generated.score
    zones = [
        ("real", 100 * low),
        ("inconclusive", 100 * (high - low)),
        ("generated", 100 * (1 - high)),
    ]
    return {
        "verdict": report.verdict.value,
        "meaning": _MEANING[report.verdict],
        "reason": report.reason,
        "generator": report.attribution.sentence() if report.attribution else "",
        "score": f"{report.score:.3f}",
        "low": f"{low:.3f}",
        "high": f"{high:.3f}",
        "zones": zones,
        "rates": [_rate(decision, verdict) for verdict in (Verdict.GENERATED, Verdict.REAL)],
        "warnings": [warning.message for warning in report.warnings],
    }


def _rate(decision: Decision, verdict: Verdict) -> str:
    """From which score on ``verdict`` is said, and how often that is wrong."""
    if not decision.allows(verdict):
        return f"This detector never says {verdict}: its errors would be too many."
    rate = decision.rate(verdict)
    if verdict is Verdict.GENERATED:
        return f"Generated is said from a score of {decision.generated.score:.3f} on: {rate}."
    return f"Real is said below a score of {decision.real.score:.3f}: {rate}."


def _pictures(pixels: RGBImage, over: RGBImage) -> dict[str, str]:
    image, heatmap = (
        address(encode(shrunk(picture, SIDE), "JPEG", quality=85)) for picture in (pixels, over)
    )
    smaller = ", made smaller" if max(pixels.shape) > SIDE else ""
    return {"image": image, "heatmap": heatmap, "shrunk": smaller}


def _stability(report: Report) -> JsonObject:
    found = report.stability
    assert found is not None
    rows = [("none", f"{report.score:.3f}", report.pixel_verdict or "")]
    rows += [(t.change, f"{t.score:.3f}", t.verdict.value) for t in found.trials]
    holds = (
        f"No: it turns round after {', '.join(found.flips)}. So it is inconclusive."
        if found.flips
        else "It never turned from real to generated or back. Largest change of the score: "
        f"{found.largest_shift:.3f}."
    )
    if not found.complete:
        holds += " Not all changes could be tried."
    return {"trials": rows, "holds": holds}


def _provenance(report: Report) -> JsonObject:
    found = report.provenance
    if found is None:
        return {"signed": "It was not asked.", "findings": [], "notes": []}
    shown = [_finding(finding) for finding in found.findings[:MOST_FINDINGS]]
    notes = [_cut(note) for note in found.notes[:MOST_FINDINGS]]
    more = len(found.findings) - len(shown)
    if more > 0:
        notes.append(f"{more} more: `authentiscan provenance {shlex.quote(_name(report))}`")
    if not shown:
        notes.insert(0, "Nothing else. Most files on the web say nothing, which is no evidence.")
    return {"signed": _SIGNED[found.c2pa], "findings": shown, "notes": notes}


def _finding(finding: Finding) -> tuple[str, str, str]:
    return _cut(finding.summary), _cut(finding.source), _BELIEF.get(finding.state, "")


def _cut(text: str) -> str:
    return text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1] + "…"


def _file_facts(report: Report) -> list[tuple[str, str]]:
    image = report.image
    assert image is not None
    quality = f", quality about {image.jpeg_quality}" if image.jpeg_quality else ""
    parts = (
        f"{image.format}{quality}",
        f"colour at {image.jpeg_subsampling}" if image.jpeg_subsampling else "",
        "turned upright as its EXIF says" if image.orientation_applied else "",
        f"the first of {image.frames} frames" if image.frames > 1 else "",
        "transparency laid over white" if image.has_alpha else "",
        f"colour profile {image.colour_profile}" if image.colour_profile else "",
    )
    return [
        ("file", _name(report)),
        ("SHA-256", image.sha256),
        ("size", f"{image.width} × {image.height} pixels, {image.bytes:,} bytes"),
        ("form", _cut("; ".join(filter(None, parts)))),
    ]


def _judge_facts(report: Report, trust: TrustList) -> list[tuple[str, str]]:
    model = report.model
    assert model is not None
    crops = len(report.crops)
    return [
        ("program", f"authentiscan {shell.VERSION}"),
        ("detector", f"{model.name} {model.version} ({model.architecture})"),
        ("detector's SHA-256", model.sha256 or "not known"),
        ("looked at", f"{crops} crop{'s' * (crops != 1)}, scores {report.spread:.3f} apart"),
        ("trust list", f"{trust.name} {trust.date}".strip()),
        ("rule", f"{report.rule} (docs/verdict.md)"),
    ]


def _commands(report: Report, model: str | None, namer: str) -> Sequence[str]:
    name = shlex.quote(_name(report))
    chosen = f" --model {shlex.quote(model)}" if model else ""
    chosen += f" --attributor {shlex.quote(namer)}" if namer != DEFAULT else ""
    assert report.image is not None
    return (
        f"sha256sum {name}   # {report.image.sha256[:16]}…",
        f"authentiscan --version   # {shell.VERSION}",
        f"authentiscan sheet {name}{chosen}",
        f"authentiscan scan {name}{chosen} --stability -v",
    )
