"""Which folder somebody means who names a detector."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from authentiscan.core.errors import BundleNotFoundError
from authentiscan.inference.shelf.place import fetched, fetched_names
from authentiscan.inference.spec import MEMBERS, SPEC_FILE

DEFAULT = "default"
RUNS = Path("runs")
_BUNDLE = "bundle"


def find_bundle(detector: Path | str | None = None) -> Path:
    """The bundle's folder that ``detector`` names.

    Understood are None and ``default`` (the packaged detector), a bundle's folder or the
    detector.json in it, the folder of a training run, a run's name below ``runs/``, and the name of
    a detector on the shelf. A member of an ensemble is named behind it: ``default/small``. A folder
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
    on_shelf = fetched(str(detector))
    if on_shelf is not None:
        return on_shelf
    member = _member(given)
    if member is not None:
        return member
    raise BundleNotFoundError(_why(given))


def _member(given: Path) -> Path | None:
    """The member that is named behind an ensemble's name or folder; None where there is none."""
    if len(given.parts) < 2:
        return None
    try:
        place = find_bundle(str(given.parent)) / MEMBERS / given.name
    except BundleNotFoundError:
        return None
    return place if (place / SPEC_FILE).is_file() else None


def default_bundle() -> Path:
    """Folder of the detector packaged with authentiscan; BundleNotFoundError where none is."""
    folder = Path(str(resources.files("authentiscan"))) / "detectors" / DEFAULT
    if not (folder / SPEC_FILE).is_file():
        raise BundleNotFoundError(
            f"this installation carries no default detector ({folder} has no {SPEC_FILE}); "
            "name a bundle folder, or train one with `authentiscan train`"
        )
    return folder


def known() -> list[str]:
    """Names that `find_bundle` understands: ``default``, runs below ``runs/``, fetched ones."""
    runs = sorted(p.parent.parent.name for p in RUNS.glob(f"*/{_BUNDLE}/{SPEC_FILE}"))
    return [DEFAULT, *runs, *fetched_names()]


def _why(given: Path) -> str:
    if given.is_dir() and (given / "recipe.yaml").is_file():
        return (
            f"the run in {given} has left no bundle yet; go on with it: "
            f"authentiscan train --resume {given}"
        )
    if given.is_dir():
        return f"{given} is no detector: it holds neither {SPEC_FILE} nor {_BUNDLE}/{SPEC_FILE}"
    if (resources.files("authentiscan.inference.shelf.cards") / f"{given}.yaml").is_file():
        return f"the detector {str(given)!r} was not fetched yet: authentiscan shelf get {given}"
    names = known()
    listed = ", ".join(names[:11]) + (", …" if len(names) > 11 else "")
    return (
        f"no detector {str(given)!r}: there is no such folder, no such run below {RUNS}/ and "
        f"nothing of that name on the shelf; name a bundle's or a run's folder, or one of {listed}"
    )
