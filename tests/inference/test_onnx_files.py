"""Files that an ONNX graph names are found wherever tensors may lie."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from authentiscan.core.errors import BundleError
from authentiscan.inference.onnx_files import external_files


def outside(location: str, name: str = "w") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "8")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def model(*initializers: TensorProto, nodes: list | None = None) -> onnx.ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 2])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph(
        nodes or [helper.make_node("Identity", ["image"], ["logits"])],
        "g", [image], [logits], initializer=list(initializers),
    )  # fmt: skip
    return helper.make_model(graph)


def test_initializers_nodes_subgraphs_and_functions_are_looked_at(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["c"], value=outside("node.bin"))
    inner = helper.make_graph([], "inner", [], [], initializer=[outside("subgraph.bin")])
    branch = helper.make_node("If", ["c"], ["d"], then_branch=inner, else_branch=inner)
    made = model(outside("a.bin"), outside("../b.bin"), nodes=[constant, branch])
    made.functions.add().node.append(
        helper.make_node("Constant", [], ["e"], value=outside("function.bin"))
    )
    sparse = made.graph.sparse_initializer.add()
    sparse.values.CopyFrom(outside("sparse.bin"))
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    assert external_files(tmp_path / "m.onnx") == {
        "a.bin", "../b.bin", "node.bin", "subgraph.bin", "function.bin", "sparse.bin",
    }  # fmt: skip


def test_a_graph_with_its_weights_inside_names_none(tmp_path: Path) -> None:
    own = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    (tmp_path / "m.onnx").write_bytes(model(own).SerializeToString())
    assert external_files(tmp_path / "m.onnx") == frozenset()


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"no graph at all", b"\x3a\xff\xff\xff\x7f", b"\x80" * 40]
)
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(BundleError, match="no ONNX graph"):
        external_files(tmp_path / "m.onnx")


def test_a_cut_graph_is_refused(tmp_path: Path) -> None:
    whole = model(outside("a.bin")).SerializeToString()
    (tmp_path / "m.onnx").write_bytes(whole[:-20])
    with pytest.raises(BundleError):
        external_files(tmp_path / "m.onnx")


def test_graphs_in_graphs_without_end_are_refused(tmp_path: Path) -> None:
    inner = helper.make_graph([], "g0", [], [])
    for k in range(20):
        node = helper.make_node("If", ["c"], ["d"], then_branch=inner)
        inner = helper.make_graph([node], f"g{k + 1}", [], [])
    (tmp_path / "m.onnx").write_bytes(helper.make_model(inner).SerializeToString())
    with pytest.raises(BundleError, match="nested"):
        external_files(tmp_path / "m.onnx")
