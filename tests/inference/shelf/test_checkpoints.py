"""Checkpoints of others become graphs by timm and transformers; nothing in them is ever run."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from authentiscan.core.errors import BundleError, UsageError
from authentiscan.inference.onnx_backend import OnnxBackend
from authentiscan.inference.shelf import checkpoints
from authentiscan.inference.shelf.card import Card

SIZE = 32
TINY = {"img_size": SIZE, "embed_dim": 16, "depth": 1, "num_heads": 2}


def card(kind: str, **more: object) -> Card:
    return Card.model_validate(
        {
            "name": "toy",
            "title": "a toy",
            "authors": "nobody",
            "home": "https://example.org/toy",
            "kind": kind,
            "files": [{"name": "w"}],
            "input": {"size": SIZE},
            "output": {"kind": "logit"},
            **more,
        }
    )


def logits(path: Path, x: torch.Tensor) -> np.ndarray:
    return OnnxBackend(path.parent, size=SIZE).logits(x.numpy())


def test_a_timm_checkpoint_with_low_rank_updates(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(0)
    made = timm.create_model("vit_tiny_patch16_224", num_classes=1, **TINY).eval()
    low, high = torch.randn(2, 16), torch.randn(48, 2)
    stored = {}
    for name, value in made.state_dict().items():
        if name.startswith("head."):
            stored[f"fc.{name[5:]}"] = value.clone()
        elif name.startswith("blocks.0.attn.qkv."):
            layer, _, kind = name.rpartition(".")
            stored[f"base.{layer}.original_layer.{kind}"] = value.clone()
        else:
            stored[f"base.{name}"] = value.clone()
    stored["base.blocks.0.attn.qkv.lora.lora_A"] = low
    stored["base.blocks.0.attn.qkv.lora.lora_B"] = high
    torch.save({"model": stored}, tmp_path / "w")
    network = {"name": "vit_tiny_patch16_224", "prefix": "base.", "head": "fc", "lora": 0.5, **TINY}
    target = tmp_path / "model.onnx"
    checkpoints.export(card("timm", network=network), {"w": tmp_path / "w"}, target)
    with torch.no_grad():
        made.blocks[0].attn.qkv.weight += 0.5 * high @ low
        x = torch.randn(2, 3, SIZE, SIZE)
        expected = made(x)[:, 0].numpy()
    np.testing.assert_allclose(logits(target, x), expected, atol=1e-4)


def test_two_last_layers_are_multiplied_into_one(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(1)
    made = timm.create_model("vit_tiny_patch16_224", num_classes=5, **TINY).eval()
    last = torch.nn.Linear(5, 2)
    stored = {f"model.{k}": v.clone() for k, v in made.state_dict().items()}
    stored |= {f"fc.{k}": v.detach().clone() for k, v in last.state_dict().items()}
    save_file(stored, tmp_path / "w")
    one = card(
        "timm",
        network={"name": "vit_tiny_patch16_224", "prefix": "model.", "then": "fc", "classes": 2}
        | TINY,
        output={"kind": "logits", "generated": [1]},
    )
    network, _ = checkpoints._timm(one, {"w": tmp_path / "w"})
    x = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        both = last(made(x))
        torch.testing.assert_close(network.eval()(x), both[:, 1] - both[:, 0])


def test_a_pickle_that_asks_for_more_than_weights_is_left_alone(tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            return (Path.touch, (mark,))

    (tmp_path / "old").write_bytes(pickle.dumps({"w": Hostile()}))
    torch.save({"w": Hostile()}, tmp_path / "new")
    for name in ("old", "new"):
        with pytest.raises(BundleError, match=r"more than weights|can be read safely"):
            checkpoints.read_weights(tmp_path / name)
    assert not mark.exists()
    torch.save([1, 2], tmp_path / "list")
    with pytest.raises(BundleError, match="something else than tensors"):
        checkpoints.read_weights(tmp_path / "list")
    (tmp_path / "text").write_text("hello, this is no checkpoint")
    with pytest.raises(BundleError):
        checkpoints.read_weights(tmp_path / "text")


def test_weights_of_a_data_parallel_run_beside_its_optimizer_are_read(tmp_path: Path) -> None:
    weight = torch.arange(4.0)
    run = {"model": {"module.fc.weight": weight}, "optimizer": {"lr": 0.1}, "step": 3}
    torch.save(run, tmp_path / "w")
    read = checkpoints.read_weights(tmp_path / "w")
    assert list(read) == ["fc.weight"]
    assert torch.equal(read["fc.weight"], weight)
    torch.save({"module.a": weight, "b": weight}, tmp_path / "w")
    assert list(checkpoints.read_weights(tmp_path / "w")) == ["module.a", "b"], "a name, no wrapper"


def test_another_file_than_the_networks_own_is_told(tmp_path: Path) -> None:
    save_file({"head.weight": torch.zeros(1, 16), "head.bias": torch.zeros(1)}, tmp_path / "w")
    with pytest.raises(UsageError, match="is it the right one"):
        checkpoints._timm(
            card("timm", network={"name": "vit_tiny_patch16_224", **TINY}), {"w": tmp_path / "w"}
        )


@pytest.mark.slow
def test_npr_subtracts_its_neighbours_and_has_a_heatmap(tmp_path: Path) -> None:
    from torch.nn import functional

    torch.manual_seed(2)
    maps = checkpoints.NprMaps()
    stored = dict(maps.state_dict()) | {
        "fc1.weight": torch.randn(1, 512),
        "fc1.bias": torch.ones(1),
    }
    torch.save(stored, tmp_path / "w")
    target = tmp_path / "model.onnx"
    checkpoints.export(card("npr"), {"w": tmp_path / "w"}, target)
    assert OnnxBackend(tmp_path, size=SIZE).explains
    x = torch.randn(2, 3, SIZE, SIZE)
    small = functional.interpolate(x, scale_factor=0.5, mode="nearest", recompute_scale_factor=True)
    again = functional.interpolate(small, scale_factor=2, mode="nearest")
    with torch.no_grad():
        y = torch.relu(maps.eval().bn1(maps.conv1((x - again) * 2.0 / 3.0)))
        y = maps.layer2(maps.layer1(maps.maxpool(y))).mean((2, 3))
        expected = (y @ stored["fc1.weight"].T + 1)[:, 0].numpy()
    np.testing.assert_allclose(logits(target, x), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_a_transformers_classifier_says_its_own_input_and_labels(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        image_size=SIZE, patch_size=16,
        id2label={0: "REAL", 1: "FAKE"}, label2id={"REAL": 0, "FAKE": 1},
    )  # fmt: skip
    torch.manual_seed(0)
    made = ViTForImageClassification(config).eval()
    made.save_pretrained(tmp_path)
    ViTImageProcessor(size={"height": SIZE, "width": SIZE}).save_pretrained(tmp_path)
    names = ("config.json", "preprocessor_config.json", "model.safetensors")
    files = {name: tmp_path / name for name in names}
    one = card("transformers", input=None, output={"kind": "logits", "generated": ["FAKE"]})
    target = tmp_path / "out" / "model.onnx"
    target.parent.mkdir()
    preprocess, _ = checkpoints.export(one, files, target)
    assert (preprocess.size, preprocess.resize, preprocess.mean) == (SIZE, "squash", (0.5,) * 3)
    x = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        z = made(x).logits
    np.testing.assert_allclose(logits(target, x), (z[:, 1] - z[:, 0]).numpy(), atol=1e-4)
    wrong = card("transformers", input=None, output={"kind": "logits", "generated": ["AI"]})
    with pytest.raises(BundleError, match="there is no class 'AI'; there are"):
        checkpoints.export(wrong, files, target)


@pytest.mark.slow
def test_a_transformers_pickle_is_read_for_weights_alone(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        image_size=SIZE, patch_size=16, id2label={0: "artificial", 1: "human"},
    )  # fmt: skip
    made = ViTForImageClassification(config).eval()
    config.save_pretrained(tmp_path)
    ViTImageProcessor(size={"height": SIZE, "width": SIZE}).save_pretrained(tmp_path)
    pickled = tmp_path / "pytorch_model.bin"
    torch.save(made.state_dict(), pickled)
    names = ("config.json", "preprocessor_config.json", pickled.name)
    files = {name: tmp_path / name for name in names}
    one = card("transformers", input=None, output={"kind": "logits", "generated": ["artificial"]})
    target = tmp_path / "out" / "model.onnx"
    target.parent.mkdir()
    checkpoints.export(one, files, target)
    x = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        z = made(x).logits
    np.testing.assert_allclose(logits(target, x), (z[:, 0] - z[:, 1]).numpy(), atol=1e-4)
    mark = tmp_path / "run"
    torch.save({"weights": _Runs(mark)}, pickled)
    with pytest.raises(BundleError, match="holds no network of the transformers library"):
        checkpoints.export(one, files, target)
    assert not mark.exists()


class _Runs:
    """A pickle that would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_processors_that_can_be_reproduced(tmp_path: Path) -> None:
    path = tmp_path / "preprocessor_config.json"
    base = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
    path.write_text(
        json.dumps({**base, "size": {"shortest_edge": 256}, "crop_size": {"height": 224}})
    )
    made = checkpoints.processor(path)
    assert (made.size, made.short_side, made.interpolation) == (224, 256, "bicubic")
    path.write_text(json.dumps({**base, "size": 224}))
    assert checkpoints.processor(path).resize == "squash"
    for wrong in (
        {"size": {"height": 224, "width": 448}},
        {"size": 224, "resample": 5},
        {"size": 224, "rescale_factor": 1.0},
        {},
    ):
        path.write_text(json.dumps({**base, **wrong}))
        with pytest.raises(BundleError, match="cannot be reproduced"):
            checkpoints.processor(path)
