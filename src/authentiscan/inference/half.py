"""Bundles of half the size: weights rounded to float16 and stored so, computed with as float32.

Only what has two or more dimensions is rounded; normalisation statistics and biases stay whole,
since small variances have no float16. The exporter folds normalisation into the graph's weights,
which are rounded after that, so that graph and weights agree to about a hundredth of a logit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from authentiscan.core.errors import BundleError, UsageError
from authentiscan.core.files import write_text
from authentiscan.inference.bundle import CARD_FILE, read_spec, write_spec
from authentiscan.inference.card import model_card
from authentiscan.inference.export import export_onnx
from authentiscan.inference.folder import replaced_bundle
from authentiscan.inference.onnx_backend import OnnxBackend
from authentiscan.inference.spec import FOREIGN, ONNX_FILE, WEIGHTS_FILE, NetworkSpec
from authentiscan.inference.torch_backend import load_model
from authentiscan.models.base import ImageClassifier

TOLERANCE = 0.02
"""Between graph and weights, relative to 1 or the largest logit."""

LARGEST = float(np.finfo(np.float16).max)


def halve_bundle(bundle: Path, folder: Path, *, graph_only: bool = False) -> NetworkSpec:
    """Write ``bundle``, a network's, into ``folder`` with its weights as float16.

    graph_only: leave out the weights beside the graph; it then runs on ONNX Runtime alone, and can
    neither learn nor be exported again.

    Scores change a little, as the weights are rounded: calibrate or evaluate it again where that
    matters. Raises UsageError for an ensemble and for weights too large for float16, a BundleError
    leaf for what cannot be read.
    """
    spec = read_spec(bundle)
    if not isinstance(spec, NetworkSpec):
        raise UsageError(f"{bundle} is an ensemble: halve its members, then join them")
    model = load_model(bundle, spec)
    round_weights(model)
    with replaced_bundle(folder) as partial:
        _write_weights(model, partial / WEIGHTS_FILE)
        export_onnx(model, partial / ONNX_FILE, size=spec.preprocess.size)
        halve_graph(partial / ONNX_FILE)
        _check(model, spec, partial)
        if graph_only:
            (partial / WEIGHTS_FILE).unlink()
            spec = without_weights(spec)
        written = write_spec(partial, spec)
        write_text(partial / CARD_FILE, model_card(written))
    return written


def without_weights(spec: NetworkSpec) -> NetworkSpec:
    """The description of a network of which only the graph is kept."""
    arguments = {"of": spec.architecture.name}
    made = spec.architecture.model_copy(update={"name": FOREIGN, "arguments": arguments})
    return spec.model_copy(update={"architecture": made, "files": {}})


def round_weights(model: nn.Module) -> None:
    """Round every tensor of two or more dimensions in ``model`` to the nearest float16, in place.

    Raises UsageError where one is beyond 65,504, the largest.
    """
    for name, tensor in model.state_dict().items():
        if tensor.dtype != torch.float32 or tensor.ndim < 2:
            continue
        if not float(tensor.abs().max()) <= LARGEST:
            raise UsageError(f"{name} holds numbers above {LARGEST:,.0f}, the largest float16")
        tensor.copy_(tensor.half().float())


def halve_graph(path: Path) -> None:
    """Round the weights of the ONNX graph at ``path`` to float16 and store them so; it computes
    with them as float32, as before.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto = onnx.load(path)
    graph = proto.graph
    casts = []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT or len(weight.dims) < 2:
            continue
        whole = numpy_helper.to_array(weight)
        if not np.abs(whole).max() <= LARGEST:
            continue
        half = whole.astype(np.float16)
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def _check(model: ImageClassifier, spec: NetworkSpec, folder: Path) -> None:
    """Raise BundleError where the graph's logits are far from those of the weights."""
    side = spec.preprocess.size
    crops = torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model(crops).numpy()
    found = OnnxBackend(folder, size=side).logits(crops.numpy())
    difference = float(np.abs(found - expected).max() / max(1.0, float(np.abs(expected).max())))
    if not difference <= TOLERANCE:
        raise BundleError(
            f"rounded to float16 the graph differs from its weights by {difference:.2e}; allowed "
            f"{TOLERANCE:.0e}: keep this bundle as it is"
        )


def _write_weights(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file

    def stored(tensor: torch.Tensor) -> torch.Tensor:
        whole = tensor.detach().cpu().contiguous()
        half = whole.half() if whole.dtype == torch.float32 and whole.ndim > 1 else whole
        return half if torch.equal(half.to(whole.dtype), whole) else whole

    save_file({name: stored(tensor) for name, tensor in model.state_dict().items()}, path)
    path.chmod(0o644)  # the library writes for the owner alone
