"""What `authentiscan train` says: its plan, its verdict on what came out, what an end has saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from authentiscan.cli.screen import duration, print_table, warn

if TYPE_CHECKING:
    from rich.console import Console

    from authentiscan.inference.recorded_metrics import RecordedMetrics
    from authentiscan.training.plan import Plan
    from authentiscan.training.recipe import Recipe
    from authentiscan.training.repeats import Repeats
    from authentiscan.training.run import Result
    from authentiscan.training.sweep import Sweep

_FIGURES = {
    "roc_auc": "ROC AUC",
    "balanced_accuracy": "balanced accuracy",
    "tpr_at_fpr_5": "TPR at 5 % FPR",
}


def show_plan(plan: Plan, recipe: Recipe, console: Console) -> None:
    """What would be read, drawn and trained, and how long it would take."""
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
        f"{recipe.batch_size} images, {plan.seconds_per_step:.2f} s each as measured here "
        f"({plan.later_step:.2f} s after the first epoch); "
        f"validation {duration(plan.checking)} an epoch; the bundle and its scores "
        f"{duration(plan.leaving or 0)}",
        soft_wrap=True,
    )
    early = ", less where a phase stops early" if recipe.early_stopping else ""
    console.print(f"about {duration(plan.seconds)} in all{early}", soft_wrap=True)


def show_result(result: Result) -> None:
    """An honest verdict: what was learned from, test figures, what it never says, where to look."""
    if result.spec is None:
        return
    from authentiscan.metrics.decision import sentences

    trained = sum(use.images.get("train", 0) for use in result.spec.data)
    typer.echo(f"learned from {trained:,} images, best after epoch {result.progress.best_epoch}")
    _show_figures(result.spec.metrics)
    for line in sentences(result.spec.decision):
        typer.echo(line)
    told: tuple[str, ...] = ()
    if result.audit is not None:
        told = result.audit.limits()
        for line in result.audit.lines():
            warn(line) if result.audit.giveaways else typer.echo(line)
    for limit in result.spec.limits:
        if limit not in told:
            typer.echo(f"limit: {limit}")
    typer.echo(f"bundle: {result.bundle}")
    if result.changes:
        _show_changes(result)
    if result.page is not None:
        typer.echo(f"page of the test part: {result.page}")
    typer.echo(f"figures, curves, history: {result.folder}")
    typer.echo(f"look closer: tensorboard --logdir {result.folder / 'logs'}")
    typer.echo(f"try it: authentiscan scan PHOTOS --model {result.bundle}")


def _show_figures(metrics: RecordedMetrics) -> None:
    """Of the test part with its intervals; of validation, and that it is kind, where none is."""
    test = metrics.part("evaluation", "test")
    for part, about in (
        (test, test.facts.get("data", "test")),
        (metrics.part("validation"), "no test images: validation, which chose the thresholds"),
    ):
        figures = part.ranked()
        if figures is not None:
            known = {k: w for k, w in _FIGURES.items() if k in figures.figures}
            figures_text = ", ".join(
                f"{words} {figures.figures[key]}" for key, words in known.items()
            )
            typer.echo(f"{about}: {figures_text}")
            return


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


def show_repeats(found: Repeats, folder: Path) -> None:
    """Mean and spread over the seeds."""
    table = found.table()
    print_table(f"{found.recipe}: {len(found.seeds)} seeds", table.head, table.rows)
    typer.echo(table.note)
    typer.echo(f"page: {folder / 'seeds.html'}")


def show_sweep(found: Sweep, folder: Path) -> None:
    """The best settings, and how to train with them."""
    states = [trial.state for trial in found.trials]
    typer.echo(
        f"{len(states)} trials: {states.count('complete')} complete, "
        f"{states.count('pruned')} ended early, {states.count('fail')} failed"
    )
    value = found.best.value or 0.0
    typer.echo(f"best: trial {found.best.number}, {found.monitor} {value:.4f}")
    for change in found.changes():
        typer.echo(f"  {change}")
    for key, share in found.importances.items():
        typer.echo(f"importance of {key}: {share:.2f}")
    typer.echo(f"page: {folder / 'sweep.html'}")
    typer.echo(f"train it: authentiscan train {folder / 'best.yaml'}")


def saved(folder: Path | None) -> str:
    """What an interrupted run has saved, and how to go on."""
    last = None if folder is None else folder / "checkpoints" / "last.ckpt"
    if folder is None or last is None or not last.is_file():
        return "interrupted before the first checkpoint: nothing to go on from"
    from authentiscan.training.runs import read_run

    run = read_run(folder)
    return (
        f"interrupted; saved is {run.epochs} of {run.planned} epochs in {last} (steps since then "
        f"are made again; checkpoint.every_steps saves more often). Go on: authentiscan train "
        f"--resume {folder}"
    )
