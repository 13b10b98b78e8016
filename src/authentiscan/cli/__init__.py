"""The command line: one file per command group, every command a plain typed function."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from authentiscan.cli.app import app as web_page
from authentiscan.cli.attribution import app as attribution_app
from authentiscan.cli.calibrate import calibrate
from authentiscan.cli.compare import compare
from authentiscan.cli.cross_evaluate import cross_evaluate
from authentiscan.cli.data import app as data_app
from authentiscan.cli.doctor import doctor
from authentiscan.cli.ensemble import ensemble
from authentiscan.cli.evaluate import evaluate
from authentiscan.cli.explain import explain
from authentiscan.cli.explain_compare import explain_compare
from authentiscan.cli.export import export
from authentiscan.cli.guard import Commands, run
from authentiscan.cli.keys import app as keys_app
from authentiscan.cli.models import app as models_app
from authentiscan.cli.options import add
from authentiscan.cli.pipeline import pipeline
from authentiscan.cli.provenance import provenance
from authentiscan.cli.recipes import app as recipes
from authentiscan.cli.robustness import robustness
from authentiscan.cli.runs import app as runs
from authentiscan.cli.scan import scan
from authentiscan.cli.serve import serve
from authentiscan.cli.sheet import sheet
from authentiscan.cli.shelf import app as shelf_app
from authentiscan.cli.train import train
from authentiscan.cli.trust import app as trust_app

app = typer.Typer(
    name="authentiscan",
    cls=Commands,
    help="Tell camera photographs from AI-generated images, say how sure, and show why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        typer.echo(f"authentiscan {version('authentiscan')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Tell camera photographs from AI-generated images, say how sure, and show why."""


# Commands are registered here, one import line and one add / app.add_typer line a group;
# the files must stay light: heavy rooms are imported inside the command bodies.
_JUDGE, _MEASURE, _TRAIN, _HERE = "Judge images", "Measure detectors", "Data and training", "Setup"
_SERVE = "Serve others"
add(app, scan, panel=_JUDGE)
add(app, sheet, panel=_JUDGE)
add(app, explain, panel=_JUDGE)
add(app, provenance, panel=_JUDGE)
add(app, web_page, name="app", panel=_JUDGE)
add(app, serve, panel=_SERVE)
app.add_typer(keys_app, name="keys", rich_help_panel=_SERVE)
add(app, evaluate, panel=_MEASURE)
add(app, robustness, panel=_MEASURE)
add(app, compare, panel=_MEASURE)
add(app, cross_evaluate, name="cross-evaluate", panel=_MEASURE)
add(app, calibrate, panel=_MEASURE)
add(app, explain_compare, name="explain-compare", panel=_MEASURE)
app.add_typer(data_app, name="data", rich_help_panel=_TRAIN)
app.add_typer(recipes, name="recipes", rich_help_panel=_TRAIN)
add(app, train, panel=_TRAIN)
add(app, pipeline, panel=_TRAIN)
app.add_typer(runs, name="runs", rich_help_panel=_TRAIN)
add(app, ensemble, panel=_TRAIN)
app.add_typer(attribution_app, name="attribution", rich_help_panel=_TRAIN)
app.add_typer(models_app, name="models", rich_help_panel=_HERE)
app.add_typer(shelf_app, name="shelf", rich_help_panel=_HERE)
app.add_typer(trust_app, name="trust", rich_help_panel=_HERE)
add(app, export, panel=_HERE)
add(app, doctor, panel=_HERE)


def main() -> None:
    """Run the command line; see `cli.guard` for how it ends."""
    sys.exit(run(app))
