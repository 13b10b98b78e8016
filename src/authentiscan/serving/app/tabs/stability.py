"""Whether the verdict holds when the image is stored, scaled or cut a little differently."""

from __future__ import annotations

import streamlit as st

from authentiscan.analysis.report import Stability
from authentiscan.serving.app.html import put
from authentiscan.serving.app.judging import judge_stability
from authentiscan.serving.app.tabs.shown import Shown
from authentiscan.serving.app.verdict import WORDS, zones


def show(shown: Shown) -> None:
    """The trials, or the button that makes them."""
    found = shown.report.stability
    if found is None:
        st.write(
            "Messengers and web sites compress and scale images. A verdict worth standing behind "
            "survives that. The image is judged again after five such changes; where one turns the "
            "verdict round, it becomes inconclusive."
        )
        if st.button("Check stability", key=shown.key("stability"), icon=":material/rule:"):
            with st.spinner("Judging five changed copies…"):
                judge_stability(
                    shown.session, shown.place, shown.name, shown.detector, shown.settings
                )
            st.rerun()
        return
    _show_trials(shown, found)


def _show_trials(shown: Shown, found: Stability) -> None:
    rows = [("as it is", shown.report.score, shown.report.pixel_verdict)]
    rows += [(trial.change, trial.score, trial.verdict) for trial in found.trials]
    put(
        "stability.html",
        rows=rows,
        zones=zones(shown.detector.spec.decision),
        words=WORDS,
        found=found,
    )
