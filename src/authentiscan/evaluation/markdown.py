"""Evaluations as Markdown: the readable form of the same records."""

from __future__ import annotations

from collections.abc import Sequence

from authentiscan.evaluation.bootstrap import Estimate
from authentiscan.evaluation.metrics import METRICS
from authentiscan.evaluation.records import Evaluation, ProtocolResult, Slice

WORDS = {
    "roc_auc": "ROC AUC",
    "partial_auc": "partial AUC (FPR ≤ 10 %)",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "real_accuracy": "real photos right",
    "generated_accuracy": "generated right",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "tpr_at_fpr_1": "TPR at 1 % FPR",
    "tpr_at_fpr_5": "TPR at 5 % FPR",
    "brier": "Brier (lower is better)",
    "ece": "calibration error (lower is better)",
}
PART_WORDS = {
    "dataset": "data set",
    "generator": "generator",
    "source": "source",
    "style": "style",
    "format": "format",
    "size_band": "shorter side in pixels",
    "jpeg_band": "JPEG quality",
}
SLICE_METRICS = (
    "real_accuracy",
    "generated_accuracy",
    "balanced_accuracy",
    "roc_auc",
    "tpr_at_fpr_5",
)
PROTOCOL_WORDS = {
    "raw": "images as stored",
    "matched": "both classes re-saved as JPEG quality 90, same mix of sizes",
    "history": "as matched, after lossless images were given a first JPEG like the others'",
}


def to_markdown(evaluation: Evaluation) -> str:
    """The whole evaluation as one Markdown page."""
    e = evaluation
    parts = [
        f"# {e.detector.name} on {e.data.name}",
        f"{e.data.real} real and {e.data.generated} generated images in {e.data.groups} groups; "
        f"made {e.created:%Y-%m-%d %H:%M} UTC in {e.seconds:.0f} s. Intervals: "
        f"{e.settings.level:.0%} bootstrap by group and class, {e.settings.rounds} rounds.",
        *(f"> **Warning:** {warning}" for warning in e.warnings),
        "## Protocols side by side",
        protocols_table(e),
        *(f"- **{name}**: {PROTOCOL_WORDS.get(name, name)}" for name in e.protocols),
        "## Verdicts",
        _verdicts(e),
    ]
    if e.main.thresholds:
        parts += [f"## Thresholds ({e.main.name})", _thresholds(e.main)]
    for by, word in PART_WORDS.items():
        rows = [s for s in e.main.slices if s.by == by]
        if rows:
            parts += [f"## Per {word} ({e.main.name})", slices_table(rows)]
    if e.mistakes:
        parts += ["## Most confident mistakes", _mistakes(e)]
    parts += ["## Identity", _identity(e)]
    return "\n\n".join(parts) + "\n"


def protocols_table(evaluation: Evaluation) -> str:
    """Every metric under every protocol."""
    names = list(evaluation.protocols)
    rows = [
        [WORDS[m], *(str(evaluation.protocols[n].overall.metrics[m]) for n in names)]
        for m in METRICS
        if m != "recall" and any(m in evaluation.protocols[n].overall.metrics for n in names)
    ]
    return table(["", *names], rows)


def slices_table(slices: Sequence[Slice]) -> str:
    """One row per slice; ranking metrics set against all real images are marked with an asterisk."""
    rows = [
        [
            s.name,
            str(s.real),
            str(s.generated),
            *(slice_cell(s, metric) for metric in SLICE_METRICS),
        ]
        for s in slices
    ]
    made = table(["", "real", "generated", *(WORDS[m] for m in SLICE_METRICS)], rows)
    if any(s.compared_with == "all real" for s in slices):
        made += "\n\n\\* these generated images against all real images"
    return made


def slice_cell(part: Slice, metric: str) -> str:
    """A figure of a slice with its interval, marked where it was set against all real images."""
    text = str(part.metrics.get(metric, Estimate(None)))
    starred = part.compared_with == "all real" and metric in ("roc_auc", "tpr_at_fpr_5")
    return f"{text}*" if starred and text != "–" else text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars and line breaks in cells are made harmless."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(" ".join(c.split()).replace("|", "\\|") for c in cells) + " |"

    return "\n".join([line(head), line(["---"] * len(head)), *(line(r) for r in rows)])


def _verdicts(e: Evaluation) -> str:
    rows = []
    for name, result in e.protocols.items():
        for truth, counts in (
            ("real", result.verdicts.real),
            ("generated", result.verdicts.generated),
        ):
            total = max(1, sum(counts.values()))
            rows.append([name, truth, *(f"{n} ({n / total:.1%})" for n in counts.values())])
    return table(["protocol", "truth", "called real", "inconclusive", "called generated"], rows)


def _thresholds(result: ProtocolResult) -> str:
    rows = [
        [t.name, f"{t.score:.4f}", f"{t.stated_fpr:.1%}", str(t.fpr), str(t.tpr)]
        for t in result.thresholds
    ]
    return table(["threshold", "score", "stated FPR", "FPR here", "TPR here"], rows)


def _mistakes(e: Evaluation) -> str:
    rows = [
        ["real" if m.label == 0 else "generated", f"{m.score:.3f}", m.generator, m.dataset, m.name]
        for m in e.mistakes
    ]
    return table(["truth", "score", "generator", "data set", "image"], rows)


def _identity(e: Evaluation) -> str:
    rows = [
        ["detector", f"{e.detector.name} {e.detector.version}".strip()],
        ["weights and preprocessing", e.detector.identity or "unknown"],
        [
            "decision",
            f"generated from {e.detector.threshold:.4f}, real below {e.detector.real_below:.4f}",
        ],
        ["manifest SHA-256", e.data.sha256],
        ["libraries", ", ".join(f"{k} {v}" for k, v in e.settings.libraries.items())],
    ]
    return table(["", ""], rows)
