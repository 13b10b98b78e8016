"""Are a detector's maps better than chance? Deletion and insertion over a manifest's images.

    python benchmarks/faithfulness.py MANIFEST [--bundle FOLDER] [--split test] [--samples 40]
        [--steps 10] [--orders 5]

Gains are over random orders of the same places, means with 95 % bootstrap intervals; above 0 is
good; the edge map is the control that knows nothing of the detector. Then Grad-CAM against the
same network with random weights (needs torch).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from authentiscan.explain import explain
from authentiscan.explain.faithfulness import faithfulness, summarise
from authentiscan.images.decode import decode
from authentiscan.inference import default_bundle, load_detector
from authentiscan.manifest.table import Manifest


def sample(manifest: Manifest, count: int) -> list[int]:
    """Half of each class, drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    parts = [rng.permutation(np.flatnonzero(manifest.labels == label)) for label in (0, 1)]
    return [int(index) for part in parts for index in part[: count // 2]]


def leaning(detector: Any, pixels: np.ndarray) -> Any:
    """The map for the side the score leans to, as the command shows it."""
    found = explain(detector, pixels)
    return found if found.score >= 0.5 else explain(detector, pixels, target="real")


def interval(values: tuple[float, float, float]) -> str:
    return f"{values[0]:+.3f} ({values[1]:+.3f} to {values[2]:+.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--split")
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--cell", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10, help="points along each curve")
    parser.add_argument("--orders", type=int, default=5, help="random orders to compare with")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    bundle = arguments.bundle or default_bundle()
    detector = load_detector(bundle, threads=arguments.threads)
    manifest = Manifest.read(arguments.manifest)
    if arguments.split:
        manifest = manifest.where(split=arguments.split)
    images = [decode(manifest.image_bytes(i)).pixels for i in sample(manifest, arguments.samples)]
    maps = [leaning(detector, pixels) for pixels in images]
    console = Console(width=120)
    table = Table(
        "fill",
        "map, deletion gain",
        "map, insertion gain",
        "edges, deletion gain",
        "edges, insertion gain",
        title=f"{detector.spec.name}: {len(images)} images of {arguments.manifest.name}",
    )
    for fill in ("blur", "mean"):
        found = summarise(
            [
                faithfulness(
                    detector,
                    pixels,
                    one,
                    fill=fill,
                    cell=arguments.cell,
                    steps=arguments.steps,
                    random_orders=arguments.orders,
                )
                for pixels, one in zip(images, maps, strict=True)
            ]
        )
        gains = (
            found.deletion_gain,
            found.insertion_gain,
            found.edges_deletion_gain,
            found.edges_insertion_gain,
        )
        table.add_row(fill, *map(interval, gains))
        console.print(f"fill {fill}: {found.sentence} {', '.join(map(interval, gains))}")
    console.print(table)
    print_sanity(bundle, images, console, arguments.threads)


def print_sanity(bundle: Path, images: list[np.ndarray], console: Console, threads: int) -> None:
    from authentiscan.explain.sanity import randomised_similarity

    rival = load_detector(bundle, backend="torch", threads=threads).network
    crops = np.concatenate([rival.preprocess.crops(pixels)[0][:4] for pixels in images])[:64]
    table = Table("layers made random", "share", "rank correlation with the trained maps")
    for stage in randomised_similarity(rival, crops):
        table.add_row(str(stage.layers), f"{stage.share:.0%}", f"{stage.similarity:+.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
