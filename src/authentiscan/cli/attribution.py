"""`authentiscan attribution`: train, measure and extend what names the generator of an image."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.attribution_name import name
from authentiscan.cli.guard import claim
from authentiscan.cli.inputs import Images
from authentiscan.cli.metrics import metric_lines
from authentiscan.cli.options import (
    CORES,
    AsJson,
    Device,
    Rounds,
    RunFolder,
    Seed,
    TestSplit,
    Workers,
    changes_of,
    command,
)
from authentiscan.cli.screen import Screen, bars, note, print_table, warn
from authentiscan.core.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from authentiscan.attribution.adding import Added
    from authentiscan.evaluation.attribution import Measured

app = typer.Typer(
    help="Name the generator of images: train, measure and extend attributors.",
    no_args_is_help=True,
)
_WHICH = "`default` (the packaged one), a bundle's folder, a run's folder or name."
AttributorArgument = Annotated[str, typer.Argument(metavar="ATTRIBUTOR", help=_WHICH)]
_NEEDED = ("torch", "timm", "yaml", "pyarrow", "safetensors", "onnxscript", "matplotlib")
_DATA = (
    "A folder with one folder for each generator (real/ beside them holds photographs), or a "
    "manifest whose column `generator` names it."
)


Qualities = Annotated[
    str,
    typer.Option(
        "--qualities", help="JPEG qualities of the curve, as 90,50; `none` measures none."
    ),
]


@command(app)
def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe file, or a shipped one: generators-cpu, generators, fingerprint-cpu, "
            "fingerprint, default (the packaged attributor's)."
        ),
    ],
    data: Annotated[Path, typer.Option("--data", "-d", help=_DATA)],
    *,
    changes: Annotated[list[str] | None, changes_of("recipe", "lr=1e-4, classes.least=50")] = None,
    output: RunFolder = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with the run in the folder of -o, from its last checkpoint."
        ),
    ] = False,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out",
            help="Also train without each generator in turn: how well are unknown ones rejected?",
        ),
    ] = False,
    qualities: Qualities = "95,90,80,70,60,50,40,30",
    device: Device = "auto",
    workers: Workers = CORES,
) -> None:
    """Train an attributor and leave its bundle, ready for `authentiscan scan --attributor`.

    Generators whose label is weak (mixed, unspecified, in parentheses) are left out, and those with
    too few images; both are told. All images get one encoding history, so that file formats name
    nobody. The run leaves checkpoints, reports and confusion matrices of validation and test
    images, accuracy against JPEG quality, and a picture of each generator's fingerprint.

    Examples:
        authentiscan attribution train generators-cpu --data generators/
        authentiscan attribution train fingerprint --data all.parquet --leave-one-out
        authentiscan attribution train generators-cpu --data all.parquet -o runs/a --resume

    """
    for module in _NEEDED:
        if find_spec(module) is None:
            raise MissingExtraError("training an attributor", "train")
    from authentiscan.datasets.open import open_generators
    from authentiscan.training.attribution.recipe import load_attribution_recipe

    if resume and output is None:
        raise UsageError("--resume needs the run to go on with: -o RUN")
    curve = _qualities(qualities)
    chosen = load_attribution_recipe(recipe, changes or [])
    opened = open_generators(data, "all")
    # Torch takes seconds to load: what is wrong with the words alone is told before.
    from authentiscan.training.attribution.run import train_attributor

    with Screen() as screen:
        run = train_attributor(
            chosen,
            opened.manifest,
            data_name=opened.name,
            output=output,
            resume=resume,
            device=device,
            leave_one_out=leave_one_out,
            qualities=curve,
            workers=workers,
            reporter=screen,
        )
    typer.echo(f"training ended: {run.fitted.ended}; best epoch {run.fitted.best_epoch}")
    for title, found in (("validation", run.val), ("test", run.test)):
        if found is not None:
            _print_measured(found, f"{title} images")
    if run.left_out is not None:
        from authentiscan.evaluation.attribution import left_out_text

        typer.echo(left_out_text(run.left_out))
    typer.echo(f"bundle: {run.bundle}")
    typer.echo(f"reports, curves, fingerprints: {run.folder}")
    typer.echo(f"try it: authentiscan scan PICTURES --attributor {run.bundle}")


@command(app)
def evaluate(
    attributor: AttributorArgument,
    data: Annotated[Path, typer.Option("--data", "-d", help=_DATA)],
    *,
    split: TestSplit = None,
    qualities: Qualities = "90,70,50,30",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for report, confusion matrix and curve."),
    ] = None,
    bootstrap: Rounds = 1000,
    seed: Seed = 0,
    workers: Workers = CORES,
    as_json: AsJson = False,
) -> None:
    """Measure an attributor: closed set, unknown generators, JPEG qualities, photographs.

    Images of generators that it does not know are the open set: AUC, OSCR, and the share that is
    called unknown. All images get one encoding history first.

    Examples:
        authentiscan attribution evaluate default --data generators/
        authentiscan attribution evaluate runs/a --data all.parquet --split test -o report

    """
    from authentiscan.attribution import load_attributor
    from authentiscan.datasets.open import open_generators
    from authentiscan.evaluation.attribution import evaluate_attributor, write_results

    claim(folders=[output], inputs=[data])
    ready = load_attributor(attributor, threads=1)
    named = open_generators(data, split)
    chosen = _qualities(qualities)
    with bars() as stages:
        found = evaluate_attributor(
            ready,
            named.manifest,
            qualities=chosen,
            rounds=bootstrap,
            seed=seed,
            workers=workers,
            stages=stages,
        )
    title = f"{ready.spec.name} on {named.name}"
    if output is not None:
        write_results(output, found, title)
        note(f"report: {output}")
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        _print_measured(found, title)


command(app)(name)


@command(app)
def add(
    new: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new generator.")],
    paths: Images,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the extended attributor; may be the folder of the one extended.",
        ),
    ],
    attributor: Annotated[
        str, typer.Option("--attributor", metavar="ATTRIBUTOR", help=f"Extend {_WHICH}")
    ] = "default",
    as_json: AsJson = False,
) -> None:
    """Register a new generator from a few images, without training.

    Their mean place among the known generators becomes the new one's prototype. Eight images or
    more are wanted; each is then left out once, to tell how well the others find it.

    Examples:
        authentiscan attribution add my-model samples/ -o my-attributor
        authentiscan attribution add other samples/ -o mine --attributor mine

    """
    from authentiscan.attribution.adding import FEW, add_generator
    from authentiscan.cli.inputs import images
    from authentiscan.images.decode import DEFAULT_LIMITS

    claim(output, inputs=paths)
    sources = (item.source for item in images(paths, DEFAULT_LIMITS))
    added = add_generator(new, sources, output, attributor=attributor)
    for failure in added.failures:
        warn(failure)
    if added.generator.images < FEW:
        warn(f"{added.generator.images} images give a rough prototype; {FEW} or more are wanted")
    if as_json:
        typer.echo(_added_json(added, output))
        return
    count = added.generator.images
    typer.echo(f"registered {new} from {count} images")
    if count >= 3:
        other = ", ".join(f"{n} {k}" for k, n in sorted(added.instead.items()))
        typer.echo(
            f"left out in turn: {added.found} of {count} are called {new}, {added.unknown} "
            f"unknown{f'; others: {other}' if other else ''}"
        )
    typer.echo(f"try it: authentiscan scan PICTURES --attributor {output}")


@command(app)
def export(
    attributor: AttributorArgument,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the attributor to hand on.")
    ],
) -> None:
    """Write an attributor to hand on: what answering needs, without the weights for training.

    Examples:
        authentiscan attribution export runs/mine -o my-attributor

    """
    from authentiscan.attribution.export import export_attributor

    claim(output)
    written = export_attributor(attributor, output)
    size = sum((output / name).stat().st_size for name in written.files)
    typer.echo(f"{output}: {len(written.names)} generators, {size / 1e6:.1f} MB")
    typer.echo(f"try it: authentiscan scan PICTURES --attributor {output}")


@command(app)
def show(attributor: AttributorArgument = "default", *, as_json: AsJson = False) -> None:
    """Show which generators an attributor knows, and what was measured of it.

    Examples:
        authentiscan attribution show
        authentiscan attribution show my-attributor --json

    """
    from authentiscan.attribution import read_attributor
    from authentiscan.attribution.attributor import find_attributor
    from authentiscan.core.types import CAMERA

    spec = read_attributor(find_attributor(attributor))
    if as_json:
        typer.echo(spec.model_dump_json(indent=2))
        return
    rows = [
        [
            "(photographs)" if g.name == CAMERA else g.name,
            str(g.images),
            "registered" if g.registered else "trained",
        ]
        for g in spec.generators
    ]
    print_table(f"{spec.name} {spec.version}", ["generator", "images", "how"], rows)
    typer.echo(f"unknown where the fit is under {spec.least_fit:g}")
    for part, figures in metric_lines(spec.metrics, everything=True):
        typer.echo(f"{part}: {figures}")
    for limit in spec.limits:
        typer.echo(f"limit: {limit}")


def _qualities(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = (0,)
    if not all(1 <= quality <= 100 for quality in found):
        raise UsageError(f"--qualities {text!r}: allowed are numbers 1 to 100 as 90,50, or none")
    return found


def _print_measured(found: Measured, title: str) -> None:
    from authentiscan.evaluation.attribution import headline
    from authentiscan.metrics.bootstrap import Estimate

    rows = [[name, value] for name, value in headline(found)]
    rows += [
        [f"balanced accuracy at JPEG quality {q}", Estimate(*value).percent()]
        for q, value in sorted(found.quality.items(), reverse=True)
    ]
    print_table(f"{title}: %, 95 % intervals", ["", ""], rows)
    for what in found.left_out:
        note(f"left out: {what}")
    if found.unreadable:
        warn(f"{found.unreadable} images could not be read")


def _added_json(added: Added, output: Path) -> str:
    import json

    return json.dumps(
        {
            "generator": added.generator.name,
            "images": added.generator.images,
            "found": added.found,
            "unknown": added.unknown,
            "instead": added.instead,
            "failures": list(added.failures),
            "attributor": str(output),
        }
    )
