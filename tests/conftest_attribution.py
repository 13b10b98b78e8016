"""A small attributor whose graph is a colour mean: three numbers, known exactly."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from authentiscan.attribution.spec import AttributorSpec, Generator, write_attributor
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.spec import Architecture


def colour_graph(path: Path, output: str = "features") -> None:
    """`image` (N, 3, S, S) -> the mean of each channel times 100."""
    node = helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0)
    scale = helper.make_node("Mul", ["mean", "hundred"], [output])
    graph = helper.make_graph(
        [node, scale],
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", 3])],
        [
            helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
            helper.make_tensor("hundred", TensorProto.FLOAT, [], [100.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)


def always_generated(bundle: Path, folder: Path) -> Path:
    """A copy in ``folder`` of a detector's ``bundle`` that calls every image generated."""
    shutil.copytree(bundle, folder)
    place = folder / "detector.json"
    spec = json.loads(place.read_text())
    spec["decision"]["generated"]["score"] = spec["decision"]["real_below"] = 1e-9
    place.write_text(json.dumps(spec))
    return folder


def colour_spec() -> AttributorSpec:
    """`red`, `green` and photographs (blue); images within 10 of a prototype fit."""
    return AttributorSpec(
        name="colours",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        architecture=Architecture(name="single", parameters=0),
        preprocess=Preprocess(size=32, max_crops=4, mean=(0, 0, 0), std=(1, 1, 1)),
        generators=(
            Generator(name="red", prototype=(100, 0, 0), images=9),
            Generator(name="green", prototype=(0, 100, 0), images=9),
            Generator(name="camera", prototype=(0, 0, 100), images=9),
        ),
        temperature=500.0,
        distances=tuple(float(i) for i in range(0, 100, 5)),
        least_fit=0.06,
    )


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """The folder of that attributor."""
    folder = tmp_path / "colours"
    folder.mkdir()
    colour_graph(folder / "model.onnx")
    write_attributor(folder, colour_spec())
    return folder
