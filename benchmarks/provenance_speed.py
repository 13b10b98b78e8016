"""Time of reading provenance per image, against Pillow + sd-parsers + c2pa-python called directly.

python benchmarks/provenance_speed.py ../shared/data/provenance

The rival opens each file with Pillow and runs sd-parsers' manager (generator metadata), reads
EXIF and
XMP by Pillow, and asks c2pa-python for a manifest: the same questions, by the libraries made for
them.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
import warnings
from pathlib import Path

from authentiscan.provenance import Claim, TrustList, inspect


def ours(data: bytes) -> bool:
    """Whether the file claims AI by generator metadata."""
    found = inspect(data, TrustList())
    return any(f.kind == "generator" and f.claim is Claim.AI_GENERATED for f in found.findings)


def rival(data: bytes) -> bool:
    """The same with Pillow, sd-parsers and c2pa-python."""
    import c2pa
    from PIL import Image
    from sd_parsers import ParserManager

    named = False
    try:
        with Image.open(io.BytesIO(data)) as image:
            named = ParserManager().parse(image) is not None
            image.getexif().get_ifd(0x8769)
            image.getxmp()
    except Exception:  # the rival raises on broken files; the time counts all the same
        named = False
    try:
        reader = c2pa.Reader.try_create(io.BytesIO(data))
        if reader is not None:
            reader.json()
            reader.close()
    except c2pa.C2paError:
        pass
    return named


def main() -> int:
    """Print medians, means and totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    files = [p for p in sorted(arguments.folder.iterdir()) if p.suffix != ".csv"]
    contents = [p.read_bytes() for p in files]
    print(f"{len(files)} files, median of {arguments.repeats} runs each")
    print(f"{'':34}{'median ms':>12}{'mean ms':>10}{'largest ms':>12}{'AI metadata in':>16}")
    for name, read in (("authentiscan.provenance", ours), ("Pillow + sd-parsers + c2pa", rival)):
        times, found = [], 0
        for data in contents:
            runs = []
            named = read(data)
            for _ in range(arguments.repeats):
                started = time.perf_counter()
                read(data)
                runs.append((time.perf_counter() - started) * 1e3)
            times.append(statistics.median(runs))
            found += named
        print(
            f"{name:34}{statistics.median(times):12.2f}{statistics.mean(times):10.2f}"
            f"{max(times):12.2f}{found:16}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
