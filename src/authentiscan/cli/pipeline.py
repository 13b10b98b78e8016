"""`authentiscan pipeline`: baselines, combined model, cross-validation and Grad-CAM in one go."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.options import AsJson, Device, Workers, changes_of
from authentiscan.cli.screen import Screen, print_table
from authentiscan.core.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from authentiscan.pipeline.config import PipelineConfig
    from authentiscan.pipeline.estimate import Planned
    from authentiscan.pipeline.summary import Summary
    from authentiscan.training.machine import Machine

_NEEDED = (
    "torch", "timm", "lightning", "yaml", "pyarrow", "safetensors", "onnxscript", "matplotlib",
)  # fmt: skip


def pipeline(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The configuration (YAML); see --example."),
    ] = None,
    *,
    phases: Annotated[
        list[int] | None,
        typer.Option(
            "--phase",
            "-p",
            min=1,
            max=4,
            help="Only this phase (1 baselines, 2 combined model, 3 cross-validation, 4 Grad-CAM); "
            "can be repeated.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None, changes_of("configuration", "gradcam.samples=5, set.precision=fp32")
    ] = None,
    device: Device = "auto",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only show what would run and what is skipped, and why, with times measured here. "
            "Data are organized, if they were not yet: hashes decide what is skipped.",
        ),
    ] = False,
    example: Annotated[
        bool, typer.Option("--example", help="Print a configuration to begin with.")
    ] = False,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Train a baseline for every data set and one combined model, measure each on each, and show
    where they look: four phases, one configuration, one summary page.

    Stop it at any moment and run it again: finished work is known by the content it was made from
    and skipped, an interrupted training run goes on from its last checkpoint.

    Examples:
        authentiscan pipeline --example > config.yaml
        authentiscan pipeline --config config.yaml --dry-run
        authentiscan pipeline --config config.yaml
        authentiscan pipeline --config config.yaml --phase 3 --phase 4

    """
    for name in _NEEDED:
        if find_spec(name) is None:
            raise MissingExtraError("the pipeline", "train")
    from authentiscan.pipeline.config import EXAMPLE, load_config

    if example:
        typer.echo(EXAMPLE.read_text(encoding="utf-8"), nl=False)
        return
    if config is None:
        raise UsageError(
            "which configuration? give --config FILE; --example prints one to begin with"
        )
    plan = load_config(config, changes or ())  # its mistakes are told before torch is loaded
    from authentiscan.training.machine import Machine

    wanted = tuple(phases) if phases else (1, 2, 3, 4)
    machine = Machine(device=device, readers=workers)
    if dry_run:
        _show_plan(_planned(plan, wanted, machine), as_json=as_json)
        return
    _show_summary(_run(plan, wanted, machine), plan, as_json=as_json)


def _run(config: PipelineConfig, phases: tuple[int, ...], machine: Machine) -> Summary:
    from authentiscan.pipeline.run import run

    with Screen() as screen:
        return run(config, phases=phases, machine=machine, reporter=screen)


def _planned(config: PipelineConfig, phases: tuple[int, ...], machine: Machine) -> list[Planned]:
    from authentiscan.pipeline.data import prepare
    from authentiscan.pipeline.estimate import estimate
    from authentiscan.pipeline.run import steps_of

    with Screen() as screen:
        folder = Path(config.output) / "data"
        data = prepare(config, folder, screen, processes=machine.readers)
        steps = [step for step in steps_of(config, data, machine) if step.phase in phases]
        return estimate(steps, screen)


def _show_plan(planned: list[Planned], *, as_json: bool) -> None:
    from authentiscan.training.runs_page import duration

    total = sum(step.seconds for step in planned)
    if as_json:
        import json
        from dataclasses import asdict

        content = {"steps": [asdict(step) for step in planned], "seconds": total}
        typer.echo(json.dumps(content, indent=2))
        return
    rows = []
    for step in planned:
        time = "–" if step.state == "done" else duration(step.seconds)
        rows.append([str(step.phase), step.name, step.state, step.why, time, step.note])
    head = ["phase", "step", "state", "why", "time", "measured"]
    print_table("", head, rows, words=range(len(head)))
    typer.echo(f"about {duration(total)} in all, as measured on this machine now")


def _show_summary(summary: Summary, config: PipelineConfig, *, as_json: bool) -> None:
    if as_json:
        typer.echo(summary.json_text(), nl=False)
        return
    rows = [
        [
            f"{t.name}, {t.protocol}" if t.protocol else t.name,
            t.aim,
            t.measured,
            {True: "met", False: "not met", None: "–"}[t.met],
        ]
        for t in summary.targets
    ]
    if rows:
        print_table("targets", ["", "aim", "measured", ""], rows)
    for step in summary.unfinished:
        typer.echo(f"not done: phase {step.phase}, {step.name}: {step.why}")
    typer.echo(f"bundles: {Path(config.output) / 'bundles'}")
    typer.echo(f"summary: {Path(config.output) / 'summary.html'}")
