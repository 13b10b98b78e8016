"""Writing bundles: weights, a checked ONNX graph with its Grad-CAM, description and card."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from authentiscan.core.errors import BundleError, MissingExtraError
from authentiscan.core.files import MARK, write_text
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.bundle import CARD_FILE, write_spec
from authentiscan.inference.card import model_card
from authentiscan.inference.folder import replaced_bundle
from authentiscan.inference.onnx_backend import open_session
from authentiscan.inference.recorded_metrics import Json, RecordedMetrics
from authentiscan.inference.spec import (
    ONNX_FILE,
    WEIGHTS_FILE,
    Ancestor,
    Architecture,
    DataUse,
    NetworkSpec,
)
from authentiscan.inference.versions import library_versions
from authentiscan.metrics.calibration import Calibration
from authentiscan.metrics.decision import Decision, Threshold, unmeasured_decision
from authentiscan.models.base import ImageClassifier

OPSET = 18
TOLERANCE = 1e-4


class _ExplainedGraph(nn.Module):
    """The exported forward pass: logits and both Grad-CAM maps, no autograd."""

    def __init__(self, model: ImageClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, signed = self.model.explain(image)
        return logits, torch.relu(signed), torch.relu(-signed)


def save_bundle(
    model: ImageClassifier,
    folder: Path | str,
    *,
    name: str,
    preprocess: Preprocess,
    calibration: Calibration | None = None,
    decision: Decision | None = None,
    thresholds: Sequence[Threshold] = (),
    metrics: Mapping[str, object] | None = None,
    recipe: Json | None = None,
    recipe_sha256: str = "",
    data: Sequence[DataUse] = (),
    lineage: Sequence[Ancestor] = (),
    licence: str = "Apache-2.0",
    summary: str = "",
    limits: Sequence[str] = (),
    release: str = "1",
    opset: int = OPSET,
) -> NetworkSpec:
    """Write ``model`` (made by `authentiscan.models.create`) as a bundle in ``folder``.

    The folder appears complete or not at all; an older bundle there is replaced, any other folder
    with content is refused with UsageError. The ONNX graph is run against torch before it is kept:
    a difference above 1e-4 raises BundleError. ``decision`` None writes `unmeasured_decision`,
    to be replaced with `update_spec` once the detector was calibrated.
    """
    architecture, arguments = model.architecture
    spec = NetworkSpec(
        name=name,
        version=release,
        created=datetime.now(UTC),
        architecture=Architecture(
            name=architecture, arguments=arguments, parameters=model.parameter_count()
        ),
        preprocess=preprocess,
        calibration=calibration or Calibration(),
        decision=decision or unmeasured_decision(),
        thresholds=tuple(thresholds),
        metrics=RecordedMetrics.read(metrics or {}),
        recipe=recipe or {},
        recipe_sha256=recipe_sha256,
        data=tuple(data),
        lineage=tuple(lineage),
        libraries=library_versions(),
        licence=licence,
        summary=summary,
        limits=tuple(limits),
    )
    with replaced_bundle(Path(folder)) as partial:
        _write_weights(model, partial / WEIGHTS_FILE)
        export_onnx(model, partial / ONNX_FILE, size=preprocess.size, opset=opset)
        written = write_spec(partial, spec)
        write_text(partial / CARD_FILE, model_card(written))
    return written


def export_onnx(
    model: nn.Module, path: Path, *, size: int, opset: int = OPSET, cam: bool = True
) -> float:
    """Write ``model`` as ONNX: `image` (N, 3, S, S) -> `logits` (N,), `cam`, `cam_real` (N, h, w).

    S is ``size``. With ``cam`` false only the logits, of any network that gives them. Returns the
    largest difference from torch on check batches, relative to 1 or the largest value; above 1e-4
    raises BundleError, no file left.
    """
    was_training, device = model.training, next(model.parameters()).device
    model.eval().cpu()
    try:
        graph: nn.Module = _OnlyLogits(model)
        if cam:
            assert isinstance(model, ImageClassifier)
            graph = _ExplainedGraph(model)
        graph.eval()
        outputs = ["logits", "cam", "cam_real"] if cam else ["logits"]
        return export_graph(graph, path, size=size, outputs=outputs, opset=opset)
    finally:
        model.train(was_training).to(device)


def export_graph(
    graph: nn.Module,
    path: Path,
    *,
    size: int,
    outputs: list[str],
    opset: int = OPSET,
    tolerance: float | None = None,
) -> float:
    """Write ``graph``, on the CPU and in evaluation mode, as ONNX: `image` (N, 3, S, S) ->
    ``outputs``.

    Returns the largest difference from torch on check batches, relative to 1 or the largest value;
    above ``tolerance`` (1e-4) raises BundleError, no file left. Raises MissingExtraError without
    onnxscript.
    """
    try:
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("ONNX export", "export") from error
    with _quiet_exporter(), torch.no_grad():
        torch.onnx.export(
            graph,
            (torch.zeros(2, 3, size, size),),
            str(path),
            input_names=["image"],
            output_names=outputs,
            opset_version=opset,
            dynamo=True,
            dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1, max=1024)}},
            external_data=False,
            verbose=False,
        )
    _strip_traces(path)
    difference = _difference(graph, path, outputs, size)
    allowed = TOLERANCE if tolerance is None else tolerance
    if not difference <= allowed:
        path.unlink(missing_ok=True)
        raise BundleError(
            f"the ONNX graph differs from torch by {difference:.2e}; allowed {allowed:.0e}"
        )
    return difference


def _strip_traces(path: Path) -> None:
    """Drop the exporter's notes: stack traces with this machine's paths, half of a small file."""
    import onnx

    proto = onnx.load(path)
    proto.doc_string = ""
    del proto.metadata_props[:]
    graph = proto.graph
    for item in (
        graph,
        *graph.node,
        *graph.value_info,
        *graph.input,
        *graph.output,
        *graph.initializer,
    ):
        item.doc_string = ""
        del item.metadata_props[:]
    onnx.helper.set_model_props(proto, {"made_by": MARK.decode()})
    onnx.save(proto, path)


class _OnlyLogits(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.model(image)
        return logits


def _difference(graph: nn.Module, path: Path, outputs: list[str], size: int) -> float:
    """Largest absolute difference between torch and ONNX, relative to 1 or the largest value."""
    session = open_session(path)
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for count in (1, 3):
        image = torch.randn(count, 3, size, size, generator=generator)
        with torch.no_grad():
            expected = graph(image)
        expected = expected if isinstance(expected, tuple) else (expected,)
        found = session.run(outputs, {"image": image.numpy()})
        for reference, value in zip(expected, found, strict=True):
            truth = reference.numpy()
            scale = max(1.0, float(np.abs(truth).max()))
            worst = max(worst, float(np.abs(truth - np.asarray(value)).max()) / scale)
    return worst


def _write_weights(model: ImageClassifier, path: Path) -> None:
    from safetensors.torch import save_file

    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    save_file(state, path)
    path.chmod(0o644)  # the library writes for the owner alone


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter warns of its own internals at length; none of it concerns the caller."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
