"""A bundle is input: what its description and its files may say, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto

from authentiscan.core.errors import BundleError, BundleIntegrityError
from authentiscan.core.files import file_sha256
from authentiscan.inference import load_detector, read_spec
from authentiscan.inference.bundle import write_spec


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_bundle, tmp_path / "bundle")
    return tmp_path / "bundle"


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "detector.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def calibrated(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda spec: spec.update(calibration=fields)


INVALID: dict[str, Callable[[dict[str, Any]], object]] = {
    "a falling slope": calibrated(kind="platt", slope=-1.0),
    "an endless intercept": lambda s: s["calibration"].update(intercept=1e999),
    "a slope that overflows": lambda s: s["calibration"].update(slope=1e300),
    "logits that overflow": calibrated(kind="isotonic", logits=[-1e308, 1e308], scores=[0, 1]),
    "a mean that overflows": lambda s: s["preprocess"].update(mean=[1e30, 0, 0]),
    "no knots": calibrated(kind="isotonic", logits=[], scores=[]),
    "one knot": calibrated(kind="isotonic", logits=[0], scores=[0.5]),
    "fewer scores than logits": calibrated(kind="isotonic", logits=[0, 1, 2], scores=[0, 1]),
    "scores beyond 0 and 1": calibrated(kind="isotonic", logits=[0, 1], scores=[-7, 5]),
    "falling scores": calibrated(kind="isotonic", logits=[0, 1], scores=[0.9, 0.1]),
    "falling logits": calibrated(kind="isotonic", logits=[1, 0], scores=[0, 1]),
    "equal logits": calibrated(kind="isotonic", logits=[1, 1], scores=[0, 1]),
    "real above generated": lambda s: s["decision"].update(real_below=0.99),
    "generated from 0": lambda s: s["decision"].update(
        real_below=0, generated=s["decision"]["generated"] | {"score": 0}
    ),
    "real below 1": lambda s: s["decision"].update(
        real_below=1, generated=s["decision"]["generated"] | {"score": 1}
    ),
    "one score for all images": calibrated(kind="platt", slope=0, intercept=3),
    "only high scores": calibrated(kind="isotonic", logits=[0, 1], scores=[0.9, 1]),
    "only low scores": calibrated(kind="isotonic", logits=[0, 1], scores=[0, 0.01]),
    "a threshold above 1": lambda s: s["decision"]["generated"].update(score=1.5),
    "a rate above 1": lambda s: s["decision"]["generated"].update(fpr=1.5),
    "an interval turned round": lambda s: s["decision"]["generated"].update(
        fpr_interval=[0.5, 0.1]
    ),
    "labels turned round": lambda s: s.update(labels={"0": "generated", "1": "real"}),
    "a third label": lambda s: s.update(labels={"0": "real", "1": "generated", "2": "art"}),
    "no labels": lambda s: s.update(labels={}),
    "a range turned round": lambda s: s.update(typical={"noise": [2, 1]}),
    "a range without end": lambda s: s.update(verdict_range={"noise": [0, 1e999]}),
    "an input without end": lambda s: s["preprocess"].update(size=10**6),
    "crops without end": lambda s: s["preprocess"].update(max_crops=10**9),
    "layers without end": lambda s: s["architecture"]["arguments"].update(depths=[2**70, 1]),
    "more layers than digits": lambda s: s["architecture"]["arguments"].update(depths=[10**999]),
    "an unknown key": lambda s: s.update(metrics2=1),
}


@pytest.mark.parametrize("name", INVALID)
def test_a_description_that_cannot_be_right_is_refused(bundle: Path, name: str) -> None:
    change(bundle, INVALID[name])
    with pytest.raises(BundleError, match=r"not a valid detector|is no number") as caught:
        load_detector(bundle)
    message = str(caught.value)
    assert "\n" not in message
    assert "pydantic" not in message
    assert len(message) < 600


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "\0\0", "[" * 200_000, '{"a":' * 100_000, '{"schema_version": NaN}',
        '{"schema_version": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_a_description_that_is_no_record_is_refused(bundle: Path, text: str) -> None:
    (bundle / "detector.json").write_text(text)
    with pytest.raises(BundleError):
        read_spec(bundle)


def test_not_a_number_in_a_description_is_refused(bundle: Path) -> None:
    change(bundle, lambda s: s["calibration"].update(slope=float("nan")))
    with pytest.raises(BundleError, match="NaN is no number"):
        read_spec(bundle)


@pytest.mark.parametrize("size", [8, 24, 2048])
def test_the_graphs_own_shape_must_be_the_preprocessings(bundle: Path, size: int) -> None:
    if read_spec(bundle).networks[0].preprocess.size == size:
        pytest.skip("that is its size")
    change(bundle, lambda s: s["preprocess"].update(size=size))
    with pytest.raises(BundleError, match=f"the preprocessing gives \\(N, 3, {size}, {size}\\)"):
        load_detector(bundle)


def weights_outside(bundle: Path, location: str) -> bytes:
    """Move the largest tensor of the graph into a file of its own."""
    graph = onnx.load(bundle / "model.onnx")
    largest = max(graph.graph.initializer, key=lambda t: len(t.raw_data))
    content = largest.raw_data
    largest.ClearField("raw_data")
    largest.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(content)))):
        entry = largest.external_data.add()
        entry.key, entry.value = key, value
    (bundle / "model.onnx").write_bytes(graph.SerializeToString())
    (bundle / location).write_bytes(content)
    sha = file_sha256(bundle / "model.onnx")
    change(bundle, lambda s: s["files"].update({"model.onnx": sha}))
    return content


@pytest.mark.parametrize("location", ["w.bin", "../w.bin"])
def test_weights_outside_the_graph_need_a_checksum(bundle: Path, location: str) -> None:
    weights_outside(bundle, location)
    with pytest.raises(BundleIntegrityError, match="no checksum"):
        load_detector(bundle)


def test_weights_outside_with_a_checksum_are_read_and_watched(
    bundle: Path, tiny_bundle: Path, photos
) -> None:
    content = weights_outside(bundle, "w.bin")
    sha = file_sha256(bundle / "w.bin")
    change(bundle, lambda s: s["files"].update({"w.bin": sha}))
    photo = photos["coffee"]
    assert load_detector(bundle).predict(photo) == load_detector(tiny_bundle).predict(photo)
    write_spec(bundle, read_spec(bundle))
    assert "w.bin" in read_spec(bundle).files
    (bundle / "w.bin").write_bytes(bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(BundleIntegrityError, match="was changed"):
        load_detector(bundle)


def test_weights_behind_a_link_out_of_the_bundle_are_told(bundle: Path) -> None:
    weights_outside(bundle, "w.bin")
    (bundle / "w.bin").rename(bundle.parent / "w.bin")
    (bundle / "w.bin").symlink_to(bundle.parent / "w.bin")
    sha = file_sha256(bundle / "w.bin")
    change(bundle, lambda s: s["files"].update({"w.bin": sha}))
    with pytest.raises(BundleIntegrityError, match="a link out of the bundle's folder"):
        load_detector(bundle)


def test_what_the_runtime_says_of_a_graph_is_plain_and_only_in_the_error(
    bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Three faults that it tells with its own sources' places, two of them on the screen too."""
    weights_outside(bundle, "w.bin")
    sha = file_sha256(bundle / "w.bin")
    change(bundle, lambda s: s["files"].update({"w.bin": sha}))
    whole = onnx.load(bundle / "model.onnx", load_external_data=False)
    outside = next(t for t in whole.graph.initializer if t.external_data)
    inside = next(t for t in whole.graph.initializer if not t.external_data)
    length = next(entry for entry in outside.external_data if entry.key == "length")
    padded = next(node for node in whole.graph.node if node.op_type == "Conv")

    def told() -> str:
        (bundle / "model.onnx").write_bytes(whole.SerializeToString())
        sha = file_sha256(bundle / "model.onnx")
        change(bundle, lambda s: s["files"].update({"model.onnx": sha}))
        with pytest.raises(BundleError) as caught:
            load_detector(bundle)
        return str(caught.value)

    right, length.value = length.value, "9999999"
    messages = [told()]
    length.value = right
    inside.dims.append(7)
    messages.append(told())
    del inside.dims[-1]
    padded.attribute.append(onnx.helper.make_attribute("auto_pad", "SAME_NEVER"))
    messages.append(told())
    for message in messages:
        assert not re.search(
            r"::|\.cc|\.h:|[a-z][A-Z]\w+Error|TensorProto|onnxruntime_src", message
        )
        assert len(message) < 500
    assert capfd.readouterr() == ("", "")


def test_a_network_that_answers_no_number_is_told(bundle: Path, photos) -> None:
    content = weights_outside(bundle, "w.bin")
    (bundle / "w.bin").write_bytes(b"\xff" * len(content))  # not a number, as a float32
    sha = file_sha256(bundle / "w.bin")
    change(bundle, lambda s: s["files"].update({"w.bin": sha}))
    with pytest.raises(BundleError, match="an answer that is no number"):
        load_detector(bundle).predict(photos["coffee"])


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/hostname", "a/b.bin"])
def test_files_outside_the_folder_are_refused(bundle: Path, name: str) -> None:
    change(bundle, lambda s: s["files"].update({name: "0" * 64}))
    with pytest.raises(BundleIntegrityError, match="not a plain file name"):
        read_spec(bundle)


def test_the_packaged_detector_and_older_descriptions_load() -> None:
    spec = load_detector().spec
    assert spec.labels == {0: "real", 1: "generated"}
