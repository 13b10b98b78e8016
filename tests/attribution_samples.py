"""Images of made-up generators, each with a trace of its own in the pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GENERATORS = ("stripes", "dots", "smooth")


def made_by(name: str, rng: np.random.Generator, side: int = 96) -> NDArray[np.uint8]:
    """A picture of random content with the trace of the generator ``name``; `camera`: noise."""
    y, x = np.mgrid[0:side, 0:side]
    colour = rng.uniform(60, 190, 3)
    wave = 25 * np.sin(x / rng.uniform(9, 30) + y / rng.uniform(9, 30) + rng.uniform(0, 6))
    picture = colour + wave[:, :, None]
    if name == "stripes":
        picture = picture + 22 * ((x // 2) % 2)[:, :, None]
    elif name == "dots":
        picture = picture + 60 * ((x % 4 == 0) & (y % 4 == 0))[:, :, None]
    elif name == "squares":
        picture = picture + 22 * (((x // 6) + (y // 6)) % 2)[:, :, None]
    elif name == "camera":
        picture = picture + rng.normal(0, 12, (side, side, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


def write_generators(
    folder: Path, *, images: int = 30, generators: tuple[str, ...] = GENERATORS, real: int = 0
) -> Path:
    """One folder a generator below ``folder``, and ``real`` photographs."""
    for name in (*generators, *(["camera"] if real else [])):
        place = folder / ("real" if name == "camera" else name)
        place.mkdir(parents=True)
        rng = np.random.default_rng(sum(map(ord, name)))
        for number in range(real if name == "camera" else images):
            Image.fromarray(made_by(name, rng)).save(place / f"{number:03}.png")
    return folder
