"""`authentiscan train`: a recipe in, a calibrated detector out."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from authentiscan.cli.options import Workers
from authentiscan.cli.screen import Screen
from authentiscan.core.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from authentiscan.inference.recorded_metrics import RecordedMetrics
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
            "With --resume: the folder or the name of a run."
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
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DETECTOR",
            help="Go on learning from this detector's weights instead of a recipe; needs --add.",
        ),
    ] = None,
    added: Annotated[
        list[str] | None,
        typer.Option(
            "--add", metavar="[NAME=]PATH", help="With --from: new data to learn. Can be repeated."
        ),
    ] = None,
    replay: Annotated[
        list[str] | None,
        typer.Option(
            "--replay",
            metavar="[NAME=]PATH",
            help="With --from: where the data lie that the bundle learned from, if they are not "
            "where its recipe says.",
        ),
    ] = None,
    no_replay: Annotated[
        bool,
        typer.Option(
            "--no-replay",
            help="With --from: only measure on old data, and accept that they are forgotten.",
        ),
    ] = False,
    replay_share: Annotated[
        float,
        typer.Option(
            min=0.01, max=0.99, help="With --from: share of old images in every epoch, exactly."
        ),
    ] = 0.5,
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
    workers: Workers = 2,
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

    With --from a detector learns new generators: 0.3 of its learning rate and of its epochs,
    early stopping (all open to --set), and half of every epoch replays the data it learned
    before, without which it would forget them. Known test images stay test images. A table at the
    end tells, generator by generator, what was gained and forgotten.

    Examples:
        authentiscan train quickstart --data my-images/
        authentiscan train cifake-baseline --data cifake.parquet --set optimizer.lr=1e-4
        authentiscan train --resume quickstart-20260101-120000
        authentiscan train --from runs/quickstart --add flux/

    """
    for name in _NEEDED:
        if find_spec(name) is None:
            raise MissingExtraError("training", "train")
    from authentiscan.training.machine import Machine
    from authentiscan.training.run import plan, resume_run
    from authentiscan.training.run import train as run_training

    machine = Machine(device=device, devices=devices, nodes=nodes, readers=workers)
    with Screen() as screen:
        if resume:
            if data or changes or epochs or start:
                raise UsageError(
                    "--resume goes on with the recipe the run began with; leave out --data, --set, "
                    "--epochs and --from"
                )
            result = resume_run(_run_to_resume(recipe, output), machine=machine, reporter=screen)
        else:
            if start is not None:
                wishes = _Wishes(start, added, replay, no_replay, replay_share)
                chosen = _continued(wishes, recipe, data, changes or [], screen)
            else:
                _refuse_without_start(added, replay, no_replay=no_replay)
                chosen = _recipe(recipe, data or [], changes or [])
            chosen = _at_most(chosen, epochs)
            if dry_run:
                _show_plan(plan(chosen, machine=machine, reporter=screen), chosen, screen.console)
                return
            result = run_training(chosen, output=output, machine=machine, reporter=screen)
    _show_result(result)


class _Wishes(NamedTuple):
    """How to go on learning from a bundle."""

    start: str
    added: list[str] | None
    replay: list[str] | None
    no_replay: bool
    replay_share: float


def _continued(
    wishes: _Wishes,
    recipe: str | None,
    data: list[str] | None,
    changes: list[str],
    screen: Screen,
) -> Recipe:
    from authentiscan.training.continual import continued

    if recipe or data:
        raise UsageError(
            "--from goes on by the bundle's own recipe: leave out RECIPE and --data, give new data "
            "with --add, and change the recipe with --set"
        )
    chosen, notes = continued(
        wishes.start,
        wishes.added or (),
        replay=wishes.replay or (),
        forget=wishes.no_replay,
        replay_share=wishes.replay_share,
        changes=changes,
    )
    for note in notes:
        screen.say(f"note: {note}")
    return chosen


def _refuse_without_start(
    added: list[str] | None, replay: list[str] | None, *, no_replay: bool
) -> None:
    if added or replay or no_replay:
        raise UsageError(
            "--add, --replay and --no-replay need a bundle to go on from: --from BUNDLE"
        )


def _at_most(recipe: Recipe, epochs: int | None) -> Recipe:
    """``recipe`` with no phase longer than ``epochs``."""
    if epochs is None:
        return recipe
    phases = tuple(
        phase.model_copy(update={"epochs": min(epochs, phase.epochs)}) for phase in recipe.phases
    )
    return recipe.model_copy(update={"phases": phases})


def _recipe(name: str | None, data: list[str], changes: list[str]) -> Recipe:
    from authentiscan.training.recipe_data import with_data
    from authentiscan.training.recipe_file import load_recipe, shipped

    if name is None:
        raise UsageError(f"which recipe? give a file or one of {', '.join(shipped())}")
    return with_data(load_recipe(name, changes), data)


def _run_to_resume(run: str | None, output: Path | None) -> Path:
    from authentiscan.training.run import latest_run
    from authentiscan.training.runs import find_run

    if run is not None:
        return find_run(run)
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
    from authentiscan.metrics.decision import sentences

    for part, about in (
        ("evaluation/test", "test"),
        ("validation", "validation, which chose weights and thresholds"),
    ):
        figures = _figures(result.spec.metrics.part(*part.split("/")))
        if figures is not None:
            typer.echo(
                f"{about}: ROC AUC {figures.figures['roc_auc']}, "
                f"balanced accuracy {figures.figures['balanced_accuracy']}"
            )
            break
    for line in sentences(result.spec.decision):
        typer.echo(line)
    typer.echo(f"bundle: {result.bundle}")
    if result.changes:
        _show_changes(result)
    typer.echo(f"figures, curves, history: {result.folder}")
    typer.echo(f"try it: authentiscan scan PHOTOS --model {result.bundle}")


def _figures(measured: RecordedMetrics) -> RecordedMetrics | None:
    """The figures themselves, or those of the only protocol; None where nothing was measured."""
    found = [measured, *measured.parts.values()]
    return next((part for part in found if "roc_auc" in part.figures), None)


def _show_changes(result: Result) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from authentiscan.training.before_after import FEW, MARKDOWN_FILE, table_of

    head, rows = table_of(result.changes)
    table = Table(*head, box=None, title="before and after, on images neither learned from")
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)
    hidden = sum(c.images < FEW for c in result.changes)
    if hidden:
        typer.echo(f"{hidden} generators of fewer than {FEW} images: {MARKDOWN_FILE} in the run")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
