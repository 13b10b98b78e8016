"""Balanced accuracy and ROC AUC of a scored test part by kind of source, every image counting once.

    authentiscan evaluate default --data default-clean.parquet --split test -o report
    python benchmarks/heldout_slices.py report [--threshold 0.5]

`evaluate` weights both classes to the same sizes, which makes sense within a collection. Here whole
collections differ in size, so this table counts every image once and shows the kinds apart: a
detector can be good on one and no better than chance on another. Intervals: 95 %, bootstrap by
class, clustered by group.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from authentiscan.evaluation.scores import ScoreTable
from authentiscan.metrics.bootstrap import estimates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="folder that `evaluate -o` left")
    parser.add_argument("--threshold", type=float, default=0.5)
    arguments = parser.parse_args()
    table = Table(title=f"95 % intervals; decisions at score {arguments.threshold}")
    for name in ("protocol", "images", "real", "generated", "ROC AUC", "balanced accuracy"):
        table.add_column(name, justify="right")
    tables = [
        ScoreTable.read(path).scored() for path in (arguments.report / "scores").glob("*.parquet")
    ]
    for scores in sorted(tables, key=lambda found: found.protocol):
        style = np.asarray([str(value) for value in scores.columns["style"]])
        face = style == "face"
        kinds = {
            "all": np.ones(len(scores), dtype=bool),
            "faces": face,
            "all but faces": ~face,
            "photo-styled, no faces": style == "photo",
        }
        for kind, chosen in kinds.items():
            part = scores.take(chosen)
            found = estimates(
                part.labels, part.scores, part.groups, threshold=arguments.threshold, rounds=1000
            )
            table.add_row(
                scores.protocol,
                kind,
                str(int((part.labels == 0).sum())),
                str(int((part.labels == 1).sum())),
                str(found["roc_auc"]),
                str(found["balanced_accuracy"]),
            )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
