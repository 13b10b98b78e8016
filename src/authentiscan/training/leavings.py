"""What a run leaves behind beside its bundle: history, curves, figures, environment."""

from __future__ import annotations

import csv
import io
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

from authentiscan.core.files import whole_path, write_text
from authentiscan.core.types import JsonObject

_LIBRARIES = (
    "authentiscan", "torch", "torchvision", "timm", "lightning", "numpy", "pillow", "simplejpeg",
    "onnx", "onnxruntime", "pyarrow", "pydantic", "scikit-learn",
)  # fmt: skip


def write_json(path: Path, content: object) -> None:
    """Write ``content`` as indented JSON."""
    write_text(path, json.dumps(content, indent=2, default=str) + "\n")


def write_history(path: Path, history: Sequence[JsonObject]) -> None:
    """One line an epoch, as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]) if history else ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(path, text.getvalue())


def environment(device: str, processes: int, seeds: Mapping[str, int]) -> JsonObject:
    """Versions, machine facts and seeds that a figure may depend on."""
    import torch

    libraries: dict[str, str] = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "device": device,
        "device_name": torch.cuda.get_device_name()
        if device.startswith("cuda")
        else platform.machine(),
        "processes": processes,
        "seeds": dict(seeds),
        "torch_threads": torch.get_num_threads(),
        "libraries": libraries,
    }


def draw_curves(path: Path, history: Sequence[JsonObject], title: str) -> None:
    """Loss, accuracy, AUC and learning rate over the epochs, phases set apart, as PNG."""
    if not history:
        return
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    panels = {
        "loss": (("train_loss", "training"), ("val_loss", "validation")),
        "accuracy": (("train_accuracy", "training"), ("val_accuracy", "validation")),
        "ROC AUC": (("val_roc_auc", "validation"),),
        "learning rate": (("lr", "learning rate"),),
    }
    figure = Figure(figsize=(11, 7), layout="constrained")
    for axes, (name, lines) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        for key, label in lines:
            axes.plot(epochs, [row[key] for row in history], marker=".", label=label)
        for before, after in pairwise(history):
            if before["phase"] != after["phase"]:
                axes.axvline((before["epoch"] + after["epoch"]) / 2, color="grey", linestyle=":")
        axes.set(xlabel="epoch", ylabel=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if name == "learning rate":
            axes.set_yscale("log")
        if len(lines) > 1:
            axes.legend()
    figure.suptitle(title)
    with whole_path(path) as partial:
        figure.savefig(partial, dpi=110, format="png")


def draw_phase_curves(folder: Path, history: Sequence[JsonObject], title: str) -> None:
    """``curves.png`` of the whole run, and ``curves-phase-N.png`` where it had several phases."""
    draw_curves(folder / "curves.png", history, title)
    phases = sorted({row["phase"] for row in history})
    for phase in phases if len(phases) > 1 else ():
        rows = [row for row in history if row["phase"] == phase]
        draw_curves(folder / f"curves-phase-{phase}.png", rows, f"{title}, phase {phase}")
