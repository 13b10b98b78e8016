"""The network on ONNX Runtime: no torch, CUDA where the installed runtime has it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from authentiscan.core.errors import BundleError
from authentiscan.images.preprocess import Tensor
from authentiscan.inference.spec import ONNX_FILE

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_FATAL = 4  # errors come as exceptions: none is printed on standard error too
_INSIDES = re.compile(  # codes, and the places and functions of the runtime's own source
    r"\[\w+Error\](?: : \d+ : \w+ : | )|Exception during initialization: "
    r"|\S*\.(?:cc|h|hpp|cpp):\d+ (?:[\w:<>&*,~ ]*::~?\w+\([^()]*\)(?: const)?|\w+) "
)
_CAMS = {"generated": "cam", "real": "cam_real"}


def open_session(path: Path, threads: int | None = None) -> ort.InferenceSession:
    """A session on the graph in ``path``, with ``threads`` for one batch, None for all cores.

    Raises BundleError where the graph cannot be loaded.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL
    if threads is not None:
        options.intra_op_num_threads = threads
    available = ort.get_available_providers()
    try:
        return ort.InferenceSession(
            str(path),
            options,
            providers=[name for name in _PROVIDERS if name in available],
            enable_fallback=0,  # it would print about a damaged graph on standard output
        )
    except Exception as error:  # the runtime's exceptions share no public base
        raise BundleError(
            f"{path} cannot be loaded by ONNX Runtime: {first_line(error)}"
        ) from error


class OnnxBackend:
    """One inference session on ``model.onnx`` of ``folder``; may be shared by threads.

    size: side of the input that the preprocessing gives. Raises BundleError where the graph cannot
    be loaded, lacks the contract's input and output, or has them in another shape.
    """

    def __init__(
        self, folder: Path, *, threads: int | None = None, size: int | None = None
    ) -> None:
        path = folder / ONNX_FILE
        self.session = open_session(path, threads)
        self._path = path
        inputs = [node.name for node in self.session.get_inputs()]
        self._outputs = {node.name for node in self.session.get_outputs()}
        if inputs != ["image"] or "logits" not in self._outputs:
            raise BundleError(
                f"{path} has inputs {inputs} and outputs {sorted(self._outputs)}; "
                "expected input 'image' and output 'logits'"
            )
        self._check_shapes(path, size)
        # Without this the whole graph runs, maps included, whatever was asked for.
        self._run_options = ort.RunOptions()
        self._run_options.only_execute_path_to_fetches = True
        self._run_options.log_severity_level = _FATAL

    def _check_shapes(self, path: Path, size: int | None) -> None:
        """A named dimension may be any number; a stated one must be the right one."""
        (image,) = self.session.get_inputs()
        logits = next(node for node in self.session.get_outputs() if node.name == "logits")
        wanted = [None, 3, size, size]
        fits = len(image.shape) == len(wanted) and all(
            not isinstance(found, int) or not isinstance(side, int) or found == side
            for found, side in zip(image.shape, wanted, strict=True)
        )
        if not fits or len(logits.shape) != 1:
            raise BundleError(
                f"{path} takes images of shape {image.shape} and gives logits of shape "
                f"{logits.shape}; the preprocessing gives (N, 3, {size or 'S'}, {size or 'S'}), "
                "and logits are (N,)"
            )

    @property
    def provider(self) -> str:
        """Name of the execution provider in use, such as ``CPUExecutionProvider``."""
        return str(self.session.get_providers()[0])

    @property
    def explains(self) -> bool:
        """Whether the graph gives Grad-CAM maps."""
        return self._outputs >= set(_CAMS.values())

    def logits(self, tensor: Tensor) -> NDArray[np.float32]:
        """Logits (N,) of input (N, 3, S, S)."""
        (logits,) = self._run(["logits"], tensor)
        return logits

    def explain(self, tensor: Tensor, target: str) -> tuple[NDArray[np.float32], Tensor]:
        """Logits (N,) and Grad-CAM (N, h, w) >= 0 for ``generated`` or ``real``."""
        name = _CAMS[target]
        if name not in self._outputs:
            raise BundleError(
                f"{self._path} has no output {name!r}, so there is no heatmap; export it again, "
                "where the graph is this program's own"
            )
        logits, maps = self._run(["logits", name], tensor)
        return logits, maps

    def _run(self, outputs: list[str], tensor: Tensor) -> list[NDArray[np.float32]]:
        """Raises BundleError where the graph does not run or gives other than (N,) logits."""
        try:
            made = self.session.run(outputs, {"image": tensor}, self._run_options)
            logits, *rest = (np.asarray(values, dtype=np.float32) for values in made)
        except Exception as error:  # as above
            raise BundleError(f"{self._path} cannot be run: {first_line(error)}") from error
        if logits.shape != (len(tensor),):
            raise BundleError(
                f"{self._path} gives logits of shape {logits.shape} for {len(tensor)} crops"
            )
        return [logits, *rest]


def first_line(error: Exception) -> str:
    """The runtime's words without its codes and the insides of its program."""
    words = _INSIDES.sub("", " ".join(str(error).split()))
    return words.replace("TensorProto", "tensor")[:300]
