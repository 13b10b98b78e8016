"""What stands behind a verdict, one tab a file; a tab is computed when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from authentiscan.serving.app.tabs import (
    card,
    facts,
    generator,
    heatmap,
    origin,
    stability,
    technical,
    views,
)
from authentiscan.serving.app.tabs.shown import Shown

__all__ = ["TABS", "Shown", "show_tabs"]

TABS: Mapping[str, Callable[[Shown], None]] = {
    "Heatmap": heatmap.show,
    "What the file says": origin.show,
    "Stability": stability.show,
    "Likely generator": generator.show,
    "Residual and frequency": views.show,
    "Image facts": facts.show,
    "Technical details": technical.show,
    "Model card": card.show,
}


def show_tabs(shown: Shown) -> None:
    """Put the tabs on the page, the chosen one filled."""
    tabs = st.tabs(list(TABS), key="tabs", on_change="rerun")
    for tab, show in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab:
                show(shown)
