"""Trains with two CPU processes; started by test_ddp.py as a program, as users start theirs."""

from __future__ import annotations

import sys

import torch

from authentiscan.training.machine import Machine
from authentiscan.training.recipe_file import load_recipe
from authentiscan.training.run import train

if __name__ == "__main__":
    torch.set_num_threads(1)
    recipe, output, processes = sys.argv[1:]
    machine = Machine(device="cpu", devices=int(processes))
    train(load_recipe(recipe), output=output, machine=machine, bundle=False)
