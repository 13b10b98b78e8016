"""Shortcuts in plain words, each with what removes it."""

from __future__ import annotations

from typing import Literal

from authentiscan.checks.audit.audit_report import Finding, Measured, Shortcut, Suspect

_WHAT = {
    "format": "the file format",
    "size": "the size in pixels",
    "bytes": "the number of bytes a pixel",
    "jpeg": "the JPEG setting",
    "metadata": "the presence of metadata",
    "border": "the look of the borders",
    "grid": "the trace of JPEG compression in the pixels",
    "resampling": "the trace of resizing in the pixels",
    "all file facts": "everything the file says, together,",
    "all": "everything together",
}
_REMEDY = {
    "format": "Give both classes one history: recipe `augment.history: match`, or --matched.",
    "size": "Crop with recipe `augment.usable_side` at the smaller class's size; or --matched.",
    "bytes": "No detector sees it, but it says that quality or content differ: see the others.",
    "jpeg": "`augment.history: match`, `augment.degrade: jpeg:quality=70..95`, or --matched.",
    "metadata": "No model here reads it. Do not train on files with a tool that does.",
    "border": "Cut borders off: `augment.degrade: crop:keep=0.9`.",
    "grid": "Recipe `augment.history: match` with `augment.degrade: shift | jpeg:quality=70..95`.",
    "resampling": "Recipe `augment.degrade: resize:scale=0.5..1 | jpeg:quality=70..95`.",
    "all file facts": "Use --matched and train on that manifest.",
    "all": "Evaluate with the matched and history protocols beside the raw one.",
}
_LEGITIMATE = frozenset({"grid", "resampling", "all"})


def findings(measured: Measured) -> list[Finding]:
    """One finding for each shortcut that was measured, the strongest first."""
    ordered = sorted(measured.shortcuts, key=lambda s: -s.auc)
    return [_finding(shortcut) for shortcut in ordered]


def severity(auc: float) -> Literal["none", "slight", "strong", "total"]:
    """Under 0.6 none, under 0.75 slight, under 0.95 strong, else total."""
    if auc < 0.6:
        return "none"
    if auc < 0.75:
        return "slight"
    return "strong" if auc < 0.95 else "total"


def _finding(shortcut: Shortcut) -> Finding:
    grade = severity(shortcut.auc)
    verb = {
        "none": "says nothing useful about the label",
        "slight": "gives the label away a little",
        "strong": "gives the label away",
        "total": "gives the label away almost always",
    }[grade]
    what = _WHAT[shortcut.name]
    message = f"{what[0].upper()}{what[1:]} {verb} (AUC {shortcut.auc:.3f})."
    if grade != "none" and shortcut.suspects:
        message += " " + "; ".join(_facts(s) for s in shortcut.suspects[:3]) + "."
    if grade != "none" and shortcut.name in _LEGITIMATE:
        message += " Part of this may be the generator's own trace, which a detector may use."
    remedy = _REMEDY[shortcut.name] if grade != "none" else ""
    return Finding(name=shortcut.name, severity=grade, message=message, remedy=remedy)


def _facts(suspect: Suspect) -> str:
    name = suspect.name.replace("_", " ")
    if suspect.statistic == "share":
        real, generated = (f"{100 * (v or 0):.0f} %" for v in (suspect.real, suspect.generated))
        return f"{name}: {real} of real, {generated} of generated images"
    real, generated = (
        "none" if v is None else f"{v:.4g}" for v in (suspect.real, suspect.generated)
    )
    return f"{name}: {suspect.statistic} {real} in real, {generated} in generated images"
