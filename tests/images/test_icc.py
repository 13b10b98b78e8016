"""The name inside a colour profile, whatever the profile's version or damage."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageCms

from authentiscan.images.icc import description


def profile(name: bytes, content: bytes) -> bytes:
    table = struct.pack(">I4sII", 1, name, 144, len(content))
    return b"\0" * 128 + table + content


def ascii_name(text: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0"


def unicode_name(text: str) -> bytes:
    held = text.encode("utf-16-be")
    head = struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(held), 28)
    return b"mluc\0\0\0\0" + head + held


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (profile(b"desc", ascii_name(b"Display P3")), "Display P3"),
        (profile(b"desc", unicode_name("Größe P3")), "Größe P3"),
        (profile(b"desc", ascii_name(b"\x1b[31mred\n")), "[31mred"),
        (profile(b"desc", ascii_name(b"x" * 3000)), "x" * 200),
        (profile(b"desc", ascii_name(b"")), "unnamed"),
        (profile(b"desc", b"what"), "unnamed"),
        (profile(b"cprt", ascii_name(b"Display P3")), "unnamed"),
        (b"short", "unnamed"),
        (b"", None),
    ],
)
def test_names(content: bytes, told: str | None) -> None:
    assert description(content) == told


def test_a_real_profile() -> None:
    real = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    assert description(real.tobytes()) == ImageCms.getProfileDescription(real).strip()


@given(st.binary(max_size=60), st.binary(max_size=200))
def test_any_bytes_give_a_name(head: bytes, tail: bytes) -> None:
    for content in (head, b"\0" * 128 + head + tail, profile(b"desc", b"mluc" + tail)):
        told = description(content)
        assert told is None or told.isprintable()
