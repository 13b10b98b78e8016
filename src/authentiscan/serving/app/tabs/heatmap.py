"""Where the score comes from, beside the picture."""

from __future__ import annotations

import streamlit as st

from authentiscan.explain import Target
from authentiscan.explain.colours import table
from authentiscan.explain.overlay import overlay
from authentiscan.serving.app.html import put
from authentiscan.serving.app.tabs.shown import Shown

_TARGETS: dict[str, Target] = {"generated": "generated", "a photograph": "real"}


def show(shown: Shown) -> None:
    """The picture, and the same with the heatmap over it."""
    left, right = st.columns(2)
    with left:
        wish = st.segmented_control(
            "Evidence for", list(_TARGETS), default="generated", required=True, key="target"
        )
    with right:
        percent = st.slider("Opacity of the heatmap, %", 0, 100, 55, 5, key="opacity")
    target = _TARGETS[wish or "generated"]
    found = shown.detail(target)
    seen = overlay(found.picture, found.values, opacity=percent / 100, covered=found.covered)
    left, right = st.columns(2)
    left.image(found.picture, caption="The image", alt="the image", width="stretch")
    right.image(
        seen,
        caption=f"What speaks for {wish}",
        alt=f"heatmap of the evidence for {wish} over the image",
        width="stretch",
    )
    colours = [f"#{bytes(colour).hex()}" for colour in table("inferno")[::32]]
    put("heatmap.html", colours=colours, empty=found.strongest <= 0, strongest=found.strongest)
