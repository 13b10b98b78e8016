"""The page from top to bottom."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import streamlit as st

from authentiscan.core.errors import AuthentiscanError
from authentiscan.serving.app import settings, upload
from authentiscan.serving.app.batch import show_batch, show_downloads
from authentiscan.serving.app.html import ASSETS, put
from authentiscan.serving.app.judging import judge_missing
from authentiscan.serving.app.settings import Settings
from authentiscan.serving.app.sheet import show_sheet
from authentiscan.serving.app.state import Session, session
from authentiscan.serving.app.tabs import Shown, show_tabs
from authentiscan.serving.app.verdict import WORDS, kind_of, show_verdict

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def show() -> None:
    """Make the page for the visitor's present state."""
    st.set_page_config(page_title="authentiscan", page_icon="🔍", layout="wide")
    st.html(ASSETS / "page.css")
    chosen, mine = settings.current(), session()
    put("header.html")
    given = upload.files(chosen)
    names = _detectors(chosen)
    with st.container(horizontal=True):
        label = f"Analyze {len(given)} images" if len(given) > 1 else "Analyze"
        if st.button(label, type="primary", disabled=not given or not names, key="analyze"):
            mine.take(given)
        if mine.images and st.button("Start over", key="clear", on_click=upload.clear):
            st.rerun()
    put("privacy.html", local=chosen.local)
    if not mine.images and not given:
        upload.empty()
    if mine.images and names and _judged(mine, names, chosen):
        _results(mine, names, chosen)
    put("footer.html", version=version("authentiscan"), detectors=names)


def _detectors(chosen: Settings) -> list[str]:
    """The detectors that shall judge: the only one, or those that the visitor picks."""
    offered = chosen.detectors.names
    if len(offered) == 1:
        return list(offered)
    picked = st.multiselect(
        "Detectors",
        offered,
        default=offered[:1],
        key="detectors",
        placeholder="choose at least one",
        help="With several, each judges every image, and you see where they disagree.",
    )
    return list(picked)


def _judged(mine: Session, names: list[str], chosen: Settings) -> bool:
    """Judge what is not judged yet, with progress; False where a detector cannot be used."""
    place = st.empty()
    for name in filter(mine.missing, names):
        bar = place.progress(0.0, f"{name}: judging {mine.images[0].name}")
        try:
            judge_missing(
                mine, name, chosen.detectors.get(name), chosen, partial(_advance, bar, name)
            )
        except AuthentiscanError as error:
            st.error(f"The detector {name} cannot be used: {error}")
            return False
    place.empty()
    return True


def _advance(bar: DeltaGenerator, name: str, done: int, of: int, last: str) -> None:
    bar.progress(done / of, f"{name}: {done} of {of} judged, last {last}")


def _results(mine: Session, names: list[str], chosen: Settings) -> None:
    name = names[0]
    if len(names) > 1:
        st.session_state.setdefault("leading", names[0])
        if st.session_state["leading"] not in names:
            st.session_state["leading"] = names[0]
        name = (
            st.segmented_control("Verdicts and details by", names, required=True, key="leading")
            or names[0]
        )
    if len(mine.images) > 1:
        show_batch(mine, names, name)
    _one(mine, names, name, chosen)
    st.header("Results to keep", anchor=False)
    show_downloads(mine, name, chosen.detectors.get(name).spec.limits)


def _one(mine: Session, names: list[str], name: str, chosen: Settings) -> None:
    """One image: picture, verdict, what the other detectors say, tabs."""
    place = 0
    if len(mine.images) > 1:
        if st.session_state.get("place", 0) >= len(mine.images):
            st.session_state["place"] = 0
        place = st.selectbox(
            "Image to look at",
            range(len(mine.images)),
            format_func=lambda place: f"{place + 1}. {mine.images[place].name}",
            key="place",
        )
    detector = chosen.detectors.get(name)
    result = mine.results[place, name]
    shown = Shown(place, name, detector, result.report, mine, chosen)
    with st.container(key="one"):
        left, right = st.columns([2, 3], gap="medium")
    with right:  # first, as the picture costs a second look at the file
        seen, spec = result.report.image, detector.spec
        rule = spec.decision_for(seen.height, seen.width) if seen else spec.decision
        show_verdict(result.report, rule)
        others = [(other, mine.results[place, other].report) for other in names if other != name]
        if others:
            put("others.html", others=[(o, kind_of(r), r.score) for o, r in others], words=WORDS)
    if result.report.verdict is not None:
        picture = shown.detail().picture
        left.image(picture, caption=shown.upload.name, alt="the image", width="stretch")
        with right:
            show_sheet(shown)
        show_tabs(shown)
