"""Raw scores, crops, timings, and the report as programs get it."""

from __future__ import annotations

import streamlit as st

from authentiscan.analysis.report import ModelInfo
from authentiscan.serving.app.details import with_crops
from authentiscan.serving.app.html import pairs, table
from authentiscan.serving.app.tabs.shown import Shown

_TIMES = {
    "decode_ms": "Reading and decoding",
    "model_ms": "The detector",
    "provenance_ms": "Reading what the file says",
    "stability_ms": "Judging changed copies",
    "total_ms": "All",
}


def show(shown: Shown) -> None:
    """Numbers behind the verdict."""
    report, found = shown.report, shown.detail()
    score = found.prediction.score
    left, right = st.columns(2)
    with left:
        pairs(
            [
                ("Score, calibrated", f"{score:.4f}"),
                ("Score before calibration", f"{found.prediction.raw_score:.4f}"),
                ("Probability of generated", f"{100 * score:.1f} %"),
                ("Probability of real", f"{100 * (1 - score):.1f} %"),
                ("The pixels alone say", report.pixel_verdict),
                ("Rule that decided", report.rule),
                ("Spread of the crops", f"{report.spread:.4f}"),
            ],
            "Scores",
        )
    with right:
        times = [(_TIMES.get(k, k), f"{v:,.0f} ms") for k, v in report.timings.items()]
        named = _model(report.model) if report.model else []
        pairs([*times, *named], "Timings and detector")
    whole = report.image.width if report.image else found.picture.shape[1]
    left, right = st.columns(2)
    left.image(
        with_crops(found.picture, report.crops, whole),
        caption="Crops that the detector read, with their scores",
        alt="the image with the places of the crops",
        width="stretch",
    )
    with right:
        rows = [
            (n, f"{c.left}, {c.top}", f"{c.width} × {c.height}", f"{c.score:.4f}")
            for n, c in enumerate(report.crops, start=1)
        ]
        table(["crop", "left, top", "pixels", "score"], rows, "Crops")
    with st.expander("The report as JSON"):
        st.json(report.json_line(), expanded=1)


def _model(model: ModelInfo) -> list[tuple[str, str]]:
    return [
        ("Detector", f"{model.name} {model.version}"),
        ("Architecture", model.architecture),
        ("SHA-256 of the detector", model.sha256 or "not known"),
    ]
