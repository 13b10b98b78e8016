"""Views of the pixels that analysts look at; none is evidence by itself."""

from __future__ import annotations

import streamlit as st

from authentiscan.explain.colours import coloured
from authentiscan.explain.views import error_level, residual, spectrum
from authentiscan.serving.app.html import put
from authentiscan.serving.app.tabs.shown import Shown


def show(shown: Shown) -> None:
    """Residual, spectrum and error level of the image's middle, unscaled."""
    centre = shown.detail().centre
    height, width = centre.shape[:2]
    first, second, third = st.columns(3)
    first.image(
        residual(centre),
        caption="Residual: each pixel minus its neighbours, × 16",
        alt="residual of the image",
        width="stretch",
    )
    second.image(
        coloured(spectrum(centre)),
        caption="Frequencies: low in the middle, high at the edges",
        alt="Fourier spectrum of the image",
        width="stretch",
    )
    third.image(
        error_level(centre),
        caption="Error level: change when saved as JPEG 90, × 15",
        alt="error level of the image",
        width="stretch",
    )
    whole = shown.report.image
    part = whole is not None and (whole.width, whole.height) != (width, height)
    put("views.html", width=width, height=height, part=part)
