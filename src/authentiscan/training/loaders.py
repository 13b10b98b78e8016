"""Torch data sets over a manifest: rows in, crops and labels out, the same whatever the worker
count.

What happens to an image depends on (seed, epoch, position in the epoch) and on nothing else, so an
interrupted run that goes on sees the images, crops and degradations it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from authentiscan.core.errors import DecodeError, ManifestError
from authentiscan.core.types import RGBImage
from authentiscan.images.decode import decode, read_source
from authentiscan.images.history import JpegHistory, needs_history
from authentiscan.images.preprocess import Preprocess
from authentiscan.manifest.table import Manifest
from authentiscan.training.augment import Augmenter, AugmentSettings, matched
from authentiscan.training.pixel_cache import PixelCache

PACK_LIMIT = 8 << 30
"""Encoded bytes that are copied out of Parquet tables at most; beyond, rows are read one by one."""


class Draw(NamedTuple):
    """One use of an image: which row, in which epoch, at which position of that epoch."""

    row: int
    epoch: int
    position: int


class Sample(NamedTuple):
    """One crop (size, size, 3) uint8, or None and the reason why the image could not be read."""

    crop: RGBImage | None
    label: int
    row: int
    failure: str | None = None


class Batch(NamedTuple):
    """images (N, 3, S, S) float32 as `Preprocess.tensor` gives them; labels (N,) float32, 1
    generated; rows (N,) int64 of the manifest; failures: (row, reason) of unreadable ones.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor
    failures: tuple[tuple[int, str], ...]


class EncodedImages:
    """The encoded bytes of a manifest's rows, quick to reach in any order and from forked workers.

    Rows that lie in tables, archives or the manifest itself are copied once, in the order they lie
    there, into one block of memory: reading them at random would decompress a whole row group for
    every image, and pyarrow's threads do not survive a fork. Plain files are read when asked for.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._files: dict[int, Path] = {}
        self._starts: dict[int, tuple[int, int]] = {}
        self._failures: dict[int, str] = {}
        self._block: NDArray[np.uint8] = np.empty(0, dtype=np.uint8)
        held = manifest.column("image") if "image" in manifest.table.column_names else None
        places = zip(manifest.column("path"), manifest.column("row"), strict=True)
        packed: list[tuple[str, int, int]] = []
        for index, (path, row) in enumerate(places):
            if (held is not None and held[index] is not None) or row is not None or path is None:
                packed.append((str(path), row if row is not None else index, index))
            else:
                self._files[index] = manifest.place(str(path))
        self._pack([index for _, _, index in sorted(packed)])

    def _pack(self, rows: list[int]) -> None:
        pieces: list[bytes] = []
        end = 0
        for index in rows:
            try:
                data = self._manifest.image_bytes(index)
            except ManifestError as error:
                self._failures[index] = str(error)
                continue
            if end + len(data) > PACK_LIMIT:
                break
            self._starts[index] = (end, len(data))
            pieces.append(data)
            end += len(data)
        self._block = np.frombuffer(b"".join(pieces), dtype=np.uint8)

    def __getitem__(self, index: int) -> bytes:
        """Encoded bytes of row ``index``. Raises ManifestError, DecodeError."""
        if index in self._files:
            return read_source(self._files[index])
        if index in self._starts:
            start, length = self._starts[index]
            return self._block[start : start + length].tobytes()
        if index in self._failures:
            raise ManifestError(self._failures[index])
        return self._manifest.image_bytes(index)


class _Images:
    """Rows to pixels, through the cache."""

    def __init__(self, manifest: Manifest, cache_bytes: int) -> None:
        self.encoded = EncodedImages(manifest)
        self.cache = PixelCache(len(manifest), cache_bytes) if cache_bytes else None

    def read(self, row: int) -> tuple[RGBImage, bool]:
        """Pixels (H, W, 3), and whether they need a JPEG history.

        Raises DecodeError, ManifestError.
        """
        if self.cache is not None and (kept := self.cache.get(row)) is not None:
            return kept
        encoded = self.encoded[row]
        image = decode(encoded)
        lossless = needs_history(encoded, image.facts)
        if self.cache is not None:
            self.cache.put(row, image.pixels, lossless)
        return image.pixels, lossless


class TrainingImages(Dataset[Sample]):
    """Random crops of a manifest's images, both classes with one encoding history.

    Indexed by `Draw`, or by a row number (epoch 0). ``cache_bytes`` keeps that much of decoded
    pixels in memory shared by the workers; results are the same with and without it.
    """

    def __init__(
        self,
        manifest: Manifest,
        preprocess: Preprocess,
        augment: AugmentSettings,
        *,
        seed: int = 0,
        history: JpegHistory | None = None,
        cache_bytes: int = 0,
    ) -> None:
        self.manifest, self.seed = manifest, seed
        self._labels = manifest.labels
        self._augment = Augmenter.create(augment, preprocess, history)
        self._images = _Images(manifest, cache_bytes)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, draw: Draw | int) -> Sample:
        row, epoch, position = draw if isinstance(draw, tuple) else (int(draw), 0, int(draw))
        label = int(self._labels[row])
        rng = np.random.default_rng([self.seed, epoch, position])
        try:
            pixels, lossless = self._images.read(row)
        except (DecodeError, ManifestError) as error:
            return Sample(None, label, row, str(error))
        return Sample(self._augment(pixels, lossless, rng), label, row)


class ValidationImages(Dataset[Sample]):
    """The centre crop of every image, with the training set's encoding history and nothing random.

    The history of a row depends on (seed, row), so every epoch and every run measures the same
    pixels.
    """

    def __init__(
        self,
        manifest: Manifest,
        preprocess: Preprocess,
        augment: AugmentSettings,
        *,
        seed: int = 0,
        history: JpegHistory | None = None,
    ) -> None:
        self.manifest, self.seed = manifest, seed
        self._labels = manifest.labels
        self._settings = augment
        self._history = history or JpegHistory()
        self._centre = preprocess.model_copy(update={"max_crops": 1})
        self._images = _Images(manifest, 0)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> Sample:
        label = int(self._labels[row])
        try:
            pixels, lossless = self._images.read(row)
        except (DecodeError, ManifestError) as error:
            return Sample(None, label, row, str(error))
        rng = np.random.default_rng([self.seed, row])
        pixels = matched(pixels, lossless, self._settings, self._history, rng)
        return Sample(self._centre.crops(pixels)[0][0], label, row)


@dataclass(frozen=True)
class Collate:
    """Makes a `Batch` of samples; images that could not be read are left out and named."""

    preprocess: Preprocess

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """``samples`` in the order they were drawn, which the batch keeps."""
        read = [s for s in samples if s.crop is not None]
        size = self.preprocess.size
        crops = (
            np.stack([s.crop for s in read if s.crop is not None])
            if read
            else np.empty((0, size, size, 3), dtype=np.uint8)
        )
        return Batch(
            images=torch.from_numpy(self.preprocess.tensor(crops)),
            labels=torch.tensor([s.label for s in read], dtype=torch.float32),
            rows=torch.tensor([s.row for s in read], dtype=torch.int64),
            failures=tuple((s.row, s.failure) for s in samples if s.failure is not None),
        )
