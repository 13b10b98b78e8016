"""Which parts of a model learn in a phase, how fast, and the optimizer and schedule that do it."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from authentiscan.core.errors import TrainingError
from authentiscan.core.types import JsonObject
from authentiscan.models.base import ImageClassifier
from authentiscan.training.recipe import Loss, Phase, Recipe


class TrainedLayers:
    """Freezes a model as a phase says, and keeps frozen normalisations at their statistics."""

    def __init__(self, model: ImageClassifier, phase: Phase) -> None:
        """Mark what is trained. Raises TrainingError for more last layers than the backbone has."""
        self.model = model
        blocks = model.blocks()
        last = phase.last_layers
        if last is not None and last > len(blocks):
            raise TrainingError(
                f"trained: last {last}, but the backbone of {model.architecture[0]!r} has "
                f"{len(blocks)} layers with parameters; use 'all' or a smaller number"
            )
        self.whole = last is None
        self.free = [module for _, module in (blocks[len(blocks) - last :] if last else [])]
        model.requires_grad_(self.whole)
        model.head.requires_grad_(True)
        for module in self.free:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(True)

    def train_mode(self) -> None:
        """Training mode for what is trained; evaluation mode for the rest."""
        self.model.train()
        if not self.whole:
            self.model.backbone.eval()
            for module in self.free:
                module.training = True


def check_channels_last(model: nn.Module) -> None:
    """Raise TrainingError where ``model`` cannot be trained channels-last on a CPU.

    oneDNN's AVX-512 kernel for the backward pass of a strided 1x1 convolution writes outside its
    memory where the input has fewer than 16 channels (torch 2.15): the process would be killed.
    """
    for name, module in model.named_modules():
        if (
            isinstance(module, nn.Conv2d)
            and set(module.kernel_size) == {1}
            and max(module.stride) > 1
            and module.in_channels < 16
        ):
            raise TrainingError(
                f"channels_last: layer {name} ({module.in_channels} channels, 1x1, stride "
                f"{module.stride[0]}) would crash on a CPU; set channels_last=false, or 16 channels"
            )


def prepare_model(model: ImageClassifier, recipe: Recipe, device: torch.device) -> None:
    """Lay ``model`` out on ``device`` as the recipe trains it; `make_plain` takes it back."""
    if recipe.gradient_checkpointing:
        model.set_gradient_checkpointing(True)
    if recipe.channels_last:
        if device.type == "cpu":
            check_channels_last(model)
        model.to(memory_format=torch.channels_last)
    if recipe.compile:
        model.compile()
    model.to(device)


def make_plain(model: ImageClassifier, recipe: Recipe) -> None:
    """Take back what `prepare_model` did, so that the model is exported as any other is."""
    if recipe.gradient_checkpointing:
        model.set_gradient_checkpointing(False)
    if recipe.channels_last:
        model.to(memory_format=torch.contiguous_format)


@contextlib.contextmanager
def kept_statistics(model: nn.Module) -> Iterator[None]:
    """While this holds, normalisations in training leave their running statistics as they are.

    Gradient checkpointing runs layers a second time in the backward pass: the same batch would move
    the statistics twice.
    """
    norms = [m for m in model.modules() if isinstance(m, _NormBase) and m.training]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count


def make_optimizer(
    model: ImageClassifier, recipe: Recipe, phase: Phase, *, fused: bool = True
) -> Optimizer:
    """The recipe's optimizer over the trained parameters, head and backbone apart.

    fused: one kernel for all parameters, which is several times faster where they are many.
    """
    settings = recipe.optimizer
    lr = phase.lr or settings.lr
    head = {id(parameter) for parameter in model.head.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            key = (id(parameter) in head, parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    options: list[JsonObject] = [
        {
            "params": parameters,
            "lr": lr * (1.0 if in_head else settings.backbone_lr),
            "weight_decay": settings.weight_decay if is_matrix else 0.0,
        }
        for (in_head, is_matrix), parameters in groups.items()
    ]
    if settings.name == "sgd":
        return torch.optim.SGD(options, lr=lr, momentum=settings.momentum, fused=fused)
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind(options, lr=lr, fused=fused)


class Schedule:
    """The learning rate over a phase: `after_update` once an optimizer step, `after_epoch` once an
    epoch. What it knows is in `state_dict`.
    """

    def __init__(self, recipe: Recipe, optimizer: Optimizer, updates: int) -> None:
        """``updates``: optimizer steps of the whole phase."""
        settings = recipe.scheduler
        self.by_update: LRScheduler | None = None
        self.plateau: ReduceLROnPlateau | None = None
        if settings.name == "plateau":
            self.plateau = ReduceLROnPlateau(
                optimizer,
                factor=settings.factor,
                patience=settings.patience,
                min_lr=settings.min_lr,
            )
        elif settings.name == "cosine" or settings.warmup:
            rise = round(settings.warmup * updates)
            highest = max(group["lr"] for group in optimizer.param_groups)
            floor = min(1.0, settings.min_lr / highest)

            def factor(done: int) -> float:
                if done < rise:
                    return (done + 1) / (rise + 1)
                if settings.name == "constant":
                    return 1.0
                part = min(1.0, (done - rise) / max(1, updates - rise))
                return float(floor + (1 - floor) * (1 + math.cos(math.pi * part)) / 2)

            self.by_update = LambdaLR(optimizer, factor)

    def after_update(self) -> None:
        """One optimizer step was done."""
        if self.by_update is not None:
            self.by_update.step()

    def after_epoch(self, val_loss: float) -> None:
        """One epoch was done, with this validation loss."""
        if self.plateau is not None:
            self.plateau.step(val_loss)

    def state_dict(self) -> JsonObject:
        """Plain values that `load_state_dict` takes."""
        held = self.by_update or self.plateau
        state = dict(held.state_dict()) if held is not None else {}
        state.pop("lr_lambdas", None)
        return state

    def load_state_dict(self, state: JsonObject) -> None:
        """Go on from where `state_dict` was taken."""
        if self.by_update is not None:
            self.by_update.load_state_dict(
                {**state, "lr_lambdas": [None] * len(self.by_update.base_lrs)}
            )
        elif self.plateau is not None:
            self.plateau.load_state_dict(state)


class MovingAverage:
    """An exponential moving average of all weights and statistics, used for measuring and shipping.

    The decay rises from 0.1 with the number of updates, so that the first random weights fade.
    """

    def __init__(self, model: ImageClassifier, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        pairs = list(zip(_numbers(self.model), _numbers(model), strict=True))
        self._moved = [(mine, theirs) for mine, theirs in pairs if mine.is_floating_point()]
        self._copied = [(mine, theirs) for mine, theirs in pairs if not mine.is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Draw the average towards the model."""
        self.updates += 1
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, values = (list(side) for side in zip(*self._moved, strict=True))
        torch._foreach_lerp_(averages, values, 1 - keep)
        for average, value in self._copied:
            average.copy_(value)


def _numbers(model: nn.Module) -> Iterator[Tensor]:
    return itertools.chain(model.parameters(), model.buffers())


def loss_of(logits: Tensor, labels: Tensor, settings: Loss) -> Tensor:
    """Mean loss of logits (N,), positive for generated, and labels (N,), 1 generated.

    Two-class cross-entropy with logits -z/2 and z/2 is the same function of z as binary
    cross-entropy; both are written out so that a recipe runs what it names.
    """
    targets = labels * (1 - settings.label_smoothing) + settings.label_smoothing / 2
    if settings.name == "bce":
        return nn.functional.binary_cross_entropy_with_logits(logits, targets)
    two = torch.stack([-logits / 2, logits / 2], dim=1)
    return nn.functional.cross_entropy(two, torch.stack([1 - targets, targets], dim=1))


def head_penalty(model: ImageClassifier, factor: float) -> Tensor:
    """``factor`` * sum(w^2) over the weights of the head's linear layers, without biases."""
    weights = [m.weight for m in model.head.modules() if isinstance(m, nn.Linear)]
    return factor * torch.stack([w.square().sum() for w in weights]).sum()
