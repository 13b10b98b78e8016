"""`authentiscan train`: a recipe in, a calibrated detector out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from authentiscan.cli.options import Workers, changes_of
from authentiscan.cli.screen import Screen, note
from authentiscan.core.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from authentiscan.training.machine import Machine
    from authentiscan.training.recipe import Recipe
    from authentiscan.training.run import Result
    from authentiscan.training.state import Progress

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
        list[str] | None, changes_of("recipe", "optimizer.lr=1e-4, phases.0.epochs=3")
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
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            min=2,
            max=100,
            help="Train with so many seeds and report mean and spread of the figures.",
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="KEY=RANGE",
            help="Search this setting with Optuna: optimizer.lr=1e-5..1e-2, batch_size=16,32,64. "
            "Repeat for several.",
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", min=1, max=100_000, help="With --sweep: how many trials.")
    ] = 20,
    logger: Annotated[
        list[str] | None,
        typer.Option(
            "--logger",
            metavar="NAME",
            help="Send figures to wandb or mlflow too, besides TensorBoard. Can be repeated.",
        ),
    ] = None,
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
        authentiscan train quickstart --data my-images/ --seeds 5 -o seeds
        authentiscan train quickstart -d my-images/ --sweep optimizer.lr=1e-4..1e-2 -o search

    """
    _require_extra()
    _refuse_mixed(recipe, data, start, resume=resume, changed=any((changes, epochs, seeds, sweep)))
    if seeds and sweep:
        raise UsageError("--seeds and --sweep exclude each other: sweep, then --seeds")
    if start is None and not resume:
        _refuse_without_start(added, replay, no_replay=no_replay)

    def make(further: Sequence[str] = ()) -> Recipe:
        settings = [*(changes or []), *further]
        if start is None:
            return _at_most(_recipe(recipe, data or [], settings), epochs)
        asked = _Wishes(start, added, replay, no_replay, replay_share)
        return _at_most(_continued(asked, settings), epochs)

    # What is wrong with the words alone is told before torch takes seconds to load.
    if resume:
        begun = _run_to_resume(recipe, output)
    else:
        chosen = make()
    from authentiscan.cli.train_words import show_result
    from authentiscan.training import loggers
    from authentiscan.training import machine as machines

    loggers.check(logger or ())
    machine = machines.Machine(device=device, devices=devices, nodes=nodes, readers=workers)
    result = None
    with Screen() as screen:
        work = _Work(machine, screen, tuple(logger or ()), output)
        if resume:
            result = work.going_on(begun)
        elif dry_run:
            work.show_plan(chosen)
        elif seeds:
            work.with_seeds(chosen, seeds)
        elif sweep:
            work.with_sweep(make, chosen, sweep, trials)
        else:
            result = work.once(chosen)
    if result is not None:
        show_result(result)


def _require_extra() -> None:
    for name in _NEEDED:
        if find_spec(name) is None:
            raise MissingExtraError("training", "train")


@dataclass
class _Work:
    """How to train, and into which folder; an interruption says what was saved."""

    machine: Machine
    screen: Screen
    loggers: tuple[str, ...]
    output: Path | None

    def once(self, recipe: Recipe) -> Result:
        """One run."""
        from authentiscan.training.run_folder import new_folder

        folder = self.output or new_folder(recipe.outputs, recipe.name)
        with _saving(folder):
            return self._trained(recipe, folder)

    def going_on(self, folder: Path) -> Result:
        """The rest of a run."""
        from authentiscan.training.run import finished, resume_run

        done = finished(folder)
        if done is not None:
            self.screen.info(
                f"the run in {folder} is finished: nothing was left to do, nothing was changed"
            )
            return done
        with _saving(folder):
            return resume_run(
                folder, machine=self.machine, reporter=self.screen, loggers=self.loggers, audit=True
            )

    def show_plan(self, recipe: Recipe) -> None:
        """What the run would take, measured here."""
        from authentiscan.cli.train_words import show_plan
        from authentiscan.training.plan import plan

        found = plan(recipe, machine=self.machine, reporter=self.screen)
        show_plan(found, recipe, self.screen.console)

    def with_seeds(self, recipe: Recipe, count: int) -> None:
        """The same recipe several times."""
        from authentiscan.cli.train_words import show_repeats
        from authentiscan.training.repeats import repeat

        folder = self.output or Path(recipe.outputs) / f"{recipe.name}-seeds"

        def run(own: Recipe, place: Path, begun: bool) -> Result:
            return self._trained(own, place, resume=begun)

        with _same_again(folder):
            found = repeat(recipe, count, folder, run, self.screen.info)
        show_repeats(found, folder)

    def with_sweep(
        self,
        make: Callable[[Sequence[str]], Recipe],
        recipe: Recipe,
        space: list[str],
        trials: int,
    ) -> None:
        """Many short runs with other settings."""
        from authentiscan.cli.train_words import show_sweep
        from authentiscan.training import sweep as room

        dimensions = [room.Dimension.parse(text) for text in space]
        folder = self.output or Path(recipe.outputs) / f"{recipe.name}-sweep"

        def train(own: Recipe, place: Path, stop: Callable[[Progress], bool]) -> Result:
            return self._trained(own, place, stop=stop, bundle=False)

        with _same_again(folder):
            found = room.sweep(make, dimensions, trials, folder, train, self.screen.info)
        show_sweep(found, folder)

    def _trained(self, recipe: Recipe, folder: Path, **options: Any) -> Result:
        from authentiscan.training.run import train as run_training

        return run_training(
            recipe,
            output=folder,
            machine=self.machine,
            reporter=self.screen,
            loggers=self.loggers,
            audit=options.get("bundle", True),
            **options,
        )


@contextmanager
def _saving(folder: Path) -> Iterator[None]:
    """Ctrl-C says what the run in ``folder`` has saved and how to go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        from authentiscan.cli.train_words import saved

        raise KeyboardInterrupt(saved(folder)) from interrupt


@contextmanager
def _same_again(folder: Path) -> Iterator[None]:
    """Ctrl-C says that the same command goes on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(
            f"interrupted; what is finished stays in {folder}. Go on: the same command with "
            f"-o {folder}"
        ) from interrupt


class _Wishes(NamedTuple):
    """How to go on learning from a bundle."""

    start: str
    added: list[str] | None
    replay: list[str] | None
    no_replay: bool
    replay_share: float


def _refuse_mixed(
    recipe: str | None, data: list[str] | None, start: str | None, *, resume: bool, changed: bool
) -> None:
    """Options that --resume or --from do not go with."""
    if resume and (data or start or changed):
        raise UsageError(
            "--resume goes on with the recipe the run began with; leave out --data, --set, "
            "--epochs, --from, --seeds and --sweep (these two go on by the same command)"
        )
    if start is not None and (recipe or data):
        raise UsageError(
            "--from goes on by the bundle's own recipe: leave out RECIPE and --data, give new data "
            "with --add, and change the recipe with --set"
        )


def _continued(wishes: _Wishes, changes: list[str]) -> Recipe:
    from authentiscan.training.continual import continued

    chosen, notes = continued(
        wishes.start,
        wishes.added or (),
        replay=wishes.replay or (),
        forget=wishes.no_replay,
        replay_share=wishes.replay_share,
        changes=changes,
    )
    for text in notes:
        note(f"note: {text}")
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
    from authentiscan.training.runs import find_run, latest_run

    if run is not None:
        return find_run(run)
    return output if output is not None else latest_run("runs")
