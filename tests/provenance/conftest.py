"""Makers of small real files with metadata."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

PIXELS = np.random.default_rng(7).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def png_chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


@pytest.fixture(scope="session")
def make() -> Callable[..., bytes]:
    """Encode a small picture: ``make("PNG", texts={...}, exif={tag: value}, xmp="...")``."""

    def encode(
        kind: str,
        *,
        texts: dict[str, str] | None = None,
        exif: dict[int, Any] | None = None,
        xmp: str | None = None,
        comment: str | None = None,
    ) -> bytes:
        buffer = io.BytesIO()
        options: dict[str, Any] = {}
        if texts:
            info = PngImagePlugin.PngInfo()
            for key, value in texts.items():
                info.add_itxt(key, value) if not value.isascii() else info.add_text(key, value)
            options["pnginfo"] = info
        if exif:
            block = Image.Exif()
            inner = block.get_ifd(0x8769)
            for tag, value in exif.items():
                (inner if (tag >= 33434 and tag < 40000) or tag > 41000 else block)[tag] = value
            # Pillow drops a record without main entries, and TIFF takes no finished block.
            options["exif"] = block if kind == "TIFF" else block.tobytes()
        if xmp is not None:
            options["xmp"] = xmp.encode()
        if comment is not None:
            options["comment"] = comment
        Image.fromarray(PIXELS).save(buffer, kind, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def samples(shared_data: Path) -> Path:
    """The folder of real files with their truth table."""
    return shared_data / "provenance"
