"""A detector: a bundle made ready to score images.

image ─► each network: its crops ─► logits ─► pooled ─► weighted sum ─► calibration ─► score
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import BundleError, UsageError
from authentiscan.core.types import (
    Box,
    CropLogits,
    CropScore,
    Prediction,
    RGBImage,
    Verdict,
)
from authentiscan.images.inputs import ImageInput, load_image
from authentiscan.images.preprocess import Preprocess, Tensor
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.find import find_bundle
from authentiscan.inference.selftest import check_selftest
from authentiscan.inference.spec import ANY_SIDE, DetectorSpec, NetworkSpec, Sides, members_of
from authentiscan.metrics.calibration import sigmoid
from authentiscan.metrics.decision import rule_words

BackendName: TypeAlias = Literal["onnx", "torch"]
Target: TypeAlias = Literal["generated", "real"]
Cropped: TypeAlias = tuple[NDArray[np.uint8], list[Box]]
"""Crops (N, S, S, 3) of an image and where they were taken."""


class Backend(Protocol):
    """What runs the network. Input is (N, 3, S, S) float32 from `Preprocess.tensor`."""

    @property
    def explains(self) -> bool:
        """Whether `explain` has maps to give."""
        ...

    def logits(self, tensor: Tensor) -> NDArray[np.float32]:
        """Logits (N,), positive for generated."""
        ...

    def explain(self, tensor: Tensor, target: Target) -> tuple[NDArray[np.float32], Tensor]:
        """Logits (N,) and Grad-CAM maps (N, h, w) >= 0 for ``target``."""
        ...


class Network:
    """One network and its preprocessing: crops of images in, logits and maps out."""

    def __init__(self, spec: NetworkSpec, backend: Backend, *, batch: int = 32) -> None:
        if batch < 1:
            raise UsageError(f"batch is {batch}; it must be at least 1 crop")
        self.spec = spec
        self.backend = backend
        self.batch = batch

    @property
    def preprocess(self) -> Preprocess:
        """How images become crops."""
        return self.spec.preprocess

    def read(self, cropped: Sequence[Cropped]) -> list[CropLogits]:
        """What the network says of images whose crops were taken; they share batches.

        An image that it does not judge has no crops, and gets no logits.
        """
        if not any(boxes for _, boxes in cropped):
            return [CropLogits(np.empty(0, np.float32), ()) for _ in cropped]
        logits = self.logits(np.concatenate([crops for crops, _ in cropped]))
        if not np.isfinite(logits).all():
            raise BundleError(
                f"the network of {self.spec.name!r} gave an answer that is no number: its weights "
                "are broken or are read from the wrong place; fetch or export the detector again"
            )
        ends = np.cumsum([len(boxes) for _, boxes in cropped])
        parts = np.split(logits, ends[:-1])
        return [
            CropLogits(part, tuple(boxes)) for part, (_, boxes) in zip(parts, cropped, strict=True)
        ]

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Uncalibrated logits (N,) of crops (N, S, S, 3) uint8; positive for generated."""
        parts = [self.backend.logits(tensor) for tensor in self._tensors(crops)]
        return np.concatenate(parts)

    def explain_crops(
        self, crops: NDArray[np.uint8], target: Target = "generated"
    ) -> tuple[NDArray[np.float32], Tensor]:
        """Logits (N,) and exact Grad-CAM (N, h, w) float32 >= 0 of crops (N, S, S, 3) uint8.

        The map shows what raises the logit (``generated``) or lowers it (``real``), in logit units:
        summed over places and both signs it is the part of the logit that the maps carry.
        """
        logits, maps = zip(
            *(self.backend.explain(tensor, target) for tensor in self._tensors(crops)), strict=True
        )
        return np.concatenate(logits), np.concatenate(maps)

    def _tensors(self, crops: NDArray[np.uint8]) -> Iterator[Tensor]:
        size = self.preprocess.size
        if crops.ndim != 4 or not len(crops) or crops.shape[1:] != (size, size, 3):
            raise UsageError(f"crops have shape {crops.shape}; expected (N, {size}, {size}, 3)")
        for start in range(0, len(crops), self.batch):
            yield self.preprocess.tensor(crops[start : start + self.batch])


@dataclass(frozen=True, slots=True)
class WeightedNetwork:
    """A network of a detector, the factor on its pooled logit and what is added to that.

    sides: the shorter sides, in pixels, of the images that it judges.
    """

    weight: float
    network: Network
    bias: float = 0.0
    sides: Sides = ANY_SIDE

    def crops(self, pixels: RGBImage) -> Cropped:
        """Its crops of ``pixels`` (H, W, 3), and their boxes; none where it does not judge."""
        preprocess = self.network.preprocess
        if self.sides[0] <= min(pixels.shape[:2]) <= self.sides[1]:
            return preprocess.crops(pixels)
        return np.empty((0, preprocess.size, preprocess.size, 3), np.uint8), []


class Detector:
    """Scores images as one bundle says: its networks' pooled logits, weighted, added, calibrated.

    An ensemble has several networks, each with its own crops. Use `load_detector`. Thread-safe on
    the ONNX backend.
    """

    def __init__(self, spec: DetectorSpec, networks: Sequence[WeightedNetwork]) -> None:
        self.spec = spec
        self.networks = tuple(networks)

    def __repr__(self) -> str:
        rule = self.spec.decision
        return (
            f"<Detector {self.spec.name!r} version {self.spec.version}: "
            f"{self.spec.architecture_name}, {rule_words(rule.generated.score, rule.real_below)}>"
        )

    @property
    def explains(self) -> bool:
        """Whether every network gives heatmaps; graphs that others made may not."""
        return all(weighted.network.backend.explains for weighted in self.networks)

    @property
    def network(self) -> Network:
        """The only network; UsageError where there are several."""
        return self._only(self.networks)

    def network_for(self, height: int, width: int) -> Network:
        """The only network that judges images of that size; UsageError where there are several."""
        side = min(height, width)
        return self._only([w for w in self.networks if w.sides[0] <= side <= w.sides[1]])

    def _only(self, networks: Sequence[WeightedNetwork]) -> Network:
        if len(networks) != 1:
            raise UsageError(
                f"{self.spec.name!r} is an ensemble of {len(networks)} networks, and this works on "
                f"one: name a member behind it, {' or '.join(members_of(self.spec))}, as in "
                "default/small"
            )
        return networks[0].network

    def predict(self, source: ImageInput) -> Prediction:
        """Score one image; decoding errors of a path or of bytes are raised as `DecodeError`."""
        return next(self.predict_many([source]))

    async def apredict(self, source: ImageInput) -> Prediction:
        """As `predict`, on a thread, so that an event loop goes on meanwhile."""
        import asyncio  # here, as few programs need it

        return await asyncio.to_thread(self.predict, source)

    def predict_many(self, sources: Iterable[ImageInput]) -> Iterator[Prediction]:
        """Score many images, in order; crops of several images share a batch, which is faster.

        ``sources`` is read lazily, one batch ahead. The first unreadable image raises; to go on
        past such images decode them first, as `authentiscan scan` does.
        """
        return map(self.prediction, self.read_many(sources))

    def logits(self, sources: Iterable[ImageInput]) -> NDArray[np.float64]:
        """Uncalibrated logit (N,) of each image, positive for generated."""
        return np.asarray([self.pooled(crop_logits) for crop_logits in self.read_many(sources)])

    def read_many(self, sources: Iterable[ImageInput]) -> Iterator[tuple[CropLogits, ...]]:
        """What each network says of each image, as ``networks``; lazily, in batches."""
        waiting: list[list[Cropped]] = []
        held = 0
        for source in sources:
            pixels = load_image(source)[0].pixels
            waiting.append([weighted.crops(pixels) for weighted in self.networks])
            held += max(len(boxes) for _, boxes in waiting[-1])
            if held >= min(weighted.network.batch for weighted in self.networks):
                yield from self._read(waiting)
                waiting, held = [], 0
        if waiting:
            yield from self._read(waiting)

    def _read(self, waiting: list[list[Cropped]]) -> Iterator[tuple[CropLogits, ...]]:
        by_network = zip(*waiting, strict=True)
        found = [
            weighted.network.read(cropped)
            for weighted, cropped in zip(self.networks, by_network, strict=True)
        ]
        return zip(*found, strict=True)

    def pooled(self, crop_logits: Sequence[CropLogits]) -> float:
        """The uncalibrated logit of an image from the logits of its crops, one a network."""
        pairs = zip(self.networks, crop_logits, strict=True)
        return float(
            sum(
                placed.weight * placed.network.preprocess.pool(read.logits) + placed.bias
                for placed, read in pairs
                if read.boxes
            )
        )

    def prediction(self, crop_logits: Sequence[CropLogits]) -> Prediction:
        """The crop logits of one image, one a network: pooled, summed and calibrated.

        A crop's own score is by the calibration of the network that read it.
        """
        logit = self.pooled(crop_logits)
        return Prediction(
            score=self.score(logit),
            raw_score=sigmoid(logit),
            crops=tuple(
                CropScore(box, weighted.network.spec.calibration(float(value)))
                for weighted, read in zip(self.networks, crop_logits, strict=True)
                for box, value in zip(read.boxes, read.logits, strict=True)
            ),
        )

    def score(self, logit: float) -> float:
        """Calibrated P(generated) in [0, 1] of an image's logit."""
        return self.spec.calibration(logit)

    def verdict(self, score: float) -> Verdict:
        """The bundle's rule applied to a calibrated score."""
        return self.spec.decision(score)


def load_detector(
    bundle: Path | str | None = None,
    *,
    backend: BackendName = "onnx",
    threads: int | None = None,
    verify: bool = True,
    batch: int = 32,
) -> Detector:
    """Make the detector that ``bundle`` names ready; `find_bundle` says what may stand there.

    An ensemble is a bundle like any other: all its members are loaded, and verified, with it.

    backend: ``onnx`` (ONNX Runtime, no torch) or ``torch`` (needs the ``export`` extra; slower, but
        gradients can be taken through it). threads: CPU threads for one batch; None lets the
        runtime use all cores. verify: refuse files whose checksum is not the stated one. batch:
        crops that go through the network at once, a bound on memory.

    Raises a `BundleError` leaf, or MissingExtraError for torch.
    """
    folder = find_bundle(bundle)
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    spec = read_spec(folder, verify=verify)
    networks = []
    for placed in spec.placed_networks(folder):
        one = placed.spec
        most = min(batch, one.largest_batch or batch)
        network = Network(one, _backend(backend, placed.folder, one, threads), batch=most)
        check_selftest(network, placed.folder)
        networks.append(WeightedNetwork(placed.weight, network, placed.bias, placed.sides))
    return Detector(spec, networks)


def _backend(name: str, folder: Path, spec: NetworkSpec, threads: int | None) -> Backend:
    if name == "onnx":
        from authentiscan.inference.onnx_backend import OnnxBackend

        return OnnxBackend(folder, threads=threads, size=spec.preprocess.size)
    if name == "torch":
        from authentiscan.inference.torch_backend import TorchBackend

        return TorchBackend(folder, spec, threads=threads)
    raise UsageError(f"unknown backend {name!r}; allowed: onnx, torch")
