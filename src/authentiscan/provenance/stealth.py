"""Parameters hidden in the lowest bits of a PNG's pixels ("stealth PNG info").

The bits run down the columns, from the left: a 15-letter mark, a 32-bit length in bits, then text
or gzip. NovelAI and web-UI extensions write it to the alpha channel. Only as many columns are
unfiltered
as the text needs: a filtered byte depends on its left and upper neighbours of the same channel
alone.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator

from authentiscan.images.walk import png
from authentiscan.images.walk.record import number

MAX_PIXELS = 64_000_000
MAX_BITS = 8 * 2**20
MAX_TEXT = 4 * 2**20
_MARKS = {
    b"stealth_pnginfo": (False, False),
    b"stealth_pngcomp": (False, True),
    b"stealth_rgbinfo": (True, False),
    b"stealth_rgbcomp": (True, True),
}
_MARK_BITS = 15 * 8


def read(data: bytes) -> str | None:
    """The hidden text of a PNG; None where there is none. Raises ValueError where it is broken."""
    if not data.startswith(png.SIGNATURE) or len(data) < 33:
        return None
    width, height = number(data, 16, 4), number(data, 20, 4)
    depth, colour, interlaced = data[24], data[25], data[28]
    if depth != 8 or interlaced or colour not in (2, 6) or not 0 < width * height <= MAX_PIXELS:
        return None
    step = 4 if colour == 6 else 3
    if height >= _MARK_BITS // (3 if step == 3 else 1) and not _begins(data, width, height, step):
        return None  # cheap way out for nearly every PNG: only its first rows were unpacked
    rows = _rows(data, width * step + 1, height)
    for channels in ((3,), (0, 1, 2)) if step == 4 else ((0, 1, 2),):
        text = _text(_Columns(rows, width, height, step, channels))
        if text is not None:
            return text
    return None


def _begins(data: bytes, width: int, height: int, step: int) -> bool:
    """Whether the first column begins with the first letters of a mark."""
    few = min(height, _MARK_BITS)
    rows = _rows(data, width * step + 1, few)
    for channels in ((3,), (0, 1, 2)) if step == 4 else ((0, 1, 2),):
        bits = _Columns(rows, width, few, step, channels).bits()
        if _taken(bits, 8) == b"stealth_":
            return True
    return False


def _rows(data: bytes, stride: int, count: int) -> list[bytes]:
    """The first ``count`` filtered rows, each with its filter byte in front."""
    engine = zlib.decompressobj()
    wanted = stride * count
    out = bytearray()
    at = len(png.SIGNATURE)
    while at + 8 <= len(data) and len(out) < wanted:
        size = number(data, at, 4)
        if data[at + 4 : at + 8] == b"IDAT":
            try:
                out += engine.decompress(data[at + 8 : at + 8 + size], wanted - len(out))
            except zlib.error as error:
                raise ValueError(f"pixel data broken ({error})") from error
        at += 12 + size
    if len(out) < wanted:
        raise ValueError("pixel data ends too early")
    return [bytes(out[i * stride : (i + 1) * stride]) for i in range(count)]


class _Columns:
    """Unfilters chosen channels column by column and gives their lowest bits."""

    def __init__(
        self, rows: list[bytes], width: int, height: int, step: int, channels: tuple[int, ...]
    ) -> None:
        self._rows, self._width, self._height = rows, width, height
        self._step, self._channels = step, channels
        self.compressed = False

    def bits(self) -> Iterator[int]:
        """Bits down the first column, then the second, and so on."""
        left = {channel: [0] * self._height for channel in self._channels}
        for x in range(self._width):
            columns = []
            for channel in self._channels:
                left[channel] = self._column(1 + x * self._step + channel, left[channel])
                columns.append(left[channel])
            if len(columns) == 1:
                yield from (value & 1 for value in columns[0])
            else:
                yield from (v & 1 for values in zip(*columns, strict=True) for v in values)

    def _column(self, at: int, left: list[int]) -> list[int]:
        values, up, corner = [], 0, 0
        for row, before in zip(self._rows, left, strict=True):
            kind, raw = row[0], row[at]
            if kind == 0:
                value = raw
            elif kind == 1:
                value = raw + before & 255
            elif kind == 2:
                value = raw + up & 255
            elif kind == 3:
                value = raw + (before + up >> 1) & 255
            else:
                value = raw + _paeth(before, up, corner) & 255
            values.append(value)
            up, corner = value, before
        return values


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    to_left, to_up, to_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner


def _taken(bits: Iterator[int], count: int) -> bytes:
    """The next ``count`` bytes; fewer where the bits end."""
    out = bytearray()
    for _ in range(count):
        value = size = 0
        for bit in bits:
            value, size = value << 1 | bit, size + 1
            if size == 8:
                break
        if size < 8:
            break
        out.append(value)
    return bytes(out)


def _text(columns: _Columns) -> str | None:
    bits = columns.bits()
    mark = _taken(bits, 15)
    if mark not in _MARKS:
        return None
    length = int.from_bytes(_taken(bits, 4), "big")
    if length > MAX_BITS:
        raise ValueError(f"hidden text states {length} bits, at most {MAX_BITS} are read")
    content = _taken(bits, length // 8)
    if _MARKS[mark][1]:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                content = packed.read(MAX_TEXT)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"hidden text does not unpack ({error})") from error
    return content.decode("utf-8", errors="replace")
