"""What the endings of file names promise; the first bytes alone say what a file is."""

from __future__ import annotations

import os
from pathlib import PurePath

IMAGE_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".tif", ".tiff"}
    | {".bmp", ".gif", ".heic", ".heif", ".hif"}
)
"""Files that are called so are meant to be images, and a failure where they are not."""

VIDEO_ENDINGS = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts"}
    | {".mpg", ".mpeg", ".vob", ".flv", ".ogv", ".wmv", ".asf"}
)
"""Files that are called so are meant to be videos."""

RAW_ENDINGS = frozenset(
    {".3fr", ".arw", ".cr2", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".nef", ".nrw"}
    | {".orf", ".pef", ".rw2", ".rwl", ".sr2", ".srf", ".srw"}
)
"""Camera raw files that begin as a TIFF does."""


def ending(name: str | os.PathLike[str]) -> str:
    """The last ending of a name, in small letters, with its dot; empty where there is none."""
    return PurePath(name).suffix.lower()
