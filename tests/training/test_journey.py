"""One bar for the whole run: it never runs backwards, whatever phases do."""

from __future__ import annotations

from pathlib import Path

from authentiscan.training.journey import Journey
from authentiscan.training.state import Progress


def test_steps_of_all_epochs_and_their_validation(tiny, toy: Path) -> None:
    recipe = tiny(toy, "phases=[{epochs: 2}, {epochs: 3}]")
    journey, progress = Journey(recipe, steps=10, checks=4), Progress()
    assert journey.total == 5 * 14
    assert journey.title("epoch", progress) == "epoch 1 of 5"
    seen = []
    for step in (0, 5, 10):
        progress.step = step
        seen.append(journey.done(progress))
    progress.epoch, progress.step = 1, 3
    seen.append(journey.done(progress))
    assert seen == [0, 5, 10, 17]
    progress.start_phase(1)  # the first stopped early: its second epoch counts as made
    assert journey.done(progress) == 28
    assert journey.title("epoch", progress) == "epoch 3 of 5"
    progress.epoch = 3
    assert journey.done(progress) == journey.total
