"""A bundle's recorded figures, as `models info` and `attribution show` print them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authentiscan.inference.recorded_metrics import RecordedMetrics

_MAIN = ("roc_auc", "balanced_accuracy", "tpr_at_fpr_5")


def metric_lines(
    metrics: RecordedMetrics, path: str = "", *, everything: bool
) -> list[tuple[str, str]]:
    """A line for every part with figures, with its path as title; without ``everything`` only the
    main figures, and none of the parts by data set, generator or format.
    """
    entries = {name: str(figure) for name, figure in metrics.figures.items()}
    texts = (
        {**metrics.facts, **entries}
        if everything
        else {k: entries[k] for k in _MAIN if k in entries}
    )
    line = ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in texts.items())
    found = [(path or "measured", line)] if line else []
    for name, part in metrics.parts.items():
        if everything or not name.startswith("per_"):
            inside = f"{path} / {name}" if path else name
            found += metric_lines(part, inside, everything=everything)
    return found
