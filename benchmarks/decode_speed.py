"""Decoding native photographs: `images.decode` against Pillow, and what headers alone cost.

    python benchmarks/decode_speed.py [--images FOLDER] [--count 40] [--rounds 3]

The rival is the usual line, ``ImageOps.exif_transpose(Image.open(path)).convert("RGB")``, as array.
Ours also walks the container, holds it to the limits and takes the SHA-256. Pixels are compared;
times are processor time of one thread, medians of rounds that alternate. Without --images,
photographs of 12 megapixels are made from scikit-image's: plain, turned by EXIF, and with a second
picture behind (MPO), as phones write them.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from authentiscan.images.decode import decode, read_header_facts

Files = dict[str, list[bytes]]


def main() -> None:
    """Time all three, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, default=None)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    files = _chosen(arguments.images, arguments.count) if arguments.images else _made()
    ways: dict[str, Callable[[bytes], Any]] = {
        "Pillow": _pillow,
        "decode": lambda data: decode(data).pixels,
        "headers": read_header_facts,
    }
    print(f"{'':12s} {'files':>6s} {'Mpx':>7s} " + " ".join(f"{w + ' ms/Mpx':>15s}" for w in ways))
    for kind, contents in files.items():
        for data in contents:
            np.testing.assert_array_equal(decode(data).pixels, _pillow(data))
        megapixels = sum(decode(data).pixels.size / 3e6 for data in contents)
        spent = {way: [] for way in ways}  # type: dict[str, list[float]]
        for _ in range(arguments.rounds):
            for way, read in ways.items():
                started = time.thread_time()
                for data in contents:
                    read(data)
                spent[way].append(time.thread_time() - started)
        figures = [statistics.median(times) * 1e3 / megapixels for times in spent.values()]
        row = " ".join(f"{figure:15.2f}" for figure in figures)
        faster = figures[0] / figures[1]
        print(f"{kind:12s} {len(contents):6d} {megapixels:7.1f} {row}   x{faster:.2f}")


def _pillow(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def _chosen(folder: Path, count: int) -> Files:
    """Up to ``count`` of the folder's JPEGs of a megabyte and more, by what decides their speed."""
    found = sorted(path for path in folder.rglob("*.jpg") if path.stat().st_size > 2**20)
    files: Files = {}
    for path in random.Random(0).sample(found, len(found)):
        data = path.read_bytes()
        facts = read_header_facts(data)
        kind = "turned" if facts.orientation_applied else facts.format
        if len(files.setdefault(kind, [])) < count:
            files[kind].append(data)
        if all(len(contents) >= count for contents in files.values()) and len(files) > 2:
            break
    return files


def _made() -> Files:
    from skimage import data

    small = Image.fromarray(np.tile(data.astronaut(), (6, 8, 1))[:3000, :4000])
    turned = Image.Exif()
    turned[0x0112] = 6
    second = {"save_all": True, "append_images": [Image.new("RGB", (320, 240))]}
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "plain": ("JPEG", {}),
        "turned": ("JPEG", {"exif": turned}),
        "MPO": ("MPO", second),
    }
    files: Files = {}
    for kind, (format, options) in kinds.items():
        buffer = io.BytesIO()
        small.save(buffer, format, quality=92, **options)
        files[kind] = [buffer.getvalue()] * 3
    return files


if __name__ == "__main__":
    main()
