"""How images come to the page: dropped, chosen, pasted, or one of two examples."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import streamlit as st

from authentiscan.images.endings import IMAGE_ENDINGS
from authentiscan.serving.app.html import ASSETS, put
from authentiscan.serving.app.settings import MEGABYTE, Settings
from authentiscan.serving.app.state import Upload, session

_HEIC = {".heic", ".heif", ".hif"}
_BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Example:
    """A picture of our own that ships with the page."""

    file: str
    title: str
    text: str


EXAMPLES = (
    Example("photograph.jpg", "A photograph", "Espresso, by Rachel Michetti (CC0)."),
    Example(
        "generated.jpg",
        "A generated image",
        "Drawn by a small neural network of ours, and its metadata says so.",
    ),
)


def endings() -> list[str]:
    """Endings of the files that may be chosen; HEIC where its extra is installed."""
    left_out = set() if importlib.util.find_spec("pillow_heif") else _HEIC
    return sorted(ending.removeprefix(".") for ending in IMAGE_ENDINGS - left_out)


def files(settings: Settings) -> list[Upload]:
    """The files that lie in the uploader, in their order."""
    heic = ", HEIC" if "heic" in endings() else ""
    most = settings.limits.bytes // MEGABYTE
    given = st.file_uploader(
        f"Images: JPG, PNG, WebP, AVIF, TIFF{heic}, up to {most} MB each",
        type=endings(),
        accept_multiple_files=True,
        key=f"files-{st.session_state.get(_BATCH, 0)}",
        max_upload_size=most,
    )
    st.html(ASSETS / "paste.html", unsafe_allow_javascript=True)
    return [Upload.of(file.name, file.getvalue()) for file in given]


def clear() -> None:
    """Take away all images and results."""
    st.session_state[_BATCH] = st.session_state.get(_BATCH, 0) + 1
    session().take(())


def empty() -> None:
    """What stands where no image is there yet: two to try."""
    put("empty.html")
    for column, example in zip(st.columns(2), EXAMPLES, strict=True):
        with column, st.container(border=True):
            st.image(
                ASSETS / example.file, caption=example.text, alt=example.title, width="stretch"
            )
            if st.button(f"Try: {example.title.lower()}", key=example.file, width="stretch"):
                session().take([of_example(example)])
                st.rerun()


def of_example(example: Example) -> Upload:
    """The example as if it had been uploaded."""
    return Upload.of(example.file, (ASSETS / example.file).read_bytes())
