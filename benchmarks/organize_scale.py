"""How fast `organize` reads CIFAKE, and how time and memory grow to a million rows.

    python benchmarks/organize_scale.py --table data/cifake.parquet [--rows 1000000]

Each measurement runs in a process of its own, so that its peak memory is its own: the table as it
is, the same images as 100,000 files, and tables grown by repetition with a mark appended to every
image, so that repeats are not equal. The rival is the plain loop that most training code starts
with: walk the folder, open with Pillow, take size and SHA-256, one process, all rows in a list, a
random split (no groups, no strata, not resumable).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 5_000


def grow(table: Path, rows: int, target: Path) -> None:
    """A table of ``rows`` rows: the source over and over, with names and bytes of their own."""
    source = pq.ParquetFile(table)
    writer: pq.ParquetWriter | None = None
    written = 0
    while written < rows:
        for whole in source.iter_batches(ROW_GROUP):
            batch = whole.slice(0, min(len(whole), rows - written))
            if not len(batch):
                break
            # Bytes after the end of a JPEG's image data do not change its pixels.
            mark = written.to_bytes(8, "big")
            columns = {
                "image": [data + mark for data in batch["image"].to_pylist()],
                "label": batch["label"],
                "generator": batch["generator"].cast("string"),
                "name": [f"{written}/{name}" for name in batch["name"].to_pylist()],
            }
            piece = pa.table(columns)
            writer = writer or pq.ParquetWriter(target, piece.schema, compression="none")
            writer.write_table(piece, row_group_size=ROW_GROUP)
            written += len(batch)
    if writer:
        writer.close()


def unpack(table: Path, folder: Path) -> None:
    """The table's images as files: REAL and FAKE, some 1,000 a folder."""
    number = 0
    for batch in pq.ParquetFile(table).iter_batches(1000):
        place = {k: folder / str(number) / ("REAL", "FAKE")[k] for k in (0, 1)}
        for path in place.values():
            path.mkdir(parents=True)
        for image, label in zip(
            batch["image"].to_pylist(), batch["label"].to_pylist(), strict=True
        ):
            (place[label] / f"{number}.jpg").write_bytes(image)
            number += 1


def plain_loop(folder: Path, out: Path) -> None:
    """The rival; see the module's docstring."""
    from PIL import Image

    rows: list[dict[str, Any]] = []
    for path in folder.rglob("*.jpg"):
        data = path.read_bytes()
        with Image.open(path) as image:
            image.load()
            rows.append(
                {
                    "path": str(path),
                    "label": int(path.parent.name == "FAKE"),
                    "width": image.width,
                    "height": image.height,
                    "format": image.format,
                    "bytes": len(data),
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
            )
    random.Random(0).shuffle(rows)
    for i, row in enumerate(rows):
        row["split"] = "train" if i < 0.7 * len(rows) else "val" if i < 0.85 * len(rows) else "test"
    pq.write_table(pa.Table.from_pylist(rows), out)


class Peak(threading.Thread):
    """Samples the memory of this process and its children: pages shared between them count once."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.parent = self.all = 0
        self.done = threading.Event()

    def run(self) -> None:
        me = psutil.Process()
        while not self.done.wait(0.2):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.all = max(self.all, total)
            self.parent = max(self.parent, me.memory_info().rss)


def measure(kind: str, source: Path, out: Path, processes: int) -> dict[str, Any]:
    """Run one measurement in this process."""
    from authentiscan.datasets.inputs import Input
    from authentiscan.datasets.organize import organize

    peak = Peak()
    peak.start()
    start = time.perf_counter()
    if kind == "plain":
        plain_loop(source, out)
        rows = pq.ParquetFile(out).metadata.num_rows
    else:
        layout = "folders" if source.is_dir() else None
        rows = organize([Input(source, layout=layout)], out, processes=processes).rows
    seconds = time.perf_counter() - start
    own = psutil.Process().cpu_times()
    peak.done.set()
    peak.join()
    return {
        "rows": rows,
        "seconds": seconds,
        "cpu": own.user + own.system + own.children_user + own.children_system,
        "parent_mb": peak.parent / 1e6,
        "all_mb": peak.all / 1e6,
    }


def child(kind: str, source: Path, folder: Path, processes: int) -> dict[str, Any]:
    """Run one measurement in a fresh process."""
    command = [sys.executable, __file__, "--child", kind, "--table", str(source)]
    command += ["--out", str(folder / "out.parquet"), "--processes", str(processes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="cifake.parquet")
    parser.add_argument("--rows", type=int, default=1_000_000, help="the largest table")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--child", default="")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.child:
        found = measure(arguments.child, arguments.table, arguments.out, arguments.processes)
        print(json.dumps(found))
        return
    print("| what | images | s | images/s | images per CPU-s | MB, all processes | MB, parent |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)

    def report(what: str, kind: str, source: Path, processes: int) -> None:
        found = child(kind, source, folder, processes)
        rates = found["rows"] / found["seconds"], found["rows"] / found["cpu"]
        print(
            f"| {what} | {found['rows']:,} | {found['seconds']:.1f} | {rates[0]:,.0f} "
            f"| {rates[1]:,.0f} | {found['all_mb']:.0f} | {found['parent_mb']:.0f} |",
            flush=True,
        )

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        two = arguments.processes
        report(f"table, {two} processes", "organize", arguments.table, two)
        unpack(arguments.table, folder / "files")
        report(f"files, {two} processes", "organize", folder / "files", two)
        report("files, plain Pillow loop", "plain", folder / "files", 1)
        for rows in (arguments.rows // 4, arguments.rows):
            grow(arguments.table, rows, folder / "grown.parquet")
            report(f"grown table, {two} processes", "organize", folder / "grown.parquet", two)


if __name__ == "__main__":
    main()
