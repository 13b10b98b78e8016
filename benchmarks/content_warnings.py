"""Hit and false rates of the warnings that look at pixels.

python benchmarks/content_warnings.py ../shared/data/web.parquet [--screenshots FOLDER]

Rates of ``screenshot_or_text`` and ``drawing`` on the table's real photographs, and on its
generated
images by style; and on a folder of screenshots, where given, as they are and after JPEG quality 75.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from authentiscan.analysis import content, warnings
from authentiscan.core.errors import DecodeError
from authentiscan.core.types import RGBImage
from authentiscan.images import decode as images


def rows(table: Path) -> Iterator[tuple[str, RGBImage]]:
    """(kind, pixels) of every image that can be read."""
    columns = ["image", "label", "style"]
    for batch in pq.ParquetFile(table).iter_batches(batch_size=64, columns=columns):
        for row in batch.to_pylist():
            kind = "real photographs" if row["label"] == 0 else f"generated, {row['style']}"
            try:
                yield kind, images.decode(row["image"]).pixels
            except DecodeError:
                continue


def screens(folder: Path) -> Iterator[tuple[str, RGBImage]]:
    """The same of a folder of screenshots."""
    for path in sorted(folder.glob("*.png")):
        pixels = images.decode(path).pixels
        yield "screenshots", pixels
        saved = images.encode(pixels, "JPEG", quality=75)
        yield "screenshots, JPEG 75", images.decode(saved).pixels


def main() -> int:
    """Print one row a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--screenshots", type=Path)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    raised: dict[str, Counter[str]] = defaultdict(Counter)
    spent = 0.0
    sources = [rows(arguments.table)]
    if arguments.screenshots:
        sources.append(screens(arguments.screenshots))
    for source in sources:
        for kind, pixels in source:
            started = time.process_time()
            measured = content.measure(pixels)
            found = [*warnings.not_a_photograph(measured), *warnings.padded(pixels)]
            spent += time.process_time() - started
            counts[kind] += 1
            raised[kind].update(code for code, _ in found)
    codes = ("screenshot_or_text", "drawing", "padded")
    print(f"{'kind':24}{'images':>8}" + "".join(f"{code:>20}" for code in codes))
    for kind in sorted(counts):
        shares = "".join(f"{100 * raised[kind][code] / counts[kind]:18.1f} %" for code in codes)
        print(f"{kind:24}{counts[kind]:8}{shares}")
    print(f"{1e3 * spent / sum(counts.values()):.2f} ms of processor time an image")
    return 0


if __name__ == "__main__":
    sys.exit(main())
