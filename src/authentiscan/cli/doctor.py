"""`authentiscan doctor`: whether this installation is complete, and what an extra would add."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

import typer

from authentiscan.cli.options import CORES, AsJson, Model

State = Literal["ok", "absent", "broken"]

# What an extra unlocks; which distributions it asks for, the package's own metadata say.
_UNLOCKS = {
    "data": "manifests, data sets, reports, Parquet output",
    "train": "training detectors",
    "export": "the torch backend, exporting to ONNX",
    "explain": "more explanation methods",
    "heif": "reading HEIC photographs",
    "api": "the REST API",
    "client": "the API's clients",
    "app": "the web page",
    "video": "judging videos",
    "cluster": "scans on a Ray cluster, object stores",
    "shelf": "published detectors from checkpoints",
    "sweep": "searches of hyperparameters",
    "docs": "building the documentation's site",
    "notebooks": "running the notebooks",
    "wandb": "runs logged to Weights & Biases",
    "mlflow": "runs logged to MLflow",
    "fast": "faster JPEG decoding, same pixels",
    "dev": "developing authentiscan itself",
}
_OWN = "authentiscan"
_MODULES = {"pillow": "PIL", "c2pa-python": "c2pa", "pyyaml": "yaml"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's findings. ``absent`` is fine, ``broken`` is not."""

    name: str
    state: State
    detail: str


def doctor(
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Check this installation: Python, libraries, extras, and that the detector scores an image.

    Exit codes: 0 everything needed works, 1 something is broken. A missing extra is not broken.

    Examples:
        authentiscan doctor
        authentiscan doctor --model runs/baseline --json

    """
    checks = [*environment(), *extras(), *detector(model)]
    if as_json:
        from json import dumps

        typer.echo(dumps({"ok": _sound(checks), "checks": [asdict(check) for check in checks]}))
    else:
        _print(checks)
    if not _sound(checks):
        raise typer.Exit(1)


def environment() -> list[Check]:
    """Python, the package itself, the base libraries, the processor and image formats."""
    import platform

    version = sys.version_info[:3]
    python = Check(
        "python",
        "ok" if version >= (3, 11) else "broken",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    )
    package = Check("authentiscan", "ok", _version("authentiscan") or "not installed as a package")
    return [
        python,
        package,
        *(_base(name) for name in requirements()),
        _tried("threads", _threads),
        _tried("formats", _formats),
        offline(),
    ]


def offline() -> Check:
    """Whether the libraries that report home were told not to before they loaded."""
    from authentiscan.core.offline import SWITCHES, late

    if late():
        how = "set " + " ".join(f"{name}={value}" for name, value in SWITCHES.items())
        return Check("offline", "broken", f"{', '.join(late())} loaded before this package: {how}")
    return Check(
        "offline",
        "ok",
        "nothing is sent unasked: telemetry of ONNX Runtime and of the Hugging Face client is off",
    )


def extras() -> list[Check]:
    """Which extras are installed, and what the others would add; one that asks for nothing is left
    out.
    """
    stated = _stated()
    return [_extra(extra, stated) for extra in stated if extra and stated[extra]]


def _extra(extra: str, stated: dict[str, list[str]]) -> Check:
    unlocks = _UNLOCKS.get(extra, extra)
    missing = [n for n in sorted(_names(extra, stated)) if _version(n) is None]
    if missing:
        how = f"adds {unlocks}: pip install 'authentiscan[{extra}]'"
        return Check(f"extra {extra}", "absent", f"{how} (missing: {', '.join(missing)})")
    own = [name for name, _ in map(_parsed, stated[extra]) if name != _OWN]
    versions = ", ".join(f"{name} {_version(name)}" for name in own)
    return Check(f"extra {extra}", "ok", f"{unlocks} ({versions})")


def requirements(extra: str = "") -> list[str]:
    """Distributions that an extra asks for, or the base install, as the package's metadata say.

    An extra that asks for another one of ours has that one's distributions too.
    """
    return sorted(_names(extra, _stated()))


def _stated() -> dict[str, list[str]]:
    """Requirements by extra; ``""`` is the base install."""
    from importlib.metadata import metadata

    own = metadata(_OWN)
    found: dict[str, list[str]] = {"": []}
    found |= {extra: [] for extra in own.get_all("Provides-Extra", [])}
    for line in own.get_all("Requires-Dist", []):
        requirement, _, marker = line.partition(";")
        extra = re.search(r"""extra\s*==\s*['"]([^'"]+)""", marker)
        found[extra[1] if extra else ""].append(requirement.strip())
    return found


def _names(extra: str, stated: dict[str, list[str]]) -> set[str]:
    names: set[str] = set()
    for name, extras_of_it in map(_parsed, stated[extra]):
        if name == _OWN:
            names = names.union(*(_names(other, stated) for other in extras_of_it))
        else:
            names.add(name)
    return names


def _parsed(requirement: str) -> tuple[str, list[str]]:
    """The distribution and its extras: ``a[b,c]>=1`` is a, [b, c]."""
    match = re.match(r"([\w.-]+)\s*(?:\[([^\]]*)\])?", requirement)
    assert match is not None, requirement
    return match[1].lower(), [part.strip() for part in (match[2] or "").split(",") if part]


def detector(model: str | None) -> list[Check]:
    """Whether the detector's files have their checksums, it loads, and it scores an image."""
    import numpy as np

    from authentiscan.inference import find_bundle, load_detector, read_spec

    def checksum() -> str:
        folder = find_bundle(model)
        spec = read_spec(folder, verify=True)
        files = [
            placed.folder / name
            for placed in spec.placed_networks(folder)
            for name in placed.spec.files
        ]
        size = sum(file.stat().st_size for file in files)
        return f"{spec.name} {spec.version}, {len(files)} files, {size / 1e6:.1f} MB"

    def score() -> str:
        across, down = np.meshgrid(np.arange(160), np.arange(160))  # one crop: quick
        gradient = np.stack([across, down, (across + down) // 2], axis=2)
        value = load_detector(model).predict(gradient.astype(np.uint8)).score
        if not 0 <= value <= 1:
            raise ValueError(f"it gave {value}, which is no probability")
        return f"{value:.4f} for a drawn gradient"

    files = _tried("detector files", checksum)
    return [files, _tried("detector score", score)] if files.state == "ok" else [files]


def _base(name: str) -> Check:
    module = {"pillow": "PIL", "c2pa-python": "c2pa"}.get(name, name)

    def load() -> str:
        __import__(module)
        return _version(name) or "version unknown"

    return _tried(name, load)


def _tried(name: str, run: Callable[[], str]) -> Check:
    """The check's outcome; whatever it raises is the finding, as a doctor should."""
    try:
        return Check(name, "ok", run())
    except Exception as error:
        return Check(name, "broken", f"{type(error).__name__}: {error}")


def _threads() -> str:
    import onnxruntime

    providers = ", ".join(onnxruntime.get_available_providers())
    return f"{CORES} cores to use; ONNX Runtime providers: {providers}"


def _formats() -> str:
    import numpy as np

    from authentiscan.images.decode import decode, encode

    square = np.zeros((16, 16, 3), np.uint8)
    names = [name for name in ("JPEG", "PNG", "WEBP", "AVIF") if decode(encode(square, name))]
    return f"{', '.join(names)} written and read back; TIFF, BMP, GIF and MPO are always there"


@cache
def _version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _sound(checks: list[Check]) -> bool:
    return all(check.state != "broken" for check in checks)


def _print(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    marks = {"ok": ("✓", "green"), "absent": ("–", "yellow"), "broken": ("✗", "bold red")}
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark, style = marks[check.state]
        table.add_row(Text(mark, style=style), Text(check.name), Text(check.detail))
    console = Console()
    console.print(table)
    broken = [check.name for check in checks if check.state == "broken"]
    console.print(f"broken: {', '.join(broken)}" if broken else "everything needed works")
