"""`run`: all four phases, or some of them, going on from whatever is finished.

OUTPUT/data/        one manifest a data set, with one split common to all detectors
OUTPUT/runs/        a folder a training run, named by detector and hash of recipe and data
OUTPUT/bundles/     the bundles of the present configuration, by detector
OUTPUT/cross/       phase 3: a page, figures and tables a protocol
OUTPUT/gradcam/     phase 4: overlays, tables, pictures
OUTPUT/scores/      scores of phase 3, kept for re-use
OUTPUT/summary.*    all of it on one page (HTML, Markdown, JSON)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from authentiscan.core.errors import TrainingError
from authentiscan.core.files import write_text
from authentiscan.pipeline.config import COMBINED, PipelineConfig
from authentiscan.pipeline.data import DataPart, prepare
from authentiscan.pipeline.steps import CrossStep, GradcamStep, Step, TrainingStep
from authentiscan.pipeline.summary import Summary, summarise
from authentiscan.pipeline.summary_page import write_summary
from authentiscan.training.attempt import attempt
from authentiscan.training.machine import Machine
from authentiscan.training.recipe import Recipe
from authentiscan.training.reporter import Quiet, Reporter
from authentiscan.training.settings_file import dump_settings

PHASES = (1, 2, 3, 4)


def run(
    config: PipelineConfig,
    *,
    machine: Machine,
    phases: Collection[int] = PHASES,
    reporter: Reporter | None = None,
) -> Summary:
    """Do what of ``phases`` is not done yet, and write the summary of all that is.

    Raises TrainingError where a phase needs the detectors of one that is neither finished nor asked
    for, OutputError where another process works in the folder; and what the phases raise.
    """
    reporter = reporter or Quiet()
    output = Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    with attempt(output):
        write_text(output / "config.yaml", dump_settings(config))
        data = prepare(config, output / "data", reporter, processes=machine.readers)
        steps = steps_of(config, data, machine)
        for step in steps:
            if step.phase in phases:
                _do(step, reporter)
        summary = summarise(config, data, steps)
        write_summary(summary, steps, output)
    return summary


def steps_of(config: PipelineConfig, data: Mapping[str, DataPart], machine: Machine) -> list[Step]:
    """All steps of all phases, in the order they are done."""
    output = Path(config.output)
    detectors = tuple(
        TrainingStep(
            name=name,
            phase=2 if name == COMBINED else 1,
            recipe=_placed(recipe, data),
            data=tuple(data[source.name] for source in recipe.data),
            output=output,
            machine=machine,
        )
        for name, recipe in config.recipes().items()
    )
    crosses = [
        CrossStep(detectors, data, output, protocol, config.cross)
        for protocol in config.cross.protocols
    ]
    return [*detectors, *crosses, GradcamStep(detectors, data, output, config.gradcam)]


def _do(step: Step, reporter: Reporter) -> None:
    status = step.status()
    title = f"phase {step.phase}, {step.name}"
    if status.state == "done":
        reporter.info(f"{title}: skipped, {status.why}")
    elif status.state == "waits":
        raise TrainingError(
            f"{title} waits {status.why}, whose training is not finished; do phases 1 and 2 first"
        )
    else:
        reporter.info(f"{title}: {status.why}")
        step.run(reporter)
    if isinstance(step, TrainingStep):
        step.publish()


def _placed(recipe: Recipe, data: Mapping[str, DataPart]) -> Recipe:
    sources = tuple(
        source.model_copy(update={"path": str(data[source.name].path.resolve())})
        for source in recipe.data
    )
    return recipe.model_copy(update={"data": sources})
