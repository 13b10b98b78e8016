"""The detector's model card: limits first, then verdicts, figures and architecture."""

from __future__ import annotations

import streamlit as st

from authentiscan.inference import DetectorSpec
from authentiscan.inference.card import crops_words, input_words, model_card
from authentiscan.inference.recorded_metrics import RecordedMetrics
from authentiscan.metrics.decision import sentences
from authentiscan.serving.app.html import pairs, put, table
from authentiscan.serving.app.tabs.shown import Shown

_FIGURES = {
    "roc_auc": "ROC AUC",
    "balanced_accuracy": "balanced accuracy",
    "tpr_at_fpr_1": "found at 1 % false positives",
    "tpr_at_fpr_5": "found at 5 % false positives",
}


def show(shown: Shown) -> None:
    """What the detector is, how good it was measured to be, and what it cannot do."""
    spec = shown.detector.spec
    put("card.html", spec=spec, sentences=sentences(spec.decision))
    rows = _measured(spec.metrics)
    if rows:
        table(["measured on", *_FIGURES.values()], rows, "Measured performance", note=_INTERVALS)
    pairs(_architecture(spec), "Architecture")
    with st.expander("The whole model card"):
        st.markdown(model_card(spec))


_INTERVALS = "In brackets: 95 % intervals. An empty cell was not measured."


def _measured(metrics: RecordedMetrics, path: str = "") -> list[list[str]]:
    """A row for every part of the test images that has main figures, finer parts left out."""
    figures = [str(metrics.figures[key]) if key in metrics.figures else "" for key in _FIGURES]
    rows = [[path or "all", *figures]] if any(figures) else []
    for name, part in metrics.parts.items():
        if not name.startswith("per_"):
            words = name.replace("_", " ")
            rows += _measured(part, f"{path}, {words}" if path else words)
    return rows


def _architecture(spec: DetectorSpec) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("Name", f"{spec.name} {spec.version}, made {spec.created:%Y-%m-%d}"),
        ("Architecture", spec.architecture_name),
        ("Trained numbers", f"{spec.parameters:,}"),
    ]
    for network in spec.networks:
        rows.append(("Reads", input_words(network.preprocess)))
        rows.append(("Crops", crops_words(network.preprocess)))
    return [*rows, ("Licence", spec.licence)]
