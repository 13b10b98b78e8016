"""`authentiscan train`: a recipe in, a calibrated detector out."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from authentiscan.core.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from authentiscan.training.recipe import Recipe
    from authentiscan.training.run import Plan, Result

_NEEDED = (
    "torch", "timm", "lightning", "tensorboard", "yaml", "pyarrow", "safetensors", "onnxscript",
)  # fmt: skip


def train(  # noqa: PLR0917 - a command's options
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A recipe file, or the name of a shipped one (see `authentiscan recipes list`). "
            "With --resume: the folder of a run."
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            "-d",
            metavar="[NAME=]PATH",
            help="Where a data set of the recipe lies: a folder with real/ and fake/, a Parquet "
            "table or a manifest. For a recipe with several data sets once for each, as NAME=PATH.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="KEY=VALUE",
            help="Change the recipe: optimizer.lr=1e-4, phases.0.epochs=3. Can be repeated.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run; new. [default: runs/NAME-TIME]"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the run in the given folder, or with the latest one under runs/, "
            "from its last checkpoint.",
        ),
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="At most this many epochs in each phase.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    devices: Annotated[
        int, typer.Option(min=1, help="Training processes on this machine (DDP from 2).")
    ] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines, started by torchrun.")] = 1,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only show what would be done, with a measured time estimate."
        ),
    ] = False,
) -> None:
    """Train a detector by a recipe and leave a calibrated bundle, ready for `authentiscan scan
    --model`.

    Examples:
      authentiscan train quickstart --data my-images/

      authentiscan train cifake-baseline --data cifake.parquet --set optimizer.lr=1e-4

      authentiscan train --resume runs/quickstart-20260101-120000

    """
    for name in _NEEDED:
        if find_spec(name) is None:
            raise MissingExtraError("training", "train")
    from authentiscan.training.run import Machine, plan, resume_run
    from authentiscan.training.run import train as run_training

    machine = Machine(device=device, devices=devices, nodes=nodes, readers=2)
    with _Screen() as screen:
        if resume:
            if data or changes or epochs:
                raise UsageError(
                    "--resume goes on with the recipe the run began with; leave out --data, --set "
                    "and --epochs"
                )
            result = resume_run(_run_to_resume(recipe, output), machine=machine, reporter=screen)
        else:
            chosen = _recipe(recipe, data or [], changes or [], epochs)
            if dry_run:
                _show_plan(plan(chosen, machine=machine, reporter=screen), chosen, screen.console)
                return
            result = run_training(chosen, output=output, machine=machine, reporter=screen)
    _show_result(result)


def _recipe(name: str | None, data: list[str], changes: list[str], epochs: int | None) -> Recipe:
    from authentiscan.training.parts import with_data
    from authentiscan.training.recipe_file import load_recipe, shipped

    if name is None:
        raise UsageError(f"which recipe? give a file or one of {', '.join(shipped())}")
    recipe = with_data(load_recipe(name, changes), data)
    if epochs is not None:
        phases = tuple(
            phase.model_copy(update={"epochs": min(epochs, phase.epochs)})
            for phase in recipe.phases
        )
        recipe = recipe.model_copy(update={"phases": phases})
    return recipe


def _run_to_resume(run: str | None, output: Path | None) -> Path:
    from authentiscan.training.run import latest_run

    if run is not None and Path(run).is_dir():
        return Path(run)
    if run is not None:
        raise UsageError(f"--resume {run}: no such folder; give the folder of a run")
    return output if output is not None else latest_run("runs")


def _show_plan(plan: Plan, recipe: Recipe, console: Console) -> None:
    from rich.table import Table

    table = Table("data", "split", "real", "generated", title=f"{recipe.name} on {plan.device}")
    for row in plan.images:
        table.add_row(row["data"], row["split"], f"{row['real']:,}", f"{row['generated']:,}")
    console.print(table)
    for name, counts in plan.per_epoch.items():
        console.print(
            f"each epoch draws {counts.get(0, 0):,} real and {counts.get(1, 0):,} generated "
            f"images from {name}"
        )
    for number, phase in enumerate(recipe.phases, 1):
        lr = phase.lr or recipe.optimizer.lr
        console.print(f"phase {number}: {phase.trained}, up to {phase.epochs} epochs, lr {lr:g}")
    console.print(
        f"{plan.parameters:,} parameters; {plan.steps_per_epoch:,} steps an epoch of "
        f"{recipe.batch_size} images; {plan.seconds_per_step:.2f} s a step as measured here: "
        f"at most {_duration(plan.seconds)} without validation"
    )


def _show_result(result: Result) -> None:
    if result.spec is None:
        return
    figures = result.spec.metrics["validation"]
    threshold = result.spec.decision.generated
    typer.echo(f"bundle: {result.bundle}")
    typer.echo(
        f"validation by the bundle: AUC {figures['roc_auc']:.4f}, balanced accuracy "
        f"{figures['balanced_accuracy']:.4f} on {figures['images']} images; generated from score "
        f"{threshold.score:.3f} (measured false-positive rate {threshold.fpr:.1%})"
    )
    typer.echo(f"figures, curves, history: {result.folder}")
    typer.echo(f"try it: authentiscan scan PHOTOS --model {result.bundle}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


class _Screen:
    """A progress bar on stderr where that is a terminal, lines otherwise."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task: Any = None

    def __enter__(self) -> _Screen:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        self.console.print(text, markup=False)

    def start(self, title: str, total: int, done: int = 0) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=total, completed=done, note="")

    def step(self, text: str = "") -> None:
        if self._task is not None:
            self._progress.update(self._task, advance=1, note=text)
