"""BMP: size and coding, by the header that follows the file's own 14 bytes."""

from __future__ import annotations

from authentiscan.core.errors import ImageLimitError
from authentiscan.images.walk.record import Walk, number

HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Sizes of the headers in use; one of them makes ``BM`` a bitmap and not a text."""

_CODINGS = {0: "uncompressed", 1: "run-length coded", 2: "run-length coded", 3: "bit fields"}
_CODINGS |= {4: "JPEG inside", 5: "PNG inside", 6: "bit fields"}
_DEPTHS = frozenset({0, 1, 2, 4, 8, 16, 24, 32, 64})
_LARGEST_RUN_LENGTH = 10_000_000


def walk(into: Walk) -> None:
    """Read the header. Raises ValueError where it is cut off, ImageLimitError by its coding."""
    data, header, coding = into.data, number(into.data, 14, 4, "little"), 0
    if header == 12:
        into.width, into.height = number(data, 18, 2, "little"), number(data, 20, 2, "little")
        depth = number(data, 24, 2, "little")
    else:
        into.width, into.height = (abs(_signed(data, at)) for at in (18, 22))
        depth = number(data, 28, 2, "little")
        coding = number(data, 30, 4, "little") if header > 16 else 0
    if coding in _CODINGS and depth in _DEPTHS:
        into.variant = f"BMP of {depth} bits a pixel, {_CODINGS[coding]}"
    if coding in (1, 2) and into.width * into.height > _LARGEST_RUN_LENGTH:
        raise ImageLimitError(
            f"run-length coded BMP of {into.width}x{into.height} pixels; "
            "at most 10 megapixels are allowed in this coding, save it as PNG"
        )


def _signed(data: memoryview, at: int) -> int:
    value = number(data, at, 4, "little")
    return value - 2**32 if value & 0x8000_0000 else value
