"""Memory and cost of a scan into parts for 1, 10, 100 and 1,000 thousand images, simulated.

    python benchmarks/million_rows.py [--rows 1000 10000 100000 1000000]

What grows with the number of images is measured, not what is constant an image: one real report is
made, and replayed under a new name for every row. So no image is decoded; items, parts, rows,
Parquet files, the summary and the second pass that finds all parts there are the shipped code. Each
size runs in a process of its own: its peak memory and processor time are its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from authentiscan.analysis import analyze
from authentiscan.inference import load_detector
from authentiscan.scan import Item, Options, Scanned, parts
from authentiscan.scan.parts import Judge, PartsFolder, made_by, on_this_machine, parts_of

PHOTO = Path(__file__).parent.parent / "examples" / "photographs" / "coffee.jpg"


def measure(rows: int, place: Path) -> dict[str, float]:
    """One size, in this process."""
    detector, options = load_detector(threads=1), Options()
    report = analyze(PHOTO, detector)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    folder = PartsFolder(str(place / "out"))

    def replayed(items: tuple[Item, ...], **_: object) -> list[Scanned]:
        return [Scanned(report.model_copy(update={"path": item.name})) for item in items]

    def names() -> Iterator[Item]:
        return (Item(f"s3://bucket/{n // 1000:04d}/{n:08d}.jpg", address="-") for n in range(rows))

    def run() -> float:
        started = time.process_time()
        number = counted = 0
        with patch.object(parts, "judge_together", replayed):
            found = parts_of(names(), made_by(detector, options))
            for done in on_this_machine(found, Judge(detector, options, folder)):
                number, counted = done.number + 1, counted + done.images
        assert counted == rows, counted
        folder.close(number, {"real": counted}, {})
        return time.process_time() - started

    made, again = run(), run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(path.stat().st_size for path in (place / "out").iterdir()) / 1e6
    return {"made": made, "again": again, "before": before, "peak": peak, "size": size}


def main() -> None:
    """All sizes, one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--child", action="store_true")
    arguments = parser.parse_args()
    if arguments.child:
        with tempfile.TemporaryDirectory() as place:
            print(json.dumps(measure(arguments.rows[0], Path(place))))
        return
    print(
        "| rows | CPU s | CPU µs a row | second pass, µs a row | peak MB | of it rows | parts, MB |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for rows in arguments.rows:
        command = [sys.executable, __file__, "--child", "--rows", str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| {rows:,} | {found['made']:.1f} | {found['made'] / rows * 1e6:.0f} "
            f"| {found['again'] / rows * 1e6:.1f} | {found['peak']:.0f} "
            f"| {found['peak'] - found['before']:.0f} | {found['size']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
