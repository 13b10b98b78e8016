"""Whole journeys as one step: a screenshot, and what sharing services do to an upload."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authentiscan.core.types import RGBImage
from authentiscan.images.degrade.codecs import jpeg, webp
from authentiscan.images.degrade.geometry import KERNEL, fit, resize
from authentiscan.images.degrade.registry import Parameter, register
from authentiscan.images.degrade.signal import tone


@dataclass(frozen=True, slots=True)
class Service:
    """A way of sharing: the longest side it allows, and its codec."""

    side: int
    codec: str
    subsampling: str = "4:2:0"


# Typical settings of kinds of services, not claims on any company's present pipeline.
SERVICES = {
    "messenger": Service(side=1600, codec="jpeg"),
    "feed": Service(side=1080, codec="jpeg"),
    "microblog": Service(side=2048, codec="jpeg", subsampling="4:4:4"),
    "preview": Service(side=600, codec="jpeg"),
    "cdn": Service(side=1200, codec="webp"),
}


@register(
    "social",
    "what a sharing service does: shrink to its longest side, compress",
    Parameter("kind", "messenger/feed/microblog/cdn", "of service", allowed=tuple(SERVICES)),
    Parameter("quality", "70..85", "of the codec", low=1, high=100, integer=True),
    Parameter("kernel", "bilinear/bicubic/lanczos", "of the shrinking", allowed=KERNEL.allowed),
    keeps_size=False,
)
def social(pixels: RGBImage, kind: str, quality: int, kernel: str) -> RGBImage:
    """(H, W, 3) uint8 -> its longest side at most that of service ``kind``, compressed once."""
    service = SERVICES[kind]
    smaller = fit(pixels, service.side, kernel)
    if service.codec == "webp":
        return webp(smaller, quality)
    return jpeg(smaller, quality, service.subsampling)


@register(
    "screenshot",
    "shown at another size, cut by hand, part of the window around it, colours of a screen",
    Parameter("scale", "0.5..1.3", "screen pixels / image pixels", low=0.05, high=4),
    KERNEL,
    Parameter("cut", "0..0.04", "share cut off each side", low=0, high=0.45),
    Parameter("bar", "0..0.08", "height of a window bar above, share of the height", low=0, high=1),
    Parameter("level", "0..255", "grey of that bar", low=0, high=255, integer=True),
    Parameter("gamma", "0.96..1.04", "of the screen", low=0.5, high=2),
    Parameter("warmth", "-0.02..0.02", "red up and blue down", low=-0.3, high=0.3),
    keeps_size=False,
)
def screenshot(
    pixels: RGBImage,
    *,
    scale: float,
    kernel: str,
    cut: float,
    bar: float,
    level: int,
    gamma: float,
    warmth: float,
) -> RGBImage:
    """(H, W, 3) uint8 -> the image as a screenshot would show it.

    The result would be saved as PNG, which keeps every pixel, so no codec is applied.
    """
    shown = resize(pixels, scale, kernel)
    rows, columns = int(shown.shape[0] * cut), int(shown.shape[1] * cut)
    shown = shown[rows : shown.shape[0] - rows, columns : shown.shape[1] - columns]
    shown = tone(shown, gamma, (1.0 + warmth, 1.0, 1.0 - warmth))
    strip = np.full((round(shown.shape[0] * bar), shown.shape[1], 3), level, dtype=np.uint8)
    return np.concatenate([strip, shown], axis=0)
