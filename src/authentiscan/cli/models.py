"""`authentiscan models`: architectures that can be trained, bundles that can be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.metrics import metric_lines
from authentiscan.cli.options import AsJson, DetectorArgument, command
from authentiscan.cli.screen import console, note, print_table

if TYPE_CHECKING:
    from authentiscan.inference.spec import DataUse, DetectorSpec, EnsembleSpec

_DETAILS = {"crops", "calibration", "data", "sha256"}  # what only --all shows

app = typer.Typer(help="Show architectures and bundles.", no_args_is_help=True)


@command(app, "list")
def list_architectures(
    as_json: AsJson = False,
) -> None:
    """List the architectures a recipe can name, with their sizes.

    Any convolutional timm backbone is allowed beside these, as `timm/<backbone>`.

    Examples:
        authentiscan models list
        authentiscan models list --json

    """
    from authentiscan.models import names, parameters, summary

    rows = [(name, parameters(name), summary(name)) for name in names()]
    if as_json:
        import json

        keys = ("name", "parameters", "summary")
        typer.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return
    shown = [[name, f"{count:,}", what] for name, count, what in rows]
    print_table("", ["architecture", "parameters", "what it is"], shown, words=(0, 2))


@command(app, "info")
def info(
    detector: DetectorArgument = "default",
    as_json: AsJson = False,
    card: Annotated[bool, typer.Option("--card", help="Print the model card (Markdown).")] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also every threshold and figure, the data and the checksums."),
    ] = False,
) -> None:
    """Show what a detector is: its limits first, then verdicts, thresholds and main figures.

    The files' checksums are verified; a changed bundle is an error. --json prints detector.json.

    Examples:
        authentiscan models info
        authentiscan models info runs/baseline --all
        authentiscan models info runs/baseline --card > README.md

    """
    from authentiscan.core.errors import UsageError
    from authentiscan.inference import find_bundle, read_spec

    if as_json and card:
        raise UsageError("--json and --card exclude each other")
    folder = find_bundle(detector)
    spec = read_spec(folder)
    if as_json:
        typer.echo(spec.model_dump_json(indent=2))
    elif card:
        from authentiscan.inference.card import model_card

        typer.echo(model_card(spec), nl=False)
    else:
        _print_info(folder, spec, everything=everything)


def _print_info(folder: Path, spec: DetectorSpec, *, everything: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    out = console()
    out.print(f"[bold]{escape(spec.name)}[/bold] {escape(spec.version)}  {escape(str(folder))}")
    for limit in spec.limits:
        out.print(f"- {escape(limit)}")
    if spec.summary:
        out.print(escape(spec.summary if everything else spec.summary.partition(". ")[0]))
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for key, value in _facts(spec):
        if everything or key not in _DETAILS:
            facts.add_row(key, escape(value))
    out.print(facts)
    if everything:  # the verdicts above have said what those in use do
        _print_thresholds(spec)
    for title, line in metric_lines(spec.metrics, everything=everything):
        out.print(f"[dim]{escape(title)}:[/dim] {escape(line)}")
    if not everything:
        note("--all shows every threshold and figure, the data and the checksums")


def _print_thresholds(spec: DetectorSpec) -> None:
    from authentiscan.metrics.decision import score_words

    listed = {t.name: t for t in (spec.decision.generated, *spec.thresholds)}
    rows = []
    for t in listed.values():
        low, high = t.fpr_interval
        wrong = f"{t.fpr:.1%} ({low:.1%} to {high:.1%})"
        rows.append([t.name, score_words(t.score), wrong, f"{t.tpr:.1%}", t.measured_on])
    head = ["threshold", "score from", "photographs called generated", "generated found"]
    print_table("", [*head, "measured on"], rows, words=(0, 4))


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
    from authentiscan.inference.card import sides_words

    entries = [
        (
            "member",
            f"{member.weight:.4g} x {member.spec.name} ({member.spec.architecture_name}, "
            f"{member.spec.parameters:,} parameters), in {member.folder}, "
            f"judges {sides_words(member.sides)}",
        )
        for member in spec.members
    ]
    return [*entries, ("parameters", f"{spec.parameters:,}")]


def _calibration(spec: DetectorSpec) -> str:
    how = spec.calibration
    if how.kind == "isotonic":
        return f"isotonic, {len(how.logits)} points"
    return f"sigmoid({how.slope:.3f} x logit {how.intercept:+.3f})"


def _data(use: DataUse) -> str:
    counts = ", ".join(f"{split} {count:,}" for split, count in use.images.items())
    return f"{use.name}: {counts} (manifest {use.sha256[:12]})"


@command(app, "halve")
def halve(
    detector: DetectorArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the smaller bundle.")],
    graph_only: Annotated[
        bool,
        typer.Option(
            "--graph-only",
            help="Leave out the weights beside the graph: it judges, but can neither learn nor be "
            "exported again.",
        ),
    ] = False,
) -> None:
    """Write a bundle of half the size: its weights rounded to float16, computed as float32.

    Scores change by about a hundredth; `evaluate` the result where that matters. Needs the
    `export` extra.

    Examples:
        authentiscan models halve runs/a -o small
        authentiscan models halve runs/a -o smaller --graph-only

    """
    from authentiscan.core.errors import MissingExtraError
    from authentiscan.inference import find_bundle

    bundle = find_bundle(detector)
    claim(output, inputs=bundle.glob("*"))
    try:
        from authentiscan.inference.half import halve_bundle
    except ModuleNotFoundError as error:
        raise MissingExtraError("rounding weights", "export") from error
    halve_bundle(bundle, output, graph_only=graph_only)
    sizes = [sum(file.stat().st_size for file in place.iterdir()) for place in (bundle, output)]
    typer.echo(f"{output}: {sizes[1] / 1e6:.1f} MB, before {sizes[0] / 1e6:.1f} MB")


@command(app, "quantise")
def quantise(
    detector: DetectorArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the smaller bundle.")],
    levels: Annotated[
        int,
        typer.Option(
            min=3,
            max=255,
            help="Levels of a weight, an odd number. Fewer change scores more and pack better in a "
            "wheel or a zip: 31 take about 4.9 bits a weight there, 255 about 7.5.",
        ),
    ] = 255,
    most_drift: Annotated[
        float,
        typer.Option(
            "--most-drift", metavar="LOGIT", min=0, help="Refuse where a logit drifts by more."
        ),
    ] = 0.25,
) -> None:
    """Write a bundle whose products of matrices are in 8 bits, for backbones with attention.

    Logits of fixed crops are compared with the full graph's; where they drift, nothing is written.
    The bundle is checked again when it is loaded. Scores change a little: calibrate it again. Needs
    the `export` extra.

    Examples:
        authentiscan models quantise runs/a -o small
        authentiscan models quantise runs/a -o smaller --levels 31 --most-drift 1

    """
    from authentiscan.inference import find_bundle
    from authentiscan.inference.quantised import quantise_bundle

    bundle = find_bundle(detector)
    claim(output, inputs=bundle.glob("*"))
    drift = quantise_bundle(bundle, output, levels=levels, most_drift=most_drift)
    size, before = ((place / "model.onnx").stat().st_size for place in (output, bundle))
    typer.echo(
        f"{output}: graph of {size / 1e6:.1f} MB, before {before / 1e6:.1f} MB; logits of fixed "
        f"crops drift by at most {drift:.3f}"
    )
