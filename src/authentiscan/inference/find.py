"""Which folder somebody means who names a detector."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from authentiscan.core.errors import BundleNotFoundError
from authentiscan.inference.bundle import SPEC_FILE

DEFAULT = "default"
RUNS = Path("runs")
_BUNDLE = "bundle"


def find_bundle(detector: Path | str | None = None) -> Path:
    """The bundle's folder that ``detector`` names.

    Understood are None and ``default`` (the packaged detector), a bundle's folder or the
    detector.json in it, the folder of a training run, and a run's name below ``runs/``. A folder
    called like a name is meant by a path: ``./default``. Raises BundleNotFoundError, which says
    what there is instead.
    """
    if detector is None or detector == DEFAULT:
        return default_bundle()
    given = Path(detector)
    if given.name == SPEC_FILE and given.is_file():
        return given.parent
    for place in (given, RUNS / given):
        for folder in (place, place / _BUNDLE):
            if (folder / SPEC_FILE).is_file():
                return folder
    raise BundleNotFoundError(_why(given))


def default_bundle() -> Path:
    """Folder of the detector packaged with authentiscan; BundleNotFoundError where none is."""
    folder = Path(str(resources.files("authentiscan"))) / "detectors" / DEFAULT
    if not (folder / SPEC_FILE).is_file():
        raise BundleNotFoundError(
            f"this installation carries no default detector ({folder} has no {SPEC_FILE}); "
            "name a bundle folder, or train one with `authentiscan train`"
        )
    return folder


def _why(given: Path) -> str:
    if given.is_dir() and (given / "recipe.yaml").is_file():
        return (
            f"the run in {given} has left no bundle yet; go on with it: "
            f"authentiscan train --resume {given}"
        )
    if given.is_dir():
        return f"{given} is no detector: it holds neither {SPEC_FILE} nor {_BUNDLE}/{SPEC_FILE}"
    known = sorted(p.parent.parent.name for p in RUNS.glob(f"*/{_BUNDLE}/{SPEC_FILE}"))
    listed = ", ".join([DEFAULT, *known[:10]]) + (", …" if len(known) > 10 else "")
    return (
        f"no detector {str(given)!r}: there is no such folder and no such run below {RUNS}/; "
        f"name a bundle's or a run's folder, or one of {listed}"
    )
