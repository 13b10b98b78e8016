"""Protocols: what is done to both classes before they are scored, so that files cannot tell.

A detector can look strong because the generated images of a collection are PNG and its photographs
JPEG. Three protocols are measured side by side:

``raw``      images as they are stored.
``matched``  every image is saved once more as JPEG quality 90 (4:2:0), and the classes are weighted
             to the same distribution over size bands. Removes the container, the last compression
             and size as clues. Photographs that were JPEG are now compressed twice, images that
             were lossless once: a trace remains.
``history``  as matched, but an image stored losslessly, or as JPEG of quality 97 and more, is first
             given a JPEG of its own: quality and chroma subsampling drawn, seeded by the image's
             content, from those of the evaluated images that are JPEG. Then *every* image gets the
             quality-90 JPEG on an 8 x 8 grid moved by a random 0..7 pixels each way. Without the
             move the photographs' two grids would lie on each other always, the others' too; with
             it both classes show two compressions on unrelated grids. Removes double compression as
             a clue; costs the traces that one more compression destroys.

What none of them can remove: that real and generated images show different things (content), were
resized by different programs, or were compressed more than once before they were collected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from authentiscan.core.errors import UsageError
from authentiscan.core.types import RGBImage
from authentiscan.images import degrade
from authentiscan.images.degrade.codecs import jpeg
from authentiscan.images.history import JpegHistory
from authentiscan.manifest.history import observe_history
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.ranking import Floats

QUALITY = 90
NAMES = ("raw", "matched", "history")
_NOTHING = degrade.Chain()


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is done to every image before it is scored.

    chain: degradations, drawn per image, done last. history: images without a JPEG generation get
    one of it, before all get quality `QUALITY` on a grid moved at random; None for neither.
    size_matched: results weight both classes to the same sizes.
    """

    name: str
    chain: degrade.Chain = _NOTHING
    history: JpegHistory | None = None
    size_matched: bool = False

    @property
    def key(self) -> str:
        """Text that is equal exactly where the same is done to pixels."""
        return f"{self.chain};first={self.history.listed() if self.history else ()}"

    def then(self, name: str, chain: str) -> Protocol:
        """The same protocol, called ``name``, with the steps of ``chain`` after its own."""
        steps = self.chain.stages + degrade.parse(chain).stages
        return replace(self, name=name, chain=degrade.Chain(steps))

    def __call__(self, pixels: RGBImage, lossless: bool, rng: np.random.Generator) -> RGBImage:
        """Apply it to pixels (H, W, 3) uint8; ``lossless`` as `needs_history` says."""
        if self.history is not None:
            # Drawn for every image, used or not: the stream must not depend on the format.
            quality, subsampling = self.history.draw(rng)
            x, y = (int(v) for v in rng.integers(0, 8, size=2))
            if lossless:
                pixels = jpeg(pixels, quality, subsampling)
            moved = np.pad(pixels, ((y, 0), (x, 0), (0, 0)), mode="symmetric")
            pixels = jpeg(moved, QUALITY, "4:2:0")[y:, x:]
        return self.chain(pixels, rng)[0] if self.chain.stages else pixels


RAW = Protocol("raw")
MATCHED = Protocol(
    "matched", degrade.parse(f"jpeg:quality={QUALITY},subsampling=4:2:0"), size_matched=True
)


def named(text: str, manifest: Manifest | None = None) -> Protocol:
    """The protocol called ``raw``, ``matched`` or ``history``, or a degradation chain's text.

    manifest: the evaluated images, whose JPEG generations `history` draws from; the usual ones
    without it. A chain is applied to both classes, with sizes matched. Raises UsageError for
    anything else.
    """
    if text == "history":
        observed = JpegHistory() if manifest is None else observe_history(manifest)
        # A hundred and one entries: the same mix, a short key.
        return Protocol("history", history=observed.condensed(), size_matched=True)
    for known in (RAW, MATCHED):
        if text == known.name:
            return known
    try:
        return Protocol(text, degrade.parse(text), size_matched=True)
    except UsageError as error:
        raise UsageError(f"protocol {text!r} is none of {NAMES} and no chain: {error}") from error


def matched_weights(labels: ArrayLike, bands: Sequence[str | None]) -> Floats | None:
    """Weights (N,) under which both classes have the same distribution over ``bands`` (N,).

    Bands of one class get weight 0. In the others class c weighs min(n0, n1) / n_c an image, so
    the scarcer class counts fully and the other no more than it; rows without a band count in one
    of their own. Both classes end with equal total weight. None where no band has both classes.
    """
    y = np.asarray(labels)
    weights = np.zeros(len(y))
    names = np.asarray([str(b) for b in bands])
    for band in np.unique(names):
        real, generated = (names == band) & (y == 0), (names == band) & (y == 1)
        scarcer = min(real.sum(), generated.sum())
        if scarcer:
            weights[real], weights[generated] = scarcer / real.sum(), scarcer / generated.sum()
    return weights if weights.any() else None
