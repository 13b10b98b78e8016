"""Where a run writes its figures while it works: TensorBoard always, others where asked for.

A logger is imported when it is used, so none but TensorBoard's is part of the ``train`` extra.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from authentiscan.core.types import RGBImage

SHOWN_IMAGES = 16


class Logger(Protocol):
    """One place that figures go to."""

    def metrics(self, figures: Mapping[str, float], step: int) -> None:
        """Figures after ``step`` training steps."""
        ...

    def images(self, name: str, pictures: NDArray[np.uint8], step: int) -> None:
        """Pictures (N, H, W, 3)."""
        ...

    def curve(self, name: str, labels: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """A precision-recall curve of labels (0 real, 1 generated) and scores in [0, 1]."""
        ...

    def flush(self) -> None:
        """Write what is waiting."""
        ...

    def close(self) -> None:
        """End."""
        ...


class TensorBoardLog:
    """Event files in ``RUN/logs``."""

    def __init__(self, folder: Path, name: str) -> None:  # noqa: ARG002 - as all loggers
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(folder / "logs")

    def metrics(self, figures: Mapping[str, float], step: int) -> None:
        """Scalars."""
        for key, value in figures.items():
            self._writer.add_scalar(key, value, step)

    def images(self, name: str, pictures: NDArray[np.uint8], step: int) -> None:
        """A grid of pictures."""
        self._writer.add_images(name, pictures, step, dataformats="NHWC")

    def curve(self, name: str, labels: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """TensorBoard's own precision-recall curve."""
        self._writer.add_pr_curve(f"{name}/precision_recall", labels, scores)

    def flush(self) -> None:
        """Write what is waiting."""
        self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        self._writer.close()


class WandbLog:
    """A run of Weights & Biases, offline in ``RUN/wandb`` where WANDB_MODE says so."""

    def __init__(self, folder: Path, name: str) -> None:
        self._wandb: Any = import_module("wandb")
        self._run: Any = self._wandb.init(project="authentiscan", name=name, dir=str(folder))

    def metrics(self, figures: Mapping[str, float], step: int) -> None:
        """Figures of the step."""
        self._run.log(dict(figures), step=step)

    def images(self, name: str, pictures: NDArray[np.uint8], step: int) -> None:
        """Pictures in one panel."""
        self._run.log({name: [self._wandb.Image(picture) for picture in pictures]}, step=step)

    def curve(self, name: str, labels: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """A precision-recall plot."""
        both = np.stack([1 - scores, scores], axis=1)
        plot = self._wandb.plot.pr_curve(labels.tolist(), both, labels=["real", "generated"])
        self._run.log({f"{name}/precision_recall": plot})

    def flush(self) -> None:
        """Its own process writes."""

    def close(self) -> None:
        """End the run."""
        self._run.finish()


class MlflowLog:
    """A run of MLflow, where MLFLOW_TRACKING_URI says, else below ``RUN/mlflow``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._mlflow: Any = import_module("mlflow")
        if "MLFLOW_TRACKING_URI" not in os.environ:
            own = (folder / "mlflow").resolve()
            own.mkdir(parents=True, exist_ok=True)
            self._mlflow.set_tracking_uri(f"sqlite:///{own / 'runs.db'}")
            if self._mlflow.get_experiment_by_name("authentiscan") is None:
                self._mlflow.create_experiment("authentiscan", artifact_location=own.as_uri())
        self._mlflow.set_experiment("authentiscan")
        self._mlflow.start_run(run_name=name)

    def metrics(self, figures: Mapping[str, float], step: int) -> None:
        """Figures of the step."""
        self._mlflow.log_metrics({k.replace("@", "_"): v for k, v in figures.items()}, step=step)

    def images(self, name: str, pictures: NDArray[np.uint8], step: int) -> None:
        """One picture file, the pictures side by side."""
        sheet: RGBImage = np.concatenate(list(pictures), axis=1)
        self._mlflow.log_image(sheet, f"{name}-{step}.png")

    def curve(self, name: str, labels: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """The curve's points as a JSON file."""
        from authentiscan.metrics.curves import precision_recall_curve

        found = precision_recall_curve(labels, scores)
        self._mlflow.log_dict(found.model_dump(mode="json"), f"{name}/precision_recall.json")

    def flush(self) -> None:
        """Every figure is sent at once."""

    def close(self) -> None:
        """End the run."""
        self._mlflow.end_run()


_KNOWN: dict[str, Callable[[Path, str], Logger]] = {
    "tensorboard": TensorBoardLog,
    "wandb": WandbLog,
    "mlflow": MlflowLog,
}
NAMES = tuple(_KNOWN)


class Loggers:
    """Several loggers as one; without any, nothing is written."""

    def __init__(self, loggers: Sequence[Logger]) -> None:
        self._loggers = loggers

    @classmethod
    def open(cls, folder: Path, name: str, chosen: Sequence[str]) -> Loggers:
        """TensorBoard's and the ``chosen`` ones, for the run in ``folder``. Raises as `check`."""
        check(chosen)
        names = dict.fromkeys(("tensorboard", *chosen))
        return cls([_KNOWN[one](folder, name) for one in names])

    def metrics(self, figures: Mapping[str, float], step: int) -> None:
        """Give figures to all."""
        for logger in self._loggers:
            logger.metrics(figures, step)

    def images(self, name: str, pictures: NDArray[np.uint8], step: int) -> None:
        """Give at most `SHOWN_IMAGES` pictures (N, H, W, 3) to all."""
        for logger in self._loggers:
            logger.images(name, pictures[:SHOWN_IMAGES], step)

    def curve(self, name: str, labels: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """Give a precision-recall curve to all."""
        for logger in self._loggers:
            logger.curve(name, labels, scores)

    def flush(self) -> None:
        """Write what is waiting."""
        for logger in self._loggers:
            logger.flush()

    def close(self) -> None:
        """End all."""
        for logger in self._loggers:
            logger.close()


def check(chosen: Sequence[str]) -> None:
    """Raise UsageError for a logger that is not known, MissingExtraError where it is not installed:
    before the work, which may be long.
    """
    for name in chosen:
        if name not in _KNOWN:
            raise UsageError(f"no logger {name!r}; there are {', '.join(_KNOWN)}")
        if name != "tensorboard" and find_spec(name) is None:
            raise MissingExtraError(f"--logger {name}", name)
