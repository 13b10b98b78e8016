"""Small images for the notebooks to learn from, made of the six photographs in examples/.

Real ones are crops. "Generated" ones are the same crops, made smaller and enlarged again as the
last layers of many decoders do, with a little noise. That is a stand-in: it shows how the tools are
used, and figures on it say nothing about real generators.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

PHOTOGRAPHS = Path(__file__).resolve().parent.parent / "examples" / "photographs"
# Whole photographs apart: crops of one are alike, and would leak from training into the test.
PARTS = {"train": ("astronaut", "cat", "rocket", "temple"), "val": ("coffee",), "test": ("flower",)}


def make(
    folder: Path, *, train: int = 160, others: int = 60, side: int = 96, factor: int = 2
) -> Path:
    """Write ``folder``/{train,val,test}/{real,fake}/NAME.jpg, half of each part real.

    train, others: images of the training part, and of each of the other two. side: pixels, a
    multiple of ``factor``, by which the crops are made smaller and enlarged again.
    """
    rng = np.random.default_rng(0)
    for part, names in PARTS.items():
        for index in range((train if part == "train" else others) // 2):
            name = names[index % len(names)]
            crop = _crop(PHOTOGRAPHS / f"{name}.jpg", side, rng)
            for kind, image in (("real", crop), ("fake", _redrawn(crop, factor, rng))):
                path = folder / part / kind / f"{name}-{index}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                image.save(path, quality=92)  # one encoding for both, or that is what is learned
    return folder


def _crop(path: Path, side: int, rng: np.random.Generator) -> Image.Image:
    with Image.open(path) as photo:
        half = photo.convert("RGB").reduce(2)  # wipes the traces of the photograph's own JPEG
    left, top = (int(rng.integers(length - side)) for length in half.size)
    return half.crop((left, top, left + side, top + side))


def _redrawn(crop: Image.Image, factor: int, rng: np.random.Generator) -> Image.Image:
    enlarged = crop.reduce(factor).resize(crop.size, Image.Resampling.NEAREST)
    smooth = np.asarray(enlarged.filter(ImageFilter.GaussianBlur(0.35 * factor)), np.float32)
    noisy = smooth + rng.normal(0, 2, smooth.shape)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
