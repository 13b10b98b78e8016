"""What all commands share: names of options, help with examples, old spellings that still work."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand
from typer.models import OptionInfo

from authentiscan.cli import screen
from authentiscan.cli.guard import forced, typed

if TYPE_CHECKING:
    from authentiscan import attribution
    from authentiscan.images.decode import Limits

# Spellings of earlier releases: they mean the same as the option they are declared with, and help
# does not show them.
OLD_SPELLINGS = frozenset(
    {"--out", "--save", "--html", "--plot", "--parquet", "--processes", "--threads"}
)
_EXAMPLES = re.compile(r"\n\s*\n?Examples?:\s*\n")


class Split(StrEnum):
    """Rows of a manifest."""

    ALL = "all"
    TRAIN = "train"
    VAL = "val"
    TEST = "test"


_DETECTOR = (
    "`default` (the packaged detector), a bundle's folder, a run's folder, a run's name as "
    "`authentiscan runs list` shows it, or a fetched one's as `authentiscan shelf list` does."
)
DetectorArgument = Annotated[str, typer.Argument(metavar="DETECTOR", help=_DETECTOR)]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", metavar="DETECTOR", help=f"Instead of the packaged one: {_DETECTOR}"
    ),
]
Data = Annotated[
    Path,
    typer.Option(
        "--data", "-d", help="Manifest (.parquet), or a folder or zip with real/ and fake/."
    ),
]
DataList = Annotated[
    list[str],
    typer.Option(
        "--data",
        "-d",
        metavar="[NAME=]PATH",
        help="Manifest, folder or zip; once a data set. NAME= before it names it.",
    ),
]
TestSplit = Annotated[
    Split | None,
    typer.Option(
        "--split", help="Rows of the data to measure. [default: test where there are any, else all]"
    ),
]
SplitOption = Annotated[Split, typer.Option("--split", help="Rows of the manifest to use.")]
ReportFolder = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder for the report; scores kept there are used again."),
]
OneProtocol = Annotated[
    str, typer.Option("--protocol", help="`raw`, `matched`, `history` or a degradation chain.")
]
MostImages = Annotated[
    int, typer.Option("--images", min=0, help="At most this many images, drawn evenly; 0: all.")
]
RunFolder = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder of the run; new. [default: runs/NAME-TIME]"),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Rounds = Annotated[
    int, typer.Option("--bootstrap", min=0, max=100_000, help="Bootstrap rounds for intervals.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Another seed draws differently.")]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers_of(text: str) -> OptionInfo:
    """The option ``--workers`` under all its names."""
    info: OptionInfo = typer.Option(
        "--workers", "-w", "--processes", "--threads", min=1, max=256, help=text
    )
    return info


def detectors_of(text: str) -> OptionInfo:
    """The option ``--model`` of a command that offers several detectors."""
    info: OptionInfo = typer.Option("--model", "-m", metavar="DETECTOR", help=text)
    return info


Workers = Annotated[int, workers_of("How many threads or processes work at once.")]
TrustListOption = Annotated[
    Path | None,
    typer.Option(
        "--trust-list",
        metavar="PEM",
        help="Certificates whose C2PA signatures count as trusted. Default: the file that "
        "AUTHENTISCAN_TRUST_LIST names, else the official list (see `authentiscan trust show`).",
    ),
]
Attributor = Annotated[
    str,
    typer.Option(
        "--attributor",
        metavar="ATTRIBUTOR",
        help="What names the likely generator of images judged generated: `default` (the packaged "
        "one), a bundle's or a run's folder, or `none`.",
    ),
]
HOST = "127.0.0.1"
Host = Annotated[
    str,
    typer.Option(
        help="Address to listen at; 127.0.0.1 is this machine alone, 0.0.0.0 all addresses of it."
    ),
]


def changes_of(what: str, example: str) -> OptionInfo:
    """The option ``--set``, which changes single values of a recipe or a configuration."""
    info: OptionInfo = typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help=f"Change the {what}: {example}. Can be repeated.",
    )
    return info


MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        min=1,
        metavar="N",
        help="Largest image that is decoded, in pixels: 16384 x 12288 where not given.",
    ),
]
MaxBytes = Annotated[
    int | None,
    typer.Option(
        "--max-bytes",
        min=1,
        metavar="N",
        help="Largest image file that is read, in bytes: 134217728 (128 MiB) where not given.",
    ),
]
Latex = Annotated[
    Path | None,
    typer.Option(
        "--latex", metavar="FILE", help="The main tables for a paper too, as LaTeX (booktabs)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")]
_LOUDNESS = (
    ("quiet", "--quiet", "-q", "Only results, warnings and errors: no progress, no notes."),
    ("verbose", "--verbose", "-v", "Say more: reasons, places, times."),
)
_FORCE = ("force", "--force", "Replace a file that authentiscan did not make.")


def limits(max_pixels: int | None = None, max_bytes: int | None = None) -> Limits:
    """What an image may claim, with the pixels and bytes that the command line allows."""
    from authentiscan.images.decode import DEFAULT_LIMITS

    asked = {"pixels": max_pixels, "bytes": max_bytes}
    return DEFAULT_LIMITS.model_copy(
        update={name: most for name, most in asked.items() if most is not None}
    )


def attributor_called(name: str, *, threads: int = 1) -> attribution.Attributor | None:
    """The attributor that ``--attributor`` names; None for ``none``."""
    from authentiscan.attribution import load_attributor

    return None if name == "none" else load_attributor(name, threads=threads)


class Command(TyperCommand):
    """A command whose docstring may end with examples, and which knows its old spellings."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        text, *examples = _EXAMPLES.split(settings.pop("help", None) or "", maxsplit=1)
        settings.pop("epilog", None)
        super().__init__(
            name, help=_flowing(text), epilog=_epilog(examples[0] if examples else ""), **settings
        )
        self.old: dict[str, str] = {}
        for parameter in self.params:
            shown = [option for option in parameter.opts if option not in OLD_SPELLINGS]
            self.old |= {o: shown[0] for o in parameter.opts if o in OLD_SPELLINGS and shown}
            parameter.opts = shown or parameter.opts
            help_text = getattr(parameter, "help", None)
            if help_text:
                parameter.help = escape(help_text)  # type: ignore[attr-defined]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Old spellings are read as the option that has taken their place."""
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, [*map(self._today, args[:end]), *args[end:]])

    def invoke(self, ctx: Any) -> Any:
        """Run the command; no output of it may be a file that was typed as something else."""
        with typed(ctx.params.values()):
            return super().invoke(ctx)

    def _today(self, word: str) -> str:
        option, equals, value = word.partition("=")
        return f"{self.old.get(option, option)}{equals}{value}"


def add(
    app: typer.Typer,
    function: Callable[..., None],
    *,
    name: str | None = None,
    panel: str | None = None,
) -> None:
    """Make ``function`` a command of ``app``: with -q and -v, and examples from its docstring."""
    app.command(name, cls=Command, rich_help_panel=panel)(_with_common_options(function))


def command(
    app: typer.Typer, name: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`add` as a decorator."""

    def made(function: Callable[..., None]) -> Callable[..., None]:
        add(app, function, name=name)
        return function

    return made


def _with_common_options(function: Callable[..., None]) -> Callable[..., None]:
    """``function`` with the options -q and -v, which set how much the screen says, and --force."""
    signature = inspect.signature(function, eval_str=True)
    flags = (*_LOUDNESS, _FORCE) if _writes(signature) else _LOUDNESS
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[bool, typer.Option(*spellings, help=text)],
        )
        for name, *spellings, text in flags
    ]

    @functools.wraps(function)
    def wrapped(*, quiet: bool, verbose: bool, force: bool = False, **values: object) -> None:
        with screen.loudness(quiet=quiet, verbose=verbose), forced(force):
            function(**values)

    wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *added]
    )
    return wrapped


def _writes(signature: inspect.Signature) -> bool:
    """Whether a command has an output; typer keeps an option's first spelling as its default."""
    return any(
        "--output" in (extra.default, *(extra.param_decls or ()))
        for parameter in signature.parameters.values()
        for extra in getattr(parameter.annotation, "__metadata__", ())
        if isinstance(extra, OptionInfo)
    )


def _flowing(text: str) -> str:
    """Paragraphs without the line ends of the source, so that they fill the terminal's width."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return escape("\n\n".join(" ".join(p.split()) for p in paragraphs))


def _epilog(examples: str) -> str | None:
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    return escape("\n".join(["Examples:", *(f"$ {line}" for line in lines)])) if lines else None
