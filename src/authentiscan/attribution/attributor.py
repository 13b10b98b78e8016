"""An attributor: a bundle made ready to name generators.

image ─► crops ─► whitened embeddings ─► mean ─► distances to prototypes ─► names, fit
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from authentiscan.attribution.prototypes import Prototypes, fits, probabilities
from authentiscan.attribution.result import UNKNOWN, Attribution, AttributorInfo, Candidate
from authentiscan.attribution.spec import AttributorSpec, read_attributor
from authentiscan.core.errors import BundleError, BundleNotFoundError, UsageError
from authentiscan.core.types import CAMERA
from authentiscan.images.inputs import ImageInput, load_image
from authentiscan.inference.find import DEFAULT, find_bundle
from authentiscan.inference.spec import ONNX_FILE, SPEC_FILE

if TYPE_CHECKING:
    from authentiscan.images.preprocess import Tensor

_FOLDER = "attributor"
_SHOWN = 5
_CANDIDATE_DIGITS = 4


class Embeds(Protocol):
    """What turns crops into whitened embeddings."""

    def features(self, tensor: Tensor) -> NDArray[np.float32]:
        """Embeddings (N, D) of input (N, 3, S, S)."""
        ...


class OnnxEmbedding:
    """``model.onnx`` of an attributor's folder on ONNX Runtime; may be shared by threads.

    Raises BundleError where it cannot be loaded or has other inputs and outputs than `image` and
    `features`.
    """

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        from authentiscan.inference.onnx_backend import open_session

        self._path = folder / ONNX_FILE
        self._session = open_session(self._path, threads)
        names = [
            [node.name for node in nodes]
            for nodes in (self._session.get_inputs(), self._session.get_outputs())
        ]
        if names != [["image"], ["features"]]:
            raise BundleError(
                f"{self._path} has inputs {names[0]} and outputs {names[1]}; expected input "
                "'image' and output 'features'"
            )

    def features(self, tensor: Tensor) -> NDArray[np.float32]:
        """Embeddings (N, D) of input (N, 3, S, S). Raises BundleError where the graph fails."""
        from authentiscan.inference.onnx_backend import first_line

        try:
            (found,) = self._session.run(["features"], {"image": tensor})
        except Exception as error:  # the runtime's exceptions share no public base
            raise BundleError(f"{self._path} cannot be run: {first_line(error)}") from error
        return np.asarray(found, dtype=np.float32)


class Attributor:
    """Names the likely generator of images. Use `load_attributor`. Thread-safe."""

    def __init__(self, spec: AttributorSpec, embedding: Embeds, *, batch: int = 16) -> None:
        if batch < 1:
            raise UsageError(f"batch is {batch}; it must be at least 1 crop")
        self.spec = spec
        self.embedding = embedding
        self.batch = batch
        self._prototypes = Prototypes.of(spec.generators, spec.logits)

    def __repr__(self) -> str:
        return (
            f"<Attributor {self.spec.name!r} version {self.spec.version}: "
            f"{len(self.spec.names)} generators>"
        )

    def attribute(self, source: ImageInput) -> Attribution:
        """The likely generator of one image.

        It is meant for images judged generated: of a photograph it names the generator that is
        least unlike, or ``unknown``. Raises a DecodeError subclass where the image cannot be read.
        """
        return next(self.attribute_many([source]))

    def attribute_many(self, sources: Iterable[ImageInput]) -> Iterator[Attribution]:
        """`attribute` of many images, in order, one at a time."""
        for source in sources:
            embedding, crops = self.embed(source)
            yield self.attribution(embedding, crops)

    def embed(self, source: ImageInput) -> tuple[NDArray[np.float64], int]:
        """Whitened embedding (D,) of an image, averaged over its crops, and their number."""
        crops, _ = self.spec.preprocess.crops(load_image(source)[0].pixels)
        parts = [
            self.embedding.features(self.spec.preprocess.tensor(crops[start : start + self.batch]))
            for start in range(0, len(crops), self.batch)
        ]
        return np.concatenate(parts).astype(np.float64).mean(axis=0), len(crops)

    def attribution(self, embedding: NDArray[np.float64], crops: int = 1) -> Attribution:
        """The answer for an image's averaged ``embedding`` (D,)."""
        squared = self._prototypes.squared_distances(embedding[None])
        fit = float(fits(squared.min(axis=1), self.spec.distances)[0])
        shares = probabilities(squared, self.spec.temperature)[0]
        nearest = self._prototypes.names[int(squared[0].argmin())]
        named = [
            (name, float(share))
            for name, share in zip(self._prototypes.names, shares, strict=True)
            if name != CAMERA
        ]
        total = sum(share for _, share in named)
        ordered = sorted(named, key=lambda pair: -pair[1])[:_SHOWN]
        fitting = fit >= self.spec.least_fit and nearest != CAMERA
        return Attribution(
            generator=nearest if fitting else UNKNOWN,
            candidates=tuple(
                Candidate(
                    generator=name,
                    probability=round(share / total, _CANDIDATE_DIGITS) if total else 0.0,
                )
                for name, share in ordered
            ),
            fit=round(fit, _CANDIDATE_DIGITS),
            least_fit=self.spec.least_fit,
            crops=crops,
            model=AttributorInfo(
                name=self.spec.name, version=self.spec.version, sha256=self.spec.identity
            ),
        )


def packaged_folder() -> Path:
    """Where the attributor lies that comes with authentiscan."""
    return Path(str(resources.files("authentiscan"))) / "detectors" / _FOLDER


def find_attributor(attributor: Path | str | None = None) -> Path:
    """The folder that ``attributor`` names: None and ``default`` for the packaged one, a bundle's
    folder, a run's folder or a run's name. Raises BundleNotFoundError.
    """
    if attributor is None or attributor == DEFAULT:
        folder = packaged_folder()
        if not (folder / SPEC_FILE).is_file():
            raise BundleNotFoundError(
                f"this installation carries no attributor ({folder} has no {SPEC_FILE}); name a "
                "bundle's folder, or train one with `authentiscan attribution train`"
            )
        return folder
    return find_bundle(attributor)


def load_attributor(
    attributor: Path | str | None = None, *, threads: int | None = None, verify: bool = True
) -> Attributor:
    """Make the attributor that ``attributor`` names ready; `find_attributor` says what may stand
    there.

    threads: CPU threads for one batch of crops; None for all cores. verify: refuse files whose
    checksum is not the stated one. Raises a `BundleError` leaf.
    """
    folder = find_attributor(attributor)
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    spec = read_attributor(folder, verify=verify)
    return Attributor(spec, OnnxEmbedding(folder, threads=threads))
