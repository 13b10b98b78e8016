"""What a run shows while it works: lines and one bar for people, figures and images for loggers."""

from __future__ import annotations

import math

import numpy as np
from lightning.fabric import Fabric

from authentiscan.core.types import JsonObject
from authentiscan.training.journey import Journey
from authentiscan.training.loaders import Batch
from authentiscan.training.loggers import Loggers
from authentiscan.training.recipe import Recipe
from authentiscan.training.reporter import Reporter
from authentiscan.training.state import Progress


class Display:
    """Shows a run on ``reporter``, by the first process alone, and to its loggers ``log``."""

    def __init__(
        self, recipe: Recipe, fabric: Fabric, reporter: Reporter, log: Loggers, journey: Journey
    ) -> None:
        self.log = log
        self._recipe, self._journey = recipe, journey
        self._reporter = reporter if fabric.is_global_zero else None

    def info(self, text: str) -> None:
        """A line that stays."""
        if self._reporter:
            self._reporter.info(text)

    def start_part(self, what: str, progress: Progress) -> None:
        """The next part of the run's one bar."""
        if self._reporter:
            journey = self._journey
            title = journey.title(what, progress)
            self._reporter.start(title, journey.total, journey.done(progress))

    def step(self, text: str = "") -> None:
        """One step of the bar, with ``text`` behind it."""
        if self._reporter:
            self._reporter.step(text)

    def images(self, batch: Batch) -> None:
        """What the network sees, for the loggers; features are no pictures."""
        if batch.images.ndim == 4 and batch.images.shape[1] == 3:
            how = self._recipe.preprocess
            levels = batch.images.permute(0, 2, 3, 1).float().cpu().numpy()
            levels = (levels * np.asarray(how.std) + np.asarray(how.mean)) * 255
            self.log.images("train/images", np.clip(levels, 0, 255).astype(np.uint8), 0)

    def epoch(self, record: JsonObject, progress: Progress) -> None:
        """The figures of an epoch that is over; a star marks the best so far."""
        numbers = {f"epoch/{k}": v for k, v in record.items() if math.isfinite(v)}
        self.log.metrics(numbers, progress.total_steps)
        self.log.flush()
        mark = " *" if progress.best_epoch == record["epoch"] else ""
        self.info(
            f"epoch {record['epoch']:3d}  loss {record['train_loss']:.4f}  val loss "
            f"{record['val_loss']:.4f}  AUC {record['val_roc_auc']:.4f}  balanced accuracy "
            f"{record['val_balanced_accuracy']:.4f}  lr {record['lr']:.2e}  "
            f"{record['images_per_second']:.0f} img/s{mark}"
        )
