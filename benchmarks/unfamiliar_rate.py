"""How often is `far_from_training_data` raised? Over a manifest's photographs and generated images.

    python benchmarks/unfamiliar_rate.py MANIFEST [--bundle FOLDER]

One row per split and class: the share of images outside the ranges that the bundle states
(`typical`), with a 95 % Wilson interval by group, and the share outside each single range.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from authentiscan.images import figures
from authentiscan.images.decode import decode
from authentiscan.inference import default_bundle
from authentiscan.inference.bundle import read_spec
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.thresholds import share_interval


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--bundle", type=Path)
    arguments = parser.parse_args()
    typical = read_spec(arguments.bundle or default_bundle()).typical or {}
    manifest = Manifest.read(arguments.manifest)
    splits = np.asarray([str(s) for s in manifest.column("split")])
    table = Table(title=f"images outside the ranges {typical}")
    for name in ("split", "class", "images", "outside any", *(f"outside {n}" for n in typical)):
        table.add_column(name, justify="right")
    for split in ("train", "val", "test"):
        for label, kind in ((0, "real"), (1, "generated")):
            rows = np.flatnonzero((splits == split) & (manifest.labels == label))
            if len(rows):
                table.add_row(split, kind, *shares(manifest, rows, typical))
    Console(width=120).print(table)


def shares(
    manifest: Manifest, rows: np.ndarray, typical: dict[str, tuple[float, float]]
) -> list[str]:
    measured = [figures.measure(decode(manifest.image_bytes(int(i))).pixels) for i in rows]
    outside = np.asarray(
        [[not low <= m[n] <= high for n, (low, high) in typical.items()] for m in measured]
    )
    groups = manifest.column("group")
    share, low, high = share_interval(outside.any(axis=1), [groups[int(i)] for i in rows])
    each = [f"{value:.1%}" for value in outside.mean(axis=0)]
    return [str(len(rows)), f"{share:.1%} [{low:.1%}, {high:.1%}]", *each]


if __name__ == "__main__":
    main()
