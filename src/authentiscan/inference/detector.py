"""A detector: a bundle made ready to score images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import BundleNotFoundError, UsageError
from authentiscan.core.preprocess import Tensor
from authentiscan.core.types import Box, CropScore, DecodedImage, Prediction, RGBImage, Verdict
from authentiscan.inference.bundle import SPEC_FILE, DetectorSpec, read_spec, sigmoid

ImageSource: TypeAlias = DecodedImage | RGBImage | Path | str | bytes
"""A decoded image, pixels (H, W, 3) uint8, a path, or encoded bytes."""

BackendName: TypeAlias = Literal["onnx", "torch"]
Target: TypeAlias = Literal["generated", "real"]


class Backend(Protocol):
    """What runs the network. Input is (N, 3, S, S) float32 from `Preprocess.tensor`."""

    def logits(self, tensor: Tensor) -> NDArray[np.float32]:
        """Logits (N,), positive for generated."""
        ...

    def explain(self, tensor: Tensor, target: Target) -> tuple[NDArray[np.float32], Tensor]:
        """Logits (N,) and Grad-CAM maps (N, h, w) >= 0 for ``target``."""
        ...


class Detector:
    """Scores images as one bundle says: its preprocessing, network, calibration and thresholds.

    Use `load_detector`. Thread-safe on the ONNX backend.
    """

    def __init__(self, spec: DetectorSpec, backend: Backend, *, batch: int = 32) -> None:
        if batch < 1:
            raise UsageError(f"batch is {batch}; it must be at least 1 crop")
        self.spec = spec
        self.backend = backend
        self.batch = batch

    def predict(self, source: ImageSource) -> Prediction:
        """Score one image; decoding errors of a path or of bytes are raised as `DecodeError`."""
        crops, boxes = self.spec.preprocess.crops(_pixels(source))
        return self.prediction(self.logits(crops), boxes)

    def predict_many(self, sources: Iterable[ImageSource]) -> Iterator[Prediction]:
        """Score many images, in order; crops of several images share a batch, which is faster.

        ``sources`` is read lazily, one batch ahead. The first unreadable image raises; to go on
        past such images decode them first, as `authentiscan scan` does.
        """
        waiting: list[tuple[NDArray[np.uint8], list[Box]]] = []
        held = 0
        for source in sources:
            waiting.append(self.spec.preprocess.crops(_pixels(source)))
            held += len(waiting[-1][1])
            if held >= self.batch:
                yield from self._predict_batch(waiting)
                waiting, held = [], 0
        if waiting:
            yield from self._predict_batch(waiting)

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

    def score(self, logit: float) -> float:
        """Calibrated P(generated) in [0, 1] of a logit."""
        return self.spec.calibration(logit)

    def verdict(self, score: float) -> Verdict:
        """The bundle's rule applied to a calibrated score."""
        return self.spec.decision(score)

    def _tensors(self, crops: NDArray[np.uint8]) -> Iterator[Tensor]:
        size = self.spec.preprocess.size
        if crops.ndim != 4 or not len(crops) or crops.shape[1:] != (size, size, 3):
            raise UsageError(f"crops have shape {crops.shape}; expected (N, {size}, {size}, 3)")
        for start in range(0, len(crops), self.batch):
            yield self.spec.preprocess.tensor(crops[start : start + self.batch])

    def _predict_batch(
        self, waiting: list[tuple[NDArray[np.uint8], list[Box]]]
    ) -> Iterator[Prediction]:
        logits = self.logits(np.concatenate([crops for crops, _ in waiting]))
        start = 0
        for _, boxes in waiting:
            yield self.prediction(logits[start : start + len(boxes)], boxes)
            start += len(boxes)

    def prediction(self, logits: NDArray[np.float32], boxes: Sequence[Box]) -> Prediction:
        """What the logits (N,) of one image's crops say of it: pooled and calibrated."""
        pooled = self.spec.preprocess.pool(logits)
        return Prediction(
            score=self.score(pooled),
            raw_score=sigmoid(pooled),
            crops=tuple(
                CropScore(box, self.score(float(logit)))
                for box, logit in zip(boxes, logits, strict=True)
            ),
        )


def load_detector(
    bundle: Path | str | None = None,
    *,
    backend: BackendName = "onnx",
    threads: int | None = None,
    verify: bool = True,
    batch: int = 32,
) -> Detector:
    """Make the detector in folder ``bundle`` ready; None is the one packaged with authentiscan.

    backend: ``onnx`` (ONNX Runtime, no torch) or ``torch`` (needs the ``export`` extra; slower, but
        gradients can be taken through it). threads: CPU threads for one batch; None lets the
        runtime use all cores. verify: refuse files whose checksum is not the stated one. batch:
        crops that go through the network at once, a bound on memory.

    Raises a `BundleError` leaf, or MissingExtraError for torch.
    """
    folder = default_bundle() if bundle is None else Path(bundle)
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    spec = read_spec(folder, verify=verify)
    return Detector(spec, _backend(backend, folder, spec, threads), batch=batch)


def default_bundle() -> Path:
    """Folder of the detector packaged with authentiscan; BundleNotFoundError where none is."""
    folder = Path(str(resources.files("authentiscan"))) / "detectors" / "default"
    if not (folder / SPEC_FILE).is_file():
        raise BundleNotFoundError(
            f"this installation carries no default detector ({folder} has no {SPEC_FILE}); "
            "name a bundle folder, or train one with `authentiscan train`"
        )
    return folder


def _backend(name: str, folder: Path, spec: DetectorSpec, threads: int | None) -> Backend:
    if name == "onnx":
        from authentiscan.inference.onnx_backend import OnnxBackend

        return OnnxBackend(folder, threads=threads)
    if name == "torch":
        from authentiscan.inference.torch_backend import TorchBackend

        return TorchBackend(folder, spec, threads=threads)
    raise UsageError(f"unknown backend {name!r}; allowed: onnx, torch")


def _pixels(source: ImageSource) -> RGBImage:
    if isinstance(source, DecodedImage):
        return source.pixels
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or not source.size:
            raise UsageError(
                f"pixels have shape {source.shape}, type {source.dtype}; expected (H, W, 3) uint8"
            )
        return source
    from authentiscan.core.images import decode

    return decode(source).pixels
