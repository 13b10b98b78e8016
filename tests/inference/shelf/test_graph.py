"""ONNX files of every contract become graphs of bundles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from authentiscan.core.errors import BundleError
from authentiscan.inference.onnx_backend import OnnxBackend
from authentiscan.inference.shelf.card import Output
from authentiscan.inference.shelf.graph import adopt

from .conftest import SIZE, write_onnx

RANDOM = np.random.default_rng(1).standard_normal((5, 3, SIZE, SIZE)).astype(np.float32)


def linear(classes: int) -> np.ndarray:
    weights = np.linspace(-2, 3, 3 * classes).reshape(3, classes).astype(np.float32)
    return RANDOM.mean((2, 3)) @ weights


def run(source: Path, output: Output, head: Path | None = None, size: int = SIZE):
    target = source.parent / "model.onnx"
    made = adopt(source, target, output, size, head)
    return made, OnnxBackend(source.parent, size=size).logits(RANDOM)


def test_a_logit_is_taken_as_it_is(tmp_path: Path) -> None:
    source = write_onnx(tmp_path / "a.onnx", [helper.make_node("Identity", ["z"], ["logit"])])
    made, found = run(source, Output(kind="logit"))
    np.testing.assert_allclose(found, linear(1)[:, 0], rtol=1e-5)
    assert made.parameters >= 3
    assert made.batch is None


def test_half_precision_and_names_of_ours_are_no_trouble(tmp_path: Path) -> None:
    tail = [helper.make_node("Identity", ["z"], ["logits"])]
    source = write_onnx(tmp_path / "a.onnx", tail, "logits", kind=TensorProto.FLOAT16)
    _, found = run(source, Output(kind="logit", node="logits"))
    np.testing.assert_allclose(found, linear(1)[:, 0], atol=2e-3)


def test_a_probability_becomes_its_logit(tmp_path: Path) -> None:
    tail = [helper.make_node("Sigmoid", ["z"], ["p"]), helper.make_node("Squeeze", ["p"], ["q"])]
    source = write_onnx(tmp_path / "a.onnx", tail, "q", ("n",))
    _, found = run(source, Output(kind="probability", node="q"))
    np.testing.assert_allclose(found, linear(1)[:, 0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("opset", [13, 18])
def test_classes_that_mean_generated_stand_against_the_others(tmp_path: Path, opset: int) -> None:
    z = linear(3)
    source = write_onnx(
        tmp_path / "a.onnx",
        [helper.make_node("Identity", ["z"], ["out"])],
        "out",
        ("n", 3),
        classes=3,
        opset=opset,
    )
    _, found = run(source, Output(kind="logits", generated=(0, 2)))
    expected = np.logaddexp(z[:, 0], z[:, 2]) - z[:, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_probabilities_of_classes_add_up(tmp_path: Path) -> None:
    z = linear(3)
    tail = [helper.make_node("Softmax", ["z"], ["p"], axis=1)]
    source = write_onnx(tmp_path / "a.onnx", tail, "p", ("n", 3), classes=3)
    _, found = run(source, Output(kind="probabilities", generated=(1, 2)))
    expected = np.logaddexp(z[:, 1], z[:, 2]) - z[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_an_embedding_is_judged_by_its_head(tmp_path: Path) -> None:
    z = linear(4)
    tail = [helper.make_node("Identity", ["z"], ["e"])]
    source = write_onnx(tmp_path / "a.onnx", tail, "e", ("n", 4), classes=4)
    head = tmp_path / "head.json"
    head.write_text(json.dumps({"weights": [1, -2, 3, 0.5], "bias": 0.25}))
    _, found = run(source, Output(kind="embedding", head="head.json"), head)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(found, unit @ [1, -2, 3, 0.5] + 0.25, rtol=1e-4)
    head.write_text(json.dumps({"weights": ["a"]}))
    with pytest.raises(BundleError, match="holds no weights and bias"):
        run(source, Output(kind="embedding", head="head.json"), head)


def test_crops_that_change_each_other_go_one_by_one(tmp_path: Path) -> None:
    tail = [  # as graphs that scale by the largest number of the batch do
        helper.make_node("ReduceMax", ["z"], ["most"], keepdims=0),
        helper.make_node("Mul", ["z", "most"], ["logit"]),
    ]
    made, _ = run(write_onnx(tmp_path / "a.onnx", tail), Output(kind="logit"))
    assert made.batch == 1


def test_graphs_of_another_contract_are_refused(tmp_path: Path) -> None:
    same = [helper.make_node("Identity", ["z"], ["logit"])]
    source = write_onnx(tmp_path / "a.onnx", same)
    with pytest.raises(BundleError, match=r"has no output 'score'; it has \['logit'\]"):
        run(source, Output(kind="logit", node="score"))
    with pytest.raises(BundleError, match=r"the card names classes \[1\]"):
        run(source, Output(kind="logits", generated=(1,)))
    with pytest.raises(BundleError, match=r"its card says \(N, 3, 48, 48\)"):
        run(source, Output(kind="logit"), size=48)
    source.write_bytes(b"no graph at all")
    with pytest.raises(BundleError, match="is no ONNX graph"):
        run(source, Output(kind="logit"))
