"""What a file is by its first bytes, and why one beside the images is left out."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from authentiscan.images.endings import IMAGE_ENDINGS, RAW_ENDINGS, ending
from authentiscan.images.video import container_of
from authentiscan.images.walk import looks_like_image, signatures
from authentiscan.scan.items import ARCHIVE, TABLE

HEAD_BYTES = 512
ZIP_ENDINGS = (".zip", ".cbz")
ARCHIVE_ENDINGS = (*ZIP_ENDINGS, ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")


def head_of(path: Path) -> bytes:
    """The first bytes of a regular file; none of a pipe or a device, which are never waited for.

    Raises OSError where it cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not stat.S_ISREG(path.stat().st_mode):
        return b""
    with os.fdopen(os.open(path, flags), "rb") as opened:
        return opened.read(HEAD_BYTES) if stat.S_ISREG(os.fstat(opened.fileno()).st_mode) else b""


def is_image(head: bytes, name: str) -> bool:
    """Whether a file is scanned where it is not named itself: by its ending or its first bytes."""
    kind = ending(name)
    return kind in IMAGE_ENDINGS or (kind not in RAW_ENDINGS and looks_like_image(head))


def is_archive(head: bytes) -> bool:
    """Whether the first bytes are those of an archive that can be looked into."""
    return head.startswith((*_ZIPS, *_COMPRESSED)) or head[257:262] == b"ustar"


def is_tar(head: bytes, name: str) -> bool:
    """Whether an archive is a tar, compressed or not; else it is a zip, maybe behind a program."""
    if head.startswith(_ZIPS):
        return False
    seen = head.startswith(_COMPRESSED) or head[257:262] == b"ustar"
    return seen or not name.lower().endswith(ZIP_ENDINGS)


def named_archive(name: str | os.PathLike[str]) -> bool:
    """Whether the name is that of an archive that can be looked into."""
    return os.fspath(name).lower().endswith(ARCHIVE_ENDINGS)


def reason(head: bytes, name: str) -> str:
    """Why a file that was not named itself is left out: what it is, as a noun with its article."""
    if not head:
        return "an empty file"
    if ending(name) in RAW_ENDINGS:
        return "a camera raw file"
    if is_archive(head) and named_archive(name):
        return ARCHIVE
    if container_of(head) is not None:
        return "a video (name it to scan it)"
    return TABLE if head.startswith(b"PAR1") else describe(head)


def describe(head: bytes) -> str:
    """What a file that is no image is, in few words."""
    if looks_like_image(head):
        return f"a {signatures.container(head)} image"
    text = signatures.describe(head).partition(";")[0].partition(" (")[0].partition(":")[0]
    return "a file of another kind" if text.startswith("no known") else text
