"""Turning an ONNX file of others into the graph of a bundle; its own nodes stay as they are.

The input is renamed to ``image``, and nodes are added behind the output that make one logit of it,
positive for *generated*. What comes out is run before it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from authentiscan.core.errors import BundleError, MissingExtraError
from authentiscan.inference.onnx_backend import OnnxBackend
from authentiscan.inference.onnx_files import external_files
from authentiscan.inference.shelf.card import Output
from authentiscan.inference.spec import ONNX_FILE

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

_NEW = "authentiscan_"
_LEAST = 1e-6  # of a probability, so that its logit is finite: 13.8
_SAME = 1e-3
"""Largest difference of logits between one crop and several at once that counts as none."""


@dataclass(frozen=True)
class Adopted:
    """parameters: numbers in the graph. batch: most crops at once, None for any number."""

    parameters: int
    batch: int | None


def adopt(source: Path, target: Path, output: Output, size: int, head: Path | None) -> Adopted:
    """Write the ONNX file ``source`` as ``target``, a `model.onnx` that takes (N, 3, size, size).

    head: the linear head of an embedding. Raises BundleError where the graph is not of the kind
    that ``output`` says, or cannot be run.
    """
    onnx = _onnx()
    if external_files(source):
        raise BundleError(f"{source} keeps weights in other files; make one file of it")
    try:
        model = onnx.load(source)
    except Exception as error:  # protobuf's errors share no public base
        raise BundleError(f"{source} is no ONNX file") from error
    graph = model.graph
    for name in ("image", "logits"):
        _rename(graph, name, f"{_NEW}source_{name}")
    _input(model, size)
    found, classes = _chosen(graph, output)
    tail = _Tail(graph, _opset(model), classes)
    last = tail.logit(found, output, _linear(head) if head else None)
    graph.node.append(onnx.helper.make_node("Identity", [last], ["logits"]))
    del graph.output[:]
    graph.output.append(
        onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch"])
    )
    del graph.value_info[:]
    onnx.save(model, target)
    return Adopted(_parameters(graph), _batch(target, size))


def _onnx() -> ModuleType:
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingExtraError("the shelf", "shelf") from error
    return onnx


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """``graph`` and those inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _graphs(inner)


def _rename(graph: GraphProto, old: str, new: str) -> None:
    for one in _graphs(graph):
        for node in one.node:
            for names in (node.input, node.output):
                for place, name in enumerate(names):
                    if name == old:
                        names[place] = new
        for item in (*one.input, *one.output, *one.initializer, *one.value_info):
            if item.name == old:
                item.name = new


def _input(model: ModelProto, size: int) -> None:
    """The only input becomes ``image``, float32 (N, 3, size, size)."""
    onnx = _onnx()
    graph = model.graph
    constant = {item.name for item in graph.initializer}
    given = [item for item in graph.input if item.name not in constant]
    if len(given) != 1:
        raise BundleError(f"the graph has inputs {[i.name for i in given]}; it must have one image")
    kind, shape = given[0].type.tensor_type.elem_type, given[0].type.tensor_type.shape.dim
    sides = [dim.dim_value for dim in shape]
    if len(sides) != 4 or any(
        s not in (0, w) for s, w in zip(sides[1:], (3, size, size), strict=True)
    ):
        raise BundleError(
            f"the graph takes {sides or 'no stated shape'}; its card says (N, 3, {size}, {size})"
        )
    old = given[0].name
    graph.input.remove(given[0])
    graph.input.insert(
        0,
        onnx.helper.make_tensor_value_info(
            "image", onnx.TensorProto.FLOAT, ["batch", 3, size, size]
        ),
    )
    if kind == onnx.TensorProto.FLOAT:
        _rename(graph, old, "image")
    else:
        graph.node.insert(0, onnx.helper.make_node("Cast", ["image"], [old], to=kind))


def _chosen(graph: GraphProto, output: Output) -> tuple[str, int]:
    """Name of the output that is used, and how many classes it has; 0 where it has none."""
    names = [item.name for item in graph.output]
    node = output.node
    wanted = f"{_NEW}source_{node}" if node in ("image", "logits") else node
    if wanted is not None and wanted not in names:
        raise BundleError(f"the graph has no output {node!r}; it has {names}")
    chosen = graph.output[names.index(wanted) if wanted else 0]
    if not output.generated:
        return str(chosen.name), 0
    sides = [dim.dim_value for dim in chosen.type.tensor_type.shape.dim]
    numbers = [c for c in output.generated if isinstance(c, int)]
    if len(sides) != 2 or sides[1] < 2 or not all(0 <= c < sides[1] for c in numbers):
        raise BundleError(
            f"output {chosen.name!r} has shape {sides}; the card names classes {numbers} of it"
        )
    if len(numbers) != len(output.generated) or len(set(numbers)) >= sides[1]:
        raise BundleError("classes of an ONNX graph are given by number, and one must be left over")
    return str(chosen.name), sides[1]


def _opset(model: ModelProto) -> int:
    return int(max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")))


def _linear(head: Path) -> tuple[NDArray[np.float32], float]:
    try:
        content = json.loads(head.read_text(encoding="utf-8"))
        weights = np.asarray(content["weights"], dtype=np.float32)
        bias = float(content.get("bias", 0.0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{head} holds no weights and bias of a linear head") from error
    if weights.ndim != 1 or not np.isfinite(weights).all() or not np.isfinite(bias):
        raise BundleError(f"{head}: weights are a list of finite numbers, the bias is one")
    return weights, bias


class _Tail:
    """Nodes behind a graph; every method gives the name of the tensor that it made."""

    def __init__(self, graph: GraphProto, opset: int, classes: int) -> None:
        self._graph, self._opset, self._classes, self._count = graph, opset, classes, 0

    def logit(
        self, name: str, output: Output, head: tuple[NDArray[np.float32], float] | None
    ) -> str:
        """(N,) float32, positive for generated."""
        onnx = _onnx()
        x = self._add("Cast", [name], to=onnx.TensorProto.FLOAT)
        if output.kind == "logit":
            return self._flat(x)
        if output.kind == "probability":
            return self._odds(self._flat(x))
        if output.kind == "embedding":
            assert head is not None
            weights, bias = head
            unit = self._add("LpNormalization", [x], axis=-1, p=2)
            product = self._add("MatMul", [unit, self._constant(weights[:, None])])
            return self._flat(
                self._add("Add", [product, self._constant(np.asarray([bias], np.float32))])
            )
        classes = [c for c in output.generated if isinstance(c, int)]
        if output.kind == "probabilities":
            share = self._reduce("ReduceSum", self._pick(x, classes))
            return self._odds(self._flat(share))
        mine = self._reduce("ReduceLogSumExp", self._pick(x, classes))
        others = [c for c in range(self._classes) if c not in classes]
        rest = self._reduce("ReduceLogSumExp", self._pick(x, others))
        return self._flat(self._add("Sub", [mine, rest]))

    def _odds(self, p: str) -> str:
        low, high = (self._constant(np.float32(v)) for v in (_LEAST, 1 - _LEAST))
        inside = self._add("Clip", [p, low, high])
        other = self._add("Sub", [self._constant(np.float32(1)), inside])
        return self._add("Sub", [self._add("Log", [inside]), self._add("Log", [other])])

    def _pick(self, x: str, classes: Iterable[int]) -> str:
        return self._add("Gather", [x, self._constant(np.asarray(list(classes), np.int64))], axis=1)

    def _reduce(self, kind: str, x: str) -> str:
        if self._opset >= (13 if kind == "ReduceSum" else 18):
            return self._add(kind, [x, self._constant(np.asarray([1], np.int64))], keepdims=0)
        return self._add(kind, [x], axes=[1], keepdims=0)

    def _flat(self, x: str) -> str:
        return self._add("Reshape", [x, self._constant(np.asarray([-1], np.int64))])

    def _constant(self, values: ArrayLike) -> str:
        name = self._name()
        self._graph.initializer.append(_onnx().numpy_helper.from_array(np.asarray(values), name))
        return name

    def _add(self, kind: str, inputs: list[str], **attributes: int | list[int]) -> str:
        name = self._name()
        self._graph.node.append(_onnx().helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"{_NEW}{self._count}"


def _parameters(graph: GraphProto) -> int:
    return int(sum(np.prod(item.dims, dtype=np.int64) for item in graph.initializer))


def _batch(path: Path, size: int) -> int | None:
    """1 where the logits of crops depend on their neighbours, or only one is taken; else None.

    So it is with 8-bit graphs that scale by the largest number of the whole batch.
    """
    if path.name != ONNX_FILE:
        raise BundleError(f"a bundle's graph is called {ONNX_FILE}, not {path.name}")
    backend = OnnxBackend(path.parent, size=size)
    noise = np.random.default_rng(0).standard_normal((3, 3, size, size)).astype(np.float32)
    alone = np.concatenate([backend.logits(noise[i : i + 1]) for i in range(3)])
    if not np.isfinite(alone).all():
        raise BundleError(f"{path} gives logits that are no numbers")
    try:
        together = backend.logits(noise)
    except BundleError:
        return 1
    return None if np.abs(together - alone).max() <= _SAME * max(1, np.abs(alone).max()) else 1
