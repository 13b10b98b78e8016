"""What exists only while a phase trains: layers, optimizer, schedule, averaged weights."""

from __future__ import annotations

from dataclasses import dataclass

from lightning.fabric import Fabric
from lightning.fabric.wrappers import _FabricModule
from torch.optim import Optimizer

from authentiscan.core.types import JsonObject
from authentiscan.models.base import ImageClassifier
from authentiscan.training.layers import MovingAverage, Schedule, TrainedLayers


@dataclass
class Phase:
    """A running phase of ``model``; average: of its weights, where the recipe asks for one."""

    model: ImageClassifier
    layers: TrainedLayers
    module: _FabricModule  # Fabric's wrapper of the model
    optimizer: Optimizer
    schedule: Schedule
    average: MovingAverage | None

    @property
    def judged(self) -> ImageClassifier:
        """The model that is validated and kept: with averaged weights where there are some."""
        return self.average.model if self.average else self.model

    @property
    def lr(self) -> float:
        """The largest learning rate of the optimizer's groups."""
        return max(float(group["lr"]) for group in self.optimizer.param_groups)

    def update(self, fabric: Fabric, clip: float | None) -> None:
        """One step by the gradients that were added up, cut at the norm ``clip``."""
        if clip:
            # Not finite: a loss scaler passes over such a step; without one the next loss tells.
            fabric.clip_gradients(
                self.module, self.optimizer, max_norm=clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.after_update()
        if self.average is not None:
            self.average.update()

    def state(self) -> JsonObject:
        """What a checkpoint keeps of the phase and its model."""
        average = self.average
        return {
            "model": self.model.state_dict(),
            "average": average.model.state_dict() if average else {},
            "average_updates": average.updates if average else 0,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def restore(self, content: JsonObject) -> None:
        """Go on from `state`; the model has its weights already."""
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        if self.average is not None:
            self.average.model.load_state_dict(content["average"])
            self.average.updates = content["average_updates"]
