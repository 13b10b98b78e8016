"""What is trained in a phase, the schedules, the losses, the moving average."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from authentiscan import models
from authentiscan.models.base import ImageClassifier
from authentiscan.training.layers import (
    MovingAverage,
    Schedule,
    TrainedLayers,
    head_penalty,
    loss_of,
    make_optimizer,
)
from authentiscan.training.recipe import Loss, Phase, Recipe

MakeRecipe = Callable[..., Recipe]


def small() -> ImageClassifier:
    torch.manual_seed(0)
    return models.create(
        "residual", widths=[8, 16], depths=[1, 1], head_widths=[8], head_dropouts=[0.5]
    )


@pytest.mark.parametrize("last", [0, 1, 3, 5])
def test_exactly_the_last_layers_and_the_head_are_trained(last: int) -> None:
    model = small()
    blocks = model.blocks()
    layers = TrainedLayers(model, Phase(epochs=1, trained=f"last {last}" if last else "head"))
    free = {name for name, _ in blocks[len(blocks) - last :]} if last else set()
    for name, module in blocks:
        for parameter in module.parameters(recurse=False):
            assert parameter.requires_grad is (name in free)
    assert all(p.requires_grad for p in model.head.parameters())
    layers.train_mode()
    for name, module in blocks:
        assert module.training is (name in free)
    assert model.head.training


def test_frozen_parts_do_not_move(tiny: MakeRecipe) -> None:
    model = small()
    phase = Phase(epochs=1, trained="last 2")
    layers = TrainedLayers(model, phase)
    optimizer = make_optimizer(model, tiny(Path("x"), "optimizer.weight_decay=0.5"), phase)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    layers.train_mode()
    for _ in range(3):
        loss = loss_of(model(torch.randn(6, 3, 48, 48)), torch.tensor([0.0, 1] * 3), Loss())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    free = {name for name, _ in model.blocks()[-2:]}
    for name, value in model.state_dict().items():
        learns = name.startswith("head.") or name.rpartition(".")[0] in free
        assert torch.equal(value, before[name]) is not learns, name


def test_cross_entropy_of_two_classes_is_binary_cross_entropy() -> None:
    logits = torch.randn(50)
    labels = torch.randint(0, 2, (50,)).float()
    for smoothing in (0.0, 0.1):
        one = loss_of(logits, labels, Loss(name="bce", label_smoothing=smoothing))
        two = loss_of(logits, labels, Loss(name="cross-entropy", label_smoothing=smoothing))
        assert torch.allclose(one, two, atol=1e-6)
    reference = nn.functional.cross_entropy(
        torch.stack([-logits / 2, logits / 2], 1), labels.long(), label_smoothing=0.1
    )
    assert torch.allclose(loss_of(logits, labels, Loss(label_smoothing=0.1)), reference, atol=1e-6)


def test_head_penalty_is_keras_l2() -> None:
    model = small()
    expected = 0.01 * sum(
        float((p.detach() ** 2).sum())
        for n, p in model.head.named_parameters()
        if n.endswith("weight")
    )
    assert float(head_penalty(model, 0.01)) == pytest.approx(expected, rel=1e-5)


def test_cosine_rises_falls_and_ends_at_its_floor(tiny: MakeRecipe) -> None:
    recipe = tiny(Path("x"), "scheduler={name: cosine, warmup: 0.1, min_lr: 1.0e-4}")
    model = small()
    optimizer = make_optimizer(model, recipe, recipe.phases[0])
    schedule = Schedule(recipe, optimizer, 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.after_update()
    assert rates[0] < 0.0011
    assert max(rates) == pytest.approx(0.01)
    assert rates.index(max(rates)) == 10
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4)


def test_plateau_halves_and_restores(tiny: MakeRecipe) -> None:
    recipe = tiny(Path("x"), "scheduler={name: plateau, factor: 0.5, patience: 1}")
    model = small()
    optimizer = make_optimizer(model, recipe, recipe.phases[0])
    schedule = Schedule(recipe, optimizer, 100)
    for value in (1.0, 0.9, 0.95, 0.95):
        schedule.after_epoch(value)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.005)
    other = Schedule(recipe, optimizer, 100)
    other.load_state_dict(schedule.state_dict())
    assert other.state_dict() == schedule.state_dict()


def test_backbone_rate_and_decay_groups(tiny: MakeRecipe) -> None:
    recipe = tiny(Path("x"), "optimizer.backbone_lr=0.1")
    model = small()
    optimizer = make_optimizer(model, recipe, Phase(epochs=1, lr=0.02))
    head = {id(p) for p in model.head.parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert group["lr"] == pytest.approx(0.02 if id(parameter) in head else 0.002)
            assert group["weight_decay"] == (0.01 if parameter.ndim > 1 else 0.0)


def test_average_follows() -> None:
    model = small()
    average = MovingAverage(model, 0.9)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    distance = [1.0]
    for _ in range(40):
        average.update()
        first, second = next(average.model.parameters()), next(model.parameters())
        distance.append(float((first - second).abs().max()))
    assert distance == sorted(distance, reverse=True)
    assert math.isclose(distance[1], 2 / 11, rel_tol=1e-3)  # keeps (1 + 1) / (10 + 1) at first
    assert distance[-1] < 0.02
    assert not any(p.requires_grad for p in average.model.parameters())
