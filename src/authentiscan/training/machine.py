"""Where a run trains: devices, processes, precision."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

import torch
from lightning.fabric import Fabric
from torch.distributed import is_torchelastic_launched

from authentiscan.core.errors import TrainingError
from authentiscan.core.types import JsonObject
from authentiscan.training.recipe import Recipe
from authentiscan.training.reporter import Reporter


@dataclass(frozen=True)
class Machine:
    """Where to train.

    device: ``auto``, ``cpu``, ``cuda`` or ``mps``. devices: training processes on each of ``nodes``
    machines; both are torchrun's where it started this process. readers: processes that read the
    facts of data that are no manifest yet; above 1 a script needs the usual ``if __name__ ==
    "__main__":``.
    """

    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    readers: int = 1


THIS_ONE = Machine()
"""One process on this machine."""


def is_first_process() -> bool:
    """Whether this process decides for all; known before the others are there."""
    return os.environ.get("RANK") in (None, "0") and os.environ.get("LOCAL_RANK") in (None, "0")


def open_fabric(recipe: Recipe, machine: Machine, reporter: Reporter) -> Fabric:
    """Lightning Fabric on ``machine``, launched, in the precision of ``recipe``.

    Raises TrainingError for a device that is not there.
    """
    accelerator = machine.device.split(":")[0]
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device cuda was asked for, but torch finds no CUDA device here")
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    precision = recipe.precision
    if precision == "fp16" and accelerator == "cpu":
        reporter.info(
            "note: float16 is not available on a CPU; using bfloat16 instead (precision=fp32 is "
            "faster on processors without bfloat16 arithmetic)"
        )
        precision = "bf16"
    names: JsonObject = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
    _calm_lightning()
    devices, nodes = _processes(machine)
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision=names[precision],
    )
    fabric.launch()
    return fabric


def _processes(machine: Machine) -> tuple[int, int]:
    """Training processes on each machine, and machines."""
    if not is_torchelastic_launched():
        return machine.devices, machine.nodes
    each = int(os.environ["LOCAL_WORLD_SIZE"])
    return each, int(os.environ["WORLD_SIZE"]) // each


def _calm_lightning() -> None:
    """Lightning tells at length which hardware it did not use; errors still come through."""
    for name in ("lightning", "lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
