"""The facts that must not tell the label, as one row of numbers an image, in named groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from authentiscan.checks.audit.borders import BORDER_NAMES, border_facts
from authentiscan.checks.audit.traces import (
    GRID_NAMES,
    RESAMPLING_NAMES,
    grid_traces,
    resampling_traces,
)
from authentiscan.checks.verify.sweep import Item
from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.types import DecodedImage, RGBImage
from authentiscan.images.decode import decode, encode
from authentiscan.images.degrade import AppliedSteps, Chain, image_rng, replay

GROUPS: dict[str, tuple[str, ...]] = {
    "format": ("format_jpeg", "format_png", "format_webp"),
    "size": ("width", "height", "aspect", "sides_multiple_of_8", "sides_multiple_of_64"),
    "bytes": ("bytes_per_pixel",),
    "jpeg": ("jpeg_quality", "jpeg_444", "jpeg_422", "jpeg_420", "jpeg_own_tables"),
    "metadata": ("exif", "xmp", "icc"),
    "border": BORDER_NAMES,
    "grid": GRID_NAMES,
    "resampling": RESAMPLING_NAMES,
}
FILE_GROUPS = ("format", "size", "bytes", "jpeg", "metadata")
PIXEL_GROUPS = ("border", "grid", "resampling")
NAMES = tuple(name for group in GROUPS.values() for name in group)
COLUMN = {name: i for i, name in enumerate(NAMES)}


@dataclass(frozen=True, slots=True)
class Source:
    """What a table knows of an image whose published file was not kept: its format and size."""

    format: str | None = None
    width: int | None = None
    height: int | None = None
    repacked: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Features (len(NAMES),) of one image, or the reason why there are none."""

    row: int
    values: NDArray[np.float32] | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """Worker of the audit's pass. ``after``: a chain every image goes through first, as text."""

    sources: dict[int, Source]
    after: str = ""
    seed: int = 0

    def __call__(self, items: list[Item]) -> list[Facts]:
        """Facts of a chunk of images; never raises because of one of them."""
        chain = Chain.parse(self.after)
        return [self._one(row, data, chain) for row, data in items]

    def _one(self, row: int, data: bytes | str, chain: Chain) -> Facts:
        if isinstance(data, str):
            return Facts(row, None, data)
        try:
            image = decode(data)
            source = self.sources.get(row)
            if chain.stages:
                record = chain.draw(image_rng(self.seed, "audit", image.facts.sha256))
                data, source = as_file(image.pixels, record), None
                image = decode(data)
        except AuthentiscanError as error:
            return Facts(row, None, str(error))
        return Facts(row, features(image, data, source or Source()))


def as_file(pixels: RGBImage, record: AppliedSteps) -> bytes:
    """The file that the steps in ``record`` leave of ``pixels`` (H, W, 3) uint8.

    It is the last codec's file where the steps end in one, else PNG.
    """
    *before, last = record or [{"step": "none"}]
    values = dict(last.get("parameters", {}))
    if last["step"] == "jpeg":
        return encode(replay(pixels, before), "JPEG", **values)
    if last["step"] == "webp":
        return encode(replay(pixels, before), "WEBP", **values)
    return encode(replay(pixels, record), "PNG", compress_level=1)


def features(image: DecodedImage, data: bytes, source: Source) -> NDArray[np.float32]:
    """One row of numbers in the order of `NAMES`; NaN where a fact does not apply."""
    return np.concatenate(
        [
            _file_facts(image, data, source),
            border_facts(image.pixels),
            grid_traces(image.pixels),
            resampling_traces(image.pixels),
        ]
    ).astype(np.float32)


def _file_facts(image: DecodedImage, data: bytes, source: Source) -> NDArray[np.float32]:
    facts = image.facts
    width, height = source.width or facts.width, source.height or facts.height
    name = source.format if source.format and source.repacked else facts.format
    jpeg = facts.jpeg_subsampling if name in ("JPEG", "MPO") else None
    is_jpeg = name in ("JPEG", "MPO")
    # Bytes of a table's own lossless copy say nothing of the published file.
    weight = np.nan if source.repacked else facts.bytes / (facts.width * facts.height)
    return np.asarray(
        [
            is_jpeg,
            name == "PNG",
            name == "WEBP",
            width,
            height,
            width / height,
            width % 8 == 0 and height % 8 == 0,
            width % 64 == 0 and height % 64 == 0,
            weight,
            facts.jpeg_quality if is_jpeg and facts.jpeg_quality else np.nan,
            jpeg == "4:4:4",
            jpeg == "4:2:2",
            jpeg == "4:2:0",
            is_jpeg and facts.jpeg_quality is None,
            *_metadata(data, facts.colour_profile is not None),
        ],
        dtype=np.float32,
    )


def _metadata(data: bytes, profile: bool) -> tuple[bool, bool, bool]:
    """Whether the container carries EXIF, XMP and a colour profile, by their signatures."""
    exif = b"Exif\0\0" in data or b"eXIf" in data or b"EXIF" in data
    xmp = b"ns.adobe.com/xap/1.0" in data or b"XML:com.adobe.xmp" in data
    return exif, xmp, profile
