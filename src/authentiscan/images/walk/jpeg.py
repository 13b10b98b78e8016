"""JPEG: what its markers say of size, tables and scans, and the metadata in its segments."""

from __future__ import annotations

import re
import struct

from authentiscan.core.errors import CorruptImageError, ImageLimitError
from authentiscan.images.walk.jpeg_header import JpegHeader
from authentiscan.images.walk.photoshop import resources
from authentiscan.images.walk.record import MAX_BLOCK, Walk, number

MAX_SEGMENTS = 20_000
MAX_SCANS = 100  # a progressive file has about ten; thousands are a way to burn processor time

XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_FRAME_MARKERS = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
_BARE_MARKERS = frozenset(range(0xD0, 0xD9)) | {0x01}
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def read_header(data: bytes) -> JpegHeader:
    """The header of ``data`` alone.

    Raises CorruptImageError where there is no frame header, ImageLimitError where there are
    absurdly many segments or scans. A file cut short later passes: the decoder judges that.
    """
    into = Walk("JPEG", memoryview(data))
    walk(into)
    if into.refusal is not None:
        raise into.refusal
    return into.jpeg or JpegHeader()


def walk(into: Walk) -> None:
    """Step through the markers to the end-of-image marker; metadata stands before the first scan.

    Raises ImageLimitError where there are absurdly many segments or scans.
    """
    header = into.jpeg = JpegHeader()
    gathered = _Gathered()
    try:
        _markers(into, header, gathered)
    finally:
        gathered.finish(into)
    into.width, into.height, into.frames = header.width, header.height, header.images
    into.format = "MPO" if header.images > 1 else "JPEG"
    if not header.scans:
        into.problem("JPEG ends before its first scan")
    if not header.components:
        what = "JPEG without a frame header: the file is truncated or broken"
        into.refuse(CorruptImageError(what))
    elif header.precision != 8 or header.frame_marker not in _DECODED:
        coding = _CODINGS.get(header.frame_marker, "JPEG")
        into.variant = f"{coding} of {header.precision} bits a sample"
    elif header.height == 0:
        into.variant = "JPEG that tells its height behind its pixels"


_DECODED = frozenset({0xC0, 0xC1, 0xC2})
_CODINGS = {0xC3: "lossless JPEG", 0xF7: "JPEG-LS"}
_CODINGS |= dict.fromkeys((0xC5, 0xC6, 0xC7), "hierarchical JPEG")
_CODINGS |= dict.fromkeys((0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF), "arithmetic-coded JPEG")


def _markers(into: Walk, header: JpegHeader, gathered: _Gathered) -> None:
    data, position, segments = into.data, 2, 0
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            if not header.scans:
                into.problem("JPEG structure broken: no marker where one must stand")
            found = _AFTER_SCAN.search(data, position + 1)
            if found is None:
                return
            position = found.start()
            continue
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _BARE_MARKERS or marker == 0:
            position += 2
            continue
        if marker == 0xD9:
            return
        length = max(2, number(data, position + 2, 2))
        segments += 1
        if segments > MAX_SEGMENTS:
            raise ImageLimitError(f"JPEG with more than {MAX_SEGMENTS:,} segments")
        body = data[position + 4 : position + 2 + length]
        if len(body) < length - 2 and not header.scans:
            into.problem("JPEG segment is cut off")
        _segment(into, header, marker, body)
        if not header.scans:
            gathered.segment(into, marker, body)
        position += 2 + length
        if marker == 0xDA:
            found = _AFTER_SCAN.search(data, position)
            position = found.start() if found else len(data)


def _segment(into: Walk, header: JpegHeader, marker: int, body: memoryview) -> None:
    if marker in _FRAME_MARKERS and not header.components and len(body) >= 6:
        header.frame_marker = marker
        header.precision, header.height, header.width, count = struct.unpack(">BHHB", body[:6])
        header.components = [
            (body[at], body[at + 1] >> 4, body[at + 1] & 15, body[at + 2])
            for at in range(6, min(len(body) - 2, 6 + 3 * count), 3)
        ]
    elif marker == 0xDB and header.scans == 0:
        _quantisation(header, body)
    elif marker == 0xDA:
        header.scans += 1
        if header.scans > MAX_SCANS:
            raise ImageLimitError(
                f"JPEG with more than {MAX_SCANS} scans; photographs have about ten"
            )
    elif 0xE0 <= marker <= 0xEF or marker == 0xFE:
        into.metadata += len(body)
        if marker == 0xE2 and bytes(body[:4]) == b"MPF\0":
            header.images = max(1, _pictures(bytes(body[4:])))
        elif marker == 0xEE and bytes(body[:5]) == b"Adobe" and len(body) >= 12:
            header.adobe_transform = body[11]


def _quantisation(header: JpegHeader, body: memoryview) -> None:
    at = 0
    while at < len(body):
        wide, table = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        steps = body[at + 1 : at + 1 + size]
        if len(steps) < size:
            return
        header.tables[table] = struct.unpack(">64H" if wide else ">64B", steps)
        at += 1 + size


def _pictures(index: bytes) -> int:
    """NumberOfImages of a CIPA multi-picture index; 0 where it cannot be read."""
    order = {b"II": "<", b"MM": ">"}.get(index[:2])
    if order is None or len(index) < 10:
        return 0
    start: int = struct.unpack(order + "I", index[4:8])[0]
    if start + 2 > len(index):
        return 0
    entries: int = struct.unpack(order + "H", index[start : start + 2])[0]
    for entry in range(min(entries, 64)):
        raw = index[start + 2 + 12 * entry : start + 14 + 12 * entry]
        if len(raw) == 12:
            tag, _, _, value = struct.unpack(order + "HHII", raw)
            if tag == 0xB001:
                return int(value)
    return 0


class _Gathered:
    """Metadata that may be spread over several segments, put together in `finish`."""

    def __init__(self) -> None:
        self._exif: list[memoryview] = []
        self._photoshop: list[memoryview] = []
        self._profile: dict[int, memoryview] = {}
        self._more: dict[bytes, tuple[int, dict[int, memoryview]]] = {}

    def segment(self, into: Walk, marker: int, body: memoryview) -> None:
        """File one segment's body under what it holds."""
        if marker == 0xFE:
            into.keep("text", body, "JPEG comment", "comment")
        elif marker == 0xE1:
            self._app1(into, body)
        elif marker == 0xE2 and bytes(body[:12]) == b"ICC_PROFILE\0" and len(body) > 14:
            self._profile.setdefault(body[12], body[14:])
        elif marker == 0xEB and bytes(body[:2]) == b"JP":
            into.keep("c2pa", body, "JPEG segments")
        elif marker == 0xED and bytes(body[: len(_PHOTOSHOP)]) == _PHOTOSHOP:
            self._photoshop.append(body[len(_PHOTOSHOP) :])

    def finish(self, into: Walk) -> None:
        """Keep what was gathered."""
        if self._exif:
            into.keep("exif", _joined(self._exif), "JPEG segments")
        if self._photoshop:
            resources(_joined(self._photoshop), into)
        if self._profile:
            into.keep("icc", _joined([part for _, part in sorted(self._profile.items())]), "JPEG")
        for full, parts in self._more.values():
            packet = _joined([parts[offset] for offset in sorted(parts)])
            if len(packet) < full:
                into.problem(f"extended XMP is cut short: {len(packet):,} of {full:,} bytes")
            into.keep("xmp", packet, "JPEG segments")

    def _app1(self, into: Walk, body: memoryview) -> None:
        head = bytes(body[:40])
        if head.startswith(b"Exif\0"):
            content = body[6:]
            # A segment holds 64 KB. What goes on from the one before has no byte order of its own.
            if self._exif and bytes(content[:4]) in (b"II*\0", b"MM\0*"):
                into.keep("exif", _joined(self._exif), "JPEG segments")
                self._exif = []
            self._exif.append(content)
        elif head.startswith(XMP_MARK):
            into.keep("xmp", body[len(XMP_MARK) :], "JPEG segments")
        elif head.startswith(_XMP_MORE):
            # 32 bytes of digest, then the full length and this part's offset.
            more = body[len(_XMP_MORE) :]
            if len(more) < 40:
                into.problem("extended XMP is cut short")
                return
            full = number(more, 32, 4)
            if full > MAX_BLOCK:
                into.problem(f"extended XMP is over {MAX_BLOCK // 2**20} MB and was not read")
                return
            parts = self._more.setdefault(bytes(more[:32]), (full, {}))[1]
            parts[number(more, 36, 4)] = more[40:]


def _joined(parts: list[memoryview]) -> memoryview:
    return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
