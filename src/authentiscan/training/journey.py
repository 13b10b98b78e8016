"""How far a run is among all the steps it may make: one bar, one estimate of the time left."""

from __future__ import annotations

from authentiscan.training.recipe import Recipe
from authentiscan.training.state import Progress


class Journey:
    """Steps of training and validation of all epochs, if no phase stops early.

    steps: of training, checks: of validation, each in one epoch.
    """

    def __init__(self, recipe: Recipe, steps: int, checks: int) -> None:
        self._epochs = [phase.epochs for phase in recipe.phases]
        self._steps, self._each = steps, steps + checks
        self.total = sum(self._epochs) * self._each

    def done(self, progress: Progress) -> int:
        """Steps behind; those of a phase that stopped early count as made."""
        epochs = sum(self._epochs[: progress.phase]) + progress.epoch
        return min(self.total, epochs * self._each + progress.step)

    def title(self, what: str, progress: Progress) -> str:
        """``epoch 3 of 10``, as the bar is called."""
        number = sum(self._epochs[: progress.phase]) + progress.epoch + 1
        return f"{what} {number} of {sum(self._epochs)}"
