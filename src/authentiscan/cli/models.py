"""`authentiscan models`: architectures that can be trained, bundles that can be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from authentiscan.inference.bundle import DataUse, DetectorSpec, EnsembleSpec
    from authentiscan.inference.recorded_metrics import RecordedMetrics

app = typer.Typer(help="Show architectures and bundles.", no_args_is_help=True)


@app.command("list")
def list_architectures(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the architectures a recipe can name, with their sizes. Needs the `export` extra.

    Any convolutional timm backbone is allowed beside these, as `timm/<backbone>`.

    Example: authentiscan models list
    """
    from authentiscan.models import create, names, summary

    rows = [(name, create(name).parameter_count(), summary(name)) for name in names()]
    if as_json:
        import json

        keys = ("name", "parameters", "summary")
        typer.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("architecture", "parameters", "what it is", box=None)
    table.columns[1].justify = "right"
    for name, count, what in rows:
        table.add_row(name, f"{count:,}", what)
    Console().print(table)


@app.command("info")
def info(
    bundle: Annotated[
        Path | None, typer.Argument(help="Bundle folder; the packaged detector when left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print detector.json itself.")] = False,
    card: Annotated[bool, typer.Option("--card", help="Print the model card (Markdown).")] = False,
) -> None:
    """Show what a bundle is: network, input, thresholds and what they cost, figures, data, limits.

    The files' checksums are verified; a changed bundle is an error.

    Examples: authentiscan models info; authentiscan models info runs/baseline --json
    """
    from authentiscan.core.errors import UsageError
    from authentiscan.inference import default_bundle, read_spec

    if as_json and card:
        raise UsageError("--json and --card exclude each other")
    folder = default_bundle() if bundle is None else bundle
    spec = read_spec(folder)
    if as_json:
        typer.echo(spec.model_dump_json(indent=2))
    elif card:
        from authentiscan.inference.card import model_card

        typer.echo(model_card(spec), nl=False)
    else:
        _print_info(folder, spec)


def _print_info(folder: Path, spec: DetectorSpec) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{escape(spec.name)}[/bold] {escape(spec.version)}  {escape(str(folder))}")
    if spec.summary:
        console.print(escape(spec.summary))
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for key, value in _facts(spec):
        facts.add_row(key, escape(value))
    console.print(facts)
    thresholds = Table(
        "threshold", "score from", "photographs called generated", "generated found", "measured on",
        box=None, padding=(0, 2, 0, 0),
    )  # fmt: skip
    listed = {t.name: t for t in (spec.decision.generated, *spec.thresholds)}
    for t in listed.values():
        low, high = t.fpr_interval
        wrong = f"{t.fpr:.1%} ({low:.1%} to {high:.1%})"
        thresholds.add_row(t.name, f"{t.score:.4f}", wrong, f"{t.tpr:.1%}", escape(t.measured_on))
    console.print()
    console.print(thresholds)
    for title, line in _metric_lines(spec.metrics):
        console.print(f"[dim]{escape(title)}:[/dim] {escape(line)}")
    console.print()
    for limit in spec.limits:
        console.print(f"- {escape(limit)}")


def _facts(spec: DetectorSpec) -> list[tuple[str, str]]:
    from authentiscan.inference import EnsembleSpec
    from authentiscan.inference.card import range_words
    from authentiscan.metrics.decision import sentences

    inside = _members(spec) if isinstance(spec, EnsembleSpec) else _network(spec)
    return [
        ("made", f"{spec.created:%Y-%m-%d %H:%M} UTC, licence {spec.licence}"),
        *(("trained on from", f"{a.name} {a.version} ({a.sha256[:12]})") for a in spec.lineage),
        *inside,
        ("calibration", _calibration(spec)),
        *(("verdict", line) for line in sentences(spec.decision)),
        *([("verdict", range_words(spec.verdict_range))] if spec.verdict_range else []),
        *(("data", _data(use)) for use in spec.data),
        *(("sha256", f"{digest[:16]}…  {name}, verified") for name, digest in spec.files.items()),
    ]


def _network(spec: DetectorSpec) -> list[tuple[str, str]]:
    (network,) = spec.networks
    how, chosen = network.preprocess, network.architecture
    arguments = ", ".join(f"{key}={value}" for key, value in chosen.arguments.items())
    return [
        ("architecture", f"{chosen.name} ({arguments or 'defaults'})"),
        ("parameters", f"{chosen.parameters:,}"),
        ("input", f"{how.size} x {how.size}, resize {how.resize}, small images {how.small_image}"),
        ("crops", f"up to {how.max_crops}, pooled by {how.pooling}"),
    ]


def _members(spec: EnsembleSpec) -> list[tuple[str, str]]:
    told = [
        (
            "member",
            f"{member.weight:.4g} x {member.spec.name} ({member.spec.architecture_name}, "
            f"{member.spec.parameters:,} parameters), in {member.folder}",
        )
        for member in spec.members
    ]
    return [*told, ("parameters", f"{spec.parameters:,}")]


def _calibration(spec: DetectorSpec) -> str:
    how = spec.calibration
    if how.kind == "isotonic":
        return f"isotonic, {len(how.logits)} points"
    return f"sigmoid({how.slope:.3f} x logit {how.intercept:+.3f})"


def _data(use: DataUse) -> str:
    counts = ", ".join(f"{split} {count:,}" for split, count in use.images.items())
    return f"{use.name}: {counts} (manifest {use.sha256[:12]})"


def _metric_lines(metrics: RecordedMetrics, path: str = "") -> list[tuple[str, str]]:
    """A line for every part with figures or facts, with its path as title."""
    texts = {**metrics.facts, **{name: str(figure) for name, figure in metrics.figures.items()}}
    line = ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in texts.items())
    found = [(path or "measured", line)] if line else []
    for name, part in metrics.parts.items():
        found += _metric_lines(part, f"{path} / {name}" if path else name)
    return found
