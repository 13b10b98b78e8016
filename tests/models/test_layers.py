"""The layers family: exact moments, a backbone that never moves, an exact export."""

from __future__ import annotations

import pytest
import torch

from authentiscan.core.errors import UsageError
from authentiscan.models import create
from authentiscan.models.layers.front import FrozenLayers

SIZE = 64


@pytest.fixture(scope="module")
def front():
    torch.manual_seed(0)
    return FrozenLayers("tf_efficientnet_lite0", pretrained=False)


def test_mean_over_cells_is_the_moment_of_every_map(front):
    x = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        pooled = front(x).mean(dim=(2, 3))
        *stages, last = front._maps(x)
    moments = [m for maps in stages for m in (maps.mean((2, 3)), maps.square().mean((2, 3)))]
    torch.testing.assert_close(pooled, torch.cat([*moments, last.mean((2, 3))], 1))


def test_channels_that_hold_squares_are_marked(front):
    with torch.no_grad():
        maps = front(torch.randn(1, 3, SIZE, SIZE))
    assert maps.shape == (1, front.channels, SIZE // 32, SIZE // 32)
    assert bool((maps[:, front.squared] >= 0).all())
    assert not front.squared[-1]


def test_only_the_head_learns():
    model = create("layers").train()
    names = [name for name, _ in model.named_parameters()]
    assert names
    assert all(name.startswith("head.") for name in names)
    assert not any(module.training for module in model.backbone.modules())


def test_weights_hold_the_backbone():
    first, second = create("layers"), create("layers")
    second.load_state_dict(first.state_dict())
    x = torch.randn(1, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(first.eval()(x), second.eval()(x))


def test_a_backbone_of_another_family_is_refused():
    with pytest.raises(UsageError, match="EfficientNet"):
        create("layers", backbone="resnet18")
