"""Bundles of a quarter of the size: weights of products of matrices as small whole numbers.

Every column's weights are cut into blocks of up to 256, each block scaled by its largest number to
a few levels (Dettmers et al., *LLM.int8()*, NeurIPS 2022, for the columns). ONNX Runtime's
`MatMulNBits` rounds what comes in block by block as well, so that a score does not depend on its
batch. Other processors than x86 with VNNI were not tried: the bundle's selftest watches. Fewer
levels change scores more and make files that zip (a wheel is one) packs better: 255 take 7.5 bits a
weight in it, 31 about 4.9.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import BundleError, MissingExtraError, UsageError
from authentiscan.core.files import write_text
from authentiscan.inference.bundle import CARD_FILE, read_spec, write_spec
from authentiscan.inference.card import model_card
from authentiscan.inference.folder import replaced_bundle
from authentiscan.inference.onnx_backend import OnnxBackend
from authentiscan.inference.selftest import drift_of, probes
from authentiscan.inference.spec import FOREIGN, ONNX_FILE, WEIGHTS_FILE, NetworkSpec

MOST_DRIFT = 0.25
"""Largest difference of a logit from the full graph's that 255 levels may show: 6 points."""

LEVELS = 255
_BLOCK = 256
_CONTRIB = "com.microsoft"


def quantise_bundle(
    bundle: Path, folder: Path, *, levels: int = LEVELS, most_drift: float = MOST_DRIFT
) -> float:
    """Write ``bundle``, a network's, with weights of ``levels`` levels into ``folder``.

    levels: odd, 3 to 255. Returns the largest drift of a logit of fixed crops. Of the weights
    beside the graph only those that learned are kept, where the rest comes from a package or the
    hub; else none are. Raises UsageError for an ensemble or other levels, BundleError where a logit
    drifts by more than ``most_drift``; nothing is left then.
    """
    if not (3 <= levels <= LEVELS and levels % 2):
        raise UsageError(f"levels is {levels}; allowed: an odd number from 3 to {LEVELS}")
    spec = read_spec(bundle)
    if not isinstance(spec, NetworkSpec):
        raise UsageError(f"{bundle} is an ensemble: quantise its members, then join them")
    size = spec.preprocess.size
    crops = spec.preprocess.tensor(probes(size))
    before = tuple(float(v) for v in OnnxBackend(bundle, size=size).logits(crops))
    with replaced_bundle(folder) as partial:
        quantise_graph(bundle / ONNX_FILE, partial / ONNX_FILE, levels=levels)
        found = OnnxBackend(partial, size=size).logits(crops)
        drift = drift_of(found, before)
        if not drift <= most_drift:
            raise BundleError(
                f"with {levels} levels a logit drifts by {drift:.2f}; at most {most_drift} is "
                "allowed: take more levels, halve the bundle instead, or keep it as it is"
            )
        stated = tuple(float(v) for v in found)
        written = write_spec(partial, _described(spec, bundle, partial, stated))
        write_text(partial / CARD_FILE, model_card(written))
    return drift


def _described(
    spec: NetworkSpec, bundle: Path, partial: Path, stated: tuple[float, ...]
) -> NetworkSpec:
    """The new description; what learned goes into ``partial``, where it makes the network again."""
    arguments = {**spec.architecture.arguments, "pretrained": True}
    name = spec.architecture.name
    if spec.foreign or not _keep_learned(bundle / WEIGHTS_FILE, partial / WEIGHTS_FILE, spec):
        arguments, name = {"of": name}, FOREIGN
    made = spec.architecture.model_copy(update={"name": name, "arguments": arguments})
    return spec.model_copy(update={"architecture": made, "selftest": stated, "files": {}})


def _keep_learned(weights: Path, target: Path, spec: NetworkSpec) -> bool:
    """Write what learned of ``weights``; False where the fixed part has no other source."""
    frozen = spec.architecture.arguments.get("adapt", "frozen") == "frozen"
    if spec.architecture.name != "foundation" or not frozen:
        return False
    try:
        from safetensors.numpy import load_file, save_file
    except ModuleNotFoundError as error:
        raise MissingExtraError("weights beside a graph", "export") from error
    learned = {k: v for k, v in load_file(weights).items() if not k.startswith("backbone.")}
    save_file(learned, target)
    target.chmod(0o644)  # the library writes for the owner alone
    return True


def quantise_graph(source: Path, target: Path, *, levels: int = LEVELS) -> None:
    """Write the ONNX graph ``source`` with small whole numbers in its products of matrices.

    Only products with fixed weights (K, N), K a multiple of 16, that nothing else reads, as the
    heatmap does with those of a head; everything else stays as it is. Raises MissingExtraError
    without onnx, UsageError for a graph that has no such product.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ModuleNotFoundError as error:
        raise MissingExtraError("smaller graphs", "export") from error
    model = onnx.load(source)
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    read = Counter(name for node in model.graph.node for name in node.input)
    multiplied = Counter(node.input[1] for node in products)
    alone = {name for name, times in multiplied.items() if times == read[name]}
    weights = {item.name: item for item in model.graph.initializer if item.name in alone}
    chosen: dict[str, int] = {}
    for node in products:
        weight = weights.get(node.input[1])
        block = _block(tuple(weight.dims)) if weight is not None else 0
        if weight is None or not block:
            continue
        inner, outer = weight.dims
        node.op_type, node.domain = "MatMulNBits", _CONTRIB
        node.input[:] = [node.input[0], f"{weight.name}.codes", f"{weight.name}.scales"]
        attributes = {"K": inner, "N": outer, "bits": 8, "block_size": block, "accuracy_level": 4}
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        chosen[weight.name] = block
    if not chosen:
        raise UsageError(
            f"{source} has no product of matrices with fixed weights: halve it instead"
        )
    for name, block in chosen.items():
        codes, scales = _coded(numpy_helper.to_array(weights[name]), block, levels)
        model.graph.initializer.remove(weights[name])
        model.graph.initializer.append(numpy_helper.from_array(codes, f"{name}.codes"))
        model.graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scales"))
    if all(entry.domain != _CONTRIB for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_CONTRIB, 1))
    del model.graph.value_info[:]
    onnx.save(model, target)


def _block(shape: tuple[int, ...]) -> int:
    """Weights that share one scale: 256, 128, 64, 32 or 16 where that divides K; 0 for none."""
    if len(shape) != 2:
        return 0
    return next((block for block in (_BLOCK, 128, 64, 32, 16) if shape[0] % block == 0), 0)


def _coded(
    weight: NDArray[np.float32], block: int, levels: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Codes (N, K / block, block) around 128 and scales (N * K / block,) of weights (K, N)."""
    inner, outer = weight.shape
    blocks = np.asarray(weight, dtype=np.float32).T.reshape(outer, inner // block, block)
    half = (levels - 1) // 2
    # Rounded so that they pack well; a block of zeros keeps any scale.
    scales = (np.abs(blocks).max(axis=2) / half).astype(np.float16).astype(np.float32)
    scales[scales == 0] = 1.0
    codes = np.clip(np.rint(blocks / scales[..., None]), -half, half)
    return (codes + 128).astype(np.uint8), scales.ravel()
