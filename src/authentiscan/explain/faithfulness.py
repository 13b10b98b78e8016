"""Do the maps say what the detector uses? Deletion and insertion on the deployed detector.

Petsiuk et al., *RISE*, BMVC 2018 (arXiv 1806.07421): take the places a map ranks highest away
(deletion: the score should fall fast, a small area is good) or put them alone back (insertion: it
should rise fast, a large area is good). A map is only worth showing where it beats random orders;
an edge map is the second control, as edges look convincing without knowing the detector.

Places are square cells, not pixels: single exchanged pixels would be noise, which detectors of fine
structure read. What replaces them is the blurred image, for the same reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from authentiscan.core.errors import UsageError
from authentiscan.core.types import DecodedImage, RGBImage
from authentiscan.explain.base import Heatmap, Predicts, pixels_of
from authentiscan.explain.views import luma

Fill = Literal["blur", "mean"]


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Areas under the curves of one image; all in [0, 1], of P(target).

    deletion: smaller is better. insertion: larger is better. edges_*: of an edge map. random_*: one
    area for each random order. cells: how many places were ranked.
    """

    deletion: float
    insertion: float
    edges_deletion: float
    edges_insertion: float
    random_deletion: tuple[float, ...]
    random_insertion: tuple[float, ...]
    cells: int

    @property
    def deletion_gain(self) -> float:
        """How much faster than on average at random the score falls; above 0 is good."""
        return float(np.mean(self.random_deletion)) - self.deletion

    @property
    def insertion_gain(self) -> float:
        """How much faster than on average at random the score rises; above 0 is good."""
        return self.insertion - float(np.mean(self.random_insertion))


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean gains over images with their 95 % bootstrap intervals; see `Faithfulness`."""

    images: int
    deletion_gain: tuple[float, float, float]
    insertion_gain: tuple[float, float, float]
    edges_deletion_gain: tuple[float, float, float]
    edges_insertion_gain: tuple[float, float, float]

    @property
    def better_than_chance(self) -> bool:
        """True where both intervals lie above 0."""
        return self.deletion_gain[1] > 0 and self.insertion_gain[1] > 0

    @property
    def sentence(self) -> str:
        """What a reader should make of the maps."""
        if self.better_than_chance:
            return f"The maps are more faithful than random ones (over {self.images} images)."
        return (
            f"The maps are not shown to be better than chance on this detector "
            f"(over {self.images} images): do not read them as its reasons."
        )


def faithfulness(
    detector: Predicts,
    image: DecodedImage | RGBImage,
    found: Heatmap,
    *,
    steps: int = 10,
    cell: int = 16,
    fill: Fill = "blur",
    random_orders: int = 5,
    seed: int = 0,
) -> Faithfulness:
    """Deletion and insertion of ``found`` on ``image``, with random and edge orders as controls.

    ``steps`` points along each curve, ``cell`` pixels a side of a place. The detector runs
    2 * (2 + random_orders) * (steps - 1) + 2 times over the image. Raises UsageError for arguments
    out of range.
    """
    if steps < 2 or cell < 1 or random_orders < 1:
        raise UsageError("steps must be at least 2, cell and random_orders at least 1")
    pixels = pixels_of(image)
    blank = _blank(pixels, fill, cell)
    grid = _Cells.of(found, cell)
    rng = np.random.default_rng(seed)
    orders = [grid.order(found.raw), grid.order(_edges(pixels))]
    orders += [rng.permutation(len(grid.places)) for _ in range(random_orders)]
    ends = _probabilities(detector, [pixels, blank], found.target)
    areas = []
    for order in orders:
        out = _probabilities(detector, grid.moved(pixels, blank, order, steps), found.target)
        back = _probabilities(detector, grid.moved(blank, pixels, order, steps), found.target)
        areas.append((_area([ends[0], *out, ends[1]]), _area([ends[1], *back, ends[0]])))
    (mine, edges), rest = areas[:2], areas[2:]
    return Faithfulness(
        deletion=mine[0],
        insertion=mine[1],
        edges_deletion=edges[0],
        edges_insertion=edges[1],
        random_deletion=tuple(area for area, _ in rest),
        random_insertion=tuple(area for _, area in rest),
        cells=len(grid.places),
    )


def summarise(measured: Sequence[Faithfulness], *, seed: int = 0) -> Summary:
    """Mean gains over random orders with 95 % intervals (2,000 bootstraps over the images)."""
    if not measured:
        raise UsageError("faithfulness needs at least one image")
    return Summary(
        images=len(measured),
        deletion_gain=_mean_interval([m.deletion_gain for m in measured], seed),
        insertion_gain=_mean_interval([m.insertion_gain for m in measured], seed),
        edges_deletion_gain=_mean_interval(
            [float(np.mean(m.random_deletion)) - m.edges_deletion for m in measured], seed
        ),
        edges_insertion_gain=_mean_interval(
            [m.edges_insertion - float(np.mean(m.random_insertion)) for m in measured], seed
        ),
    )


@dataclass(frozen=True, slots=True)
class _Cells:
    """The places that are taken away: slices of the image that the detector looked at."""

    places: list[tuple[slice, slice]]

    @classmethod
    def of(cls, found: Heatmap, cell: int) -> _Cells:
        height, width = found.raw.shape
        places = [
            np.s_[top : top + cell, left : left + cell]
            for top in range(0, height, cell)
            for left in range(0, width, cell)
        ]
        return cls([place for place in places if found.covered[place].any()])

    def order(self, values: NDArray[np.float32]) -> NDArray[np.intp]:
        """Indices of the places from the largest mean value to the smallest."""
        means = np.asarray([float(values[place].mean()) for place in self.places])
        return np.argsort(-means, kind="stable")

    def moved(
        self, start: RGBImage, end: RGBImage, order: NDArray[np.intp], steps: int
    ) -> Iterator[RGBImage]:
        """``start`` with ever more places of ``end``, in ``order``, without the two whole images.

        The same array each time, changed in place: use it before asking for the next.
        """
        cuts = np.linspace(0, len(order), steps + 1).astype(int)
        current = start.copy()
        for before, after in itertools.pairwise(cuts[:-1]):
            for index in order[before:after]:
                current[self.places[index]] = end[self.places[index]]
            yield current


def _probabilities(detector: Predicts, images: Iterable[RGBImage], target: str) -> list[float]:
    """P(target) in [0, 1] of each image."""
    scores = [prediction.score for prediction in detector.predict_many(images)]
    return scores if target == "generated" else [1.0 - score for score in scores]


def _blank(pixels: RGBImage, fill: Fill, cell: int) -> RGBImage:
    if fill == "mean":
        mean = np.rint(pixels.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
        return np.broadcast_to(mean, pixels.shape).copy()
    if fill == "blur":
        return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(cell / 2)))
    raise UsageError(f"unknown fill {fill!r}; allowed: blur, mean")


def _edges(pixels: RGBImage) -> NDArray[np.float32]:
    """Length of the brightness gradient, (H, W)."""
    down, right = np.gradient(np.pad(luma(pixels), ((0, 1), (0, 1)), mode="edge"))
    return np.asarray(np.hypot(down, right)[:-1, :-1], dtype=np.float32)


def _area(values: Sequence[float]) -> float:
    return float(np.trapezoid(values, dx=1.0 / (len(values) - 1)))


def _mean_interval(values: Sequence[float], seed: int) -> tuple[float, float, float]:
    sample = np.asarray(values)
    picks = np.random.default_rng(seed).integers(0, len(sample), (2000, len(sample)))
    low, high = np.percentile(sample[picks].mean(axis=1), [2.5, 97.5])
    return float(sample.mean()), float(low), float(high)
