"""Train the literature's detectors on one manifest with one budget, then compare them with ours.

Every rival keeps its own network, augmentation, loss and optimizer; crop size, the number of crops
seen and the data are the same for all. `imagenet-lite` stands for what ImageNet weights are worth.
Published recipes take 224-px crops and many epochs on GPUs; on two CPU cores the budget here is
what they get, so the table says who learns most from little, not what each could reach.

    python benchmarks/rivals.py --data default-clean.parquet --out rivals
    authentiscan compare default rivals/*/bundle --data default-clean.parquet --split test \\
        --markdown

A run that was interrupted goes on when the same command is given again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

RIVALS = ("srm", "npr", "cnndetect", "imagenet-lite")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="Manifest with all three splits.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of the runs.")
    parser.add_argument("--recipes", nargs="+", default=RIVALS)
    parser.add_argument("--size", type=int, default=96, help="Side of the crops in pixels.")
    parser.add_argument("--crops", type=int, default=20_000, help="Training crops each may see.")
    parser.add_argument("--epochs", type=int, default=4, help="Parts the crops are seen in.")
    arguments = parser.parse_args()
    for recipe in arguments.recipes:
        folder = arguments.out / recipe
        if (folder / "bundle" / "detector.json").is_file():
            print(f"{recipe}: already trained")
            continue
        started = time.perf_counter()
        subprocess.run(_command(recipe, folder, arguments), check=True)
        print(f"{recipe}: {time.perf_counter() - started:.0f} s", flush=True)


def _command(recipe: str, folder: Path, arguments: argparse.Namespace) -> list[str]:
    program = [sys.executable, "-m", "authentiscan", "train"]
    if (folder / "checkpoints" / "last.ckpt").is_file():
        return [*program, "--resume", str(folder)]
    same = {
        "preprocess.size": arguments.size,
        "preprocess.max_crops": 9,
        "augment.usable_side": 176,  # the smaller class's size in web.parquet: see docs/audit.md
        "sampling.epoch_size": arguments.crops // arguments.epochs,
        "phases.0.epochs": arguments.epochs,
        "batch_size": 32,
        "checkpoint.every_steps": 100,
        "precision": "fp32",
        "early_stopping": "null",
        "workers": 0,
        "deployment.protocol": "history",
    }
    changes = [part for key, value in same.items() for part in ("--set", f"{key}={value}")]
    data = f"images={arguments.data}"
    return [*program, recipe, "--data", data, "--output", str(folder), *changes]


if __name__ == "__main__":
    main()
