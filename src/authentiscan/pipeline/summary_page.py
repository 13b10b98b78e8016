"""The summary of a pipeline as a page: pictures in it, links to each phase's own results."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from authentiscan.core.files import write_text
from authentiscan.evaluation.cross_page import gap_table, heatmap_picture, matrix_table
from authentiscan.evaluation.words import PROTOCOLS
from authentiscan.explain.compare import CHANCE_IOU
from authentiscan.images.decode import decode, encode
from authentiscan.pipeline.steps import CrossStep, GradcamStep, Step
from authentiscan.pipeline.summary import METRIC, DetectorRecord, Summary
from authentiscan.report.judges import judge_of
from authentiscan.report.page import Page, Pixels, Section, Thumb
from authentiscan.report.tables import Table
from authentiscan.report.thumbnails import shrunk
from authentiscan.training.runs import bundle_of, history_of
from authentiscan.training.runs_page import curves_picture, duration, megabytes

_MET = {True: "met", False: "not met", None: "–"}
_WIDEST = 1400  # pixels of a picture on the page


def write_summary(summary: Summary, steps: Sequence[Step], output: Path) -> Path:
    """Write ``summary.json``, ``.md``, ``.html`` and ``plots/`` into ``output``; gives the page."""
    write_text(output / "summary.json", summary.json_text())
    return summary_page(summary, steps, output).write(output, "summary")


def summary_page(summary: Summary, steps: Sequence[Step], output: Path) -> Page:
    """The page; ``steps`` say where the phases' own pages lie in ``output``."""
    sections = []
    if summary.targets:
        sections.append(_targets(summary))
    if summary.detectors:
        sections.append(_runs(summary, output))
    done = {step.name for step in summary.steps if step.state == "done"}
    for step in steps:
        if isinstance(step, CrossStep) and step.name in done:
            sections.append(_cross(summary, step, output))
    for step in steps:
        if isinstance(step, GradcamStep) and step.name in done:
            sections += _gradcam(step, output)
    sections += [_data(summary), _steps(summary)]
    names = ", ".join(summary.data)
    return Page(
        title=f"{len(summary.detectors)} detectors on {names}",
        lead=(
            f"Made {summary.created:%Y-%m-%d %H:%M} UTC. All figures of phases 3 and 4 are on test "
            "parts that no detector learned from or was chosen by: one split, by group, for all."
        ),
        sections=sections,
        warnings=[
            f"phase {step.phase}, {step.name}, is not done: {step.why}"
            for step in summary.unfinished
        ],
        headline=_headline(summary),
        judges=[
            judge_of(spec, name)
            for name, found in summary.detectors.items()
            if (spec := bundle_of(output / found.run.folder)) is not None
        ],
    )


def _headline(summary: Summary) -> list[tuple[str, str, str]]:
    judged = [target for target in summary.targets if target.met is not None]
    seconds = sum(d.run.seconds for d in summary.detectors.values())
    return [
        ("detectors", str(len(summary.detectors)), f"on {len(summary.data)} data sets"),
        ("targets met", f"{sum(t.met is True for t in judged)} of {len(judged)}", "see below"),
        ("training", duration(seconds), "all runs, without validation"),
    ]


def _targets(summary: Summary) -> Section:
    """An aim a row; a column for each protocol."""
    protocols: list[str | None] = [*summary.crosses] or [None]
    found: dict[tuple[str, str], dict[str | None, str]] = {}
    for target in summary.targets:
        text = f"{target.measured}, {_MET[target.met]}" if target.met is not None else "–"
        found.setdefault((target.name, target.aim), {})[target.protocol] = text
    rows = [
        [name, aim, *(texts.get(p, texts.get(None, "–")) for p in protocols)]
        for (name, aim), texts in found.items()
    ]
    return Section(
        "Targets",
        [
            "Accuracy on test images at each detector's own threshold. Where an aim lies within a "
            "figure's interval (in the matrices below), meeting it is not proved, nor missing it. "
            "A detector near chance has no gap."
        ],
        [Table(["", "aim", *(p or "measured" for p in protocols)], rows)],
    )


def _runs(summary: Summary, output: Path) -> Section:
    rows = [_run_row(summary, name, d) for name, d in summary.detectors.items()]
    head = [
        "detector", "model", "epochs", "best", "val AUC",
        *(f"test {METRIC}, {protocol}" for protocol in summary.crosses),
        "training", "MB", "ms an image",
    ]  # fmt: skip
    histories = {
        name: history_of(output / detector.run.folder)
        for name, detector in summary.detectors.items()
    }
    return Section(
        "Phases 1 and 2: the detectors",
        [
            "Test figures of a baseline are on its own data set, of the combined model the mean. "
            "MB is the whole bundle; ms an image is one prediction from bytes to score, where it "
            "was trained."
        ],
        [Table(head, rows)],
        [curves_picture(histories)],
        links=[(f"bundle of {name}", f"{d.bundle}/") for name, d in summary.detectors.items()],
    )


def _run_row(summary: Summary, name: str, detector: DetectorRecord) -> list[str]:
    run = detector.run
    tests = []
    for cross in summary.crosses.values():
        places = [detector.home] if detector.home else [facts.name for facts in cross.data]
        found = [cross.cell(name, place).metrics[METRIC] for place in places]
        values = [estimate.value for estimate in found if estimate.value is not None]
        if len(found) == 1:
            tests.append(found[0].percent())
        elif len(values) == len(found):
            tests.append(f"{100 * sum(values) / len(values):.1f}")
        else:
            tests.append("–")
    return [
        name,
        run.model,
        f"{run.epochs} of {run.planned}",
        "–" if run.best_epoch is None else str(run.best_epoch),
        f"{run.validation['roc_auc']:.3f}",
        *tests,
        duration(run.seconds),
        megabytes(run.size),
        f"{1000 * detector.seconds:.1f}",
    ]


def _cross(summary: Summary, step: CrossStep, output: Path) -> Section:
    cross = summary.crosses[step.protocol]
    meant = PROTOCOLS.get(step.protocol, "a degradation chain")
    tables = [matrix_table(cross, metric) for metric in ("roc_auc", METRIC)]
    pictures = [heatmap_picture(cross, "roc_auc"), heatmap_picture(cross, "balanced_accuracy")]
    named = [replace(p, name=f"{step.folder.name}-{p.name}") for p in pictures]
    if cross.gaps:
        tables.append(gap_table(cross))
    page = (step.folder / "cross.html").relative_to(output).as_posix()
    return Section(
        f"Phase 3: every detector on every data set, {step.protocol}",
        [f"Protocol: {meant}. Framed: the data set a detector was trained on. Gap: in-domain minus "
         "the mean of the other data sets."],
        tables,
        named,
        links=[("everything, with the most confident mistakes", page)],
    )  # fmt: skip


def _gradcam(step: GradcamStep, output: Path) -> list[Section]:
    folder = step.folder
    pictures = [
        Pixels(name, _fitted((folder / f"{name}.png").read_bytes()), caption)
        for name, caption in (
            ("mean_maps", "Mean of the maps: detectors down, data sets across."),
            ("overlap", "Overlap of the strongest fifth of the image, by data set."),
        )
        if (folder / f"{name}.png").is_file()
    ]
    relative = folder.relative_to(output).as_posix()
    compared = Section(
        "Phase 4: where the detectors look",
        [f"Exact Grad-CAM of {step.settings.samples} test images a data set. Overlap of the "
         f"strongest fifth: {CHANCE_IOU:.2f} is chance, 1 the same places."],
        pictures=pictures,
        links=[("all overlays", f"{relative}/overlays/"),
               ("overlap and correlation", f"{relative}/overlap.csv"),
               ("scores and files", f"{relative}/samples.csv")],
    )  # fmt: skip
    return [compared, Section("Grad-CAM, two images of each", thumbs=_overlays(folder))]


def _overlays(folder: Path) -> list[Thumb]:
    """The first photograph and the first generated image of every detector and data set."""
    with (folder / "samples.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    first = {(r["model"], r["dataset"], r["label"]): r for r in reversed(rows)}
    ordered = [r for r in rows if first[r["model"], r["dataset"], r["label"]] is r]
    ordered.sort(key=lambda r: (r["dataset"], r["label"]))
    return [
        Thumb(
            Pixels("", _fitted((folder / row["picture"]).read_bytes(), 200), "").source,
            f"{row['model']}: {float(row['score']):.3f}",
            f"{row['dataset']}, {'generated' if row['label'] == '1' else 'real'}",
        )
        for row in ordered
    ]


def _fitted(data: bytes, side: int = _WIDEST) -> bytes:
    """A PNG no larger than ``side``, so that the page stays light."""
    return encode(shrunk(decode(data).pixels, side), "PNG")


def _data(summary: Summary) -> Section:
    rows = [
        [name, *(f"{sum(part.images[split]):,}" for split in part.images), part.sha256[:16]]
        for name, part in summary.data.items()
    ]
    return Section(
        "Data",
        ["Images by part; every part holds both classes. The hash is of the whole manifest."],
        [Table(["", "train", "val", "test", "sha256"], rows)],
        links=[(f"manifest of {name}", part.path) for name, part in summary.data.items()],
    )


def _steps(summary: Summary) -> Section:
    rows = [[f"{s.phase}: {s.name}", s.state, s.why, s.folder] for s in summary.steps]
    return Section("Steps", tables=[Table(["phase", "state", "why", "folder"], rows, left=True)])
