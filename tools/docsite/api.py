"""Reference of the Python API: which names a page shows. mkdocstrings reads their docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

# Top to bottom as docs/architecture.md draws them. `cli` has the command reference, `serving` the
# REST API of the running server, and `detectors` holds data.
ROOMS = (
    "analysis", "inference", "explain", "provenance", "attribution", "client", "scan", "report",
    "evaluation", "checks", "training", "pipeline", "datasets", "manifest", "models", "images",
    "metrics", "core",
)  # fmt: skip
_FACE = "authentiscan"


def pages(source: Path) -> dict[str, str]:
    """Markdown of each page by its place on the site: the public face, and one for every room.

    source: the folder that holds the package.
    """
    face = {name for name in exported(source / _FACE) if not name.startswith("_")}
    made = {"api/index.md": _face(sorted(face))}
    for room in ROOMS:
        blocks = list(_package(source, f"{_FACE}.{room}", face))
        made[f"api/{room}.md"] = "\n".join([f"# {_FACE}.{room}", "", *blocks])
    return made


def exported(package: Path) -> list[str]:
    """The names in a package's ``__all__``; empty where it has none."""
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def _face(names: list[str]) -> str:
    rooms = ", ".join(f"[{room}]({room}.md)" for room in ROOMS)
    lines = [
        "# Python API",
        "",
        "What `import authentiscan` offers. Rooms below it: " + rooms + ".",
    ]
    return "\n".join([*lines, "", *(_block(f"{_FACE}.{name}") for name in names)])


def _package(source: Path, name: str, face: set[str]) -> Iterator[str]:
    """What a package exports; where it exports nothing by name, what its modules hold."""
    folder = source.joinpath(*name.split("."))
    names = exported(folder)
    yield _block(name, "members: false", "show_root_heading: false", "show_root_toc_entry: false")
    if names:
        for public in names:
            if public in face:
                yield f"`{public}`: see [{_FACE}.{public}](index.md#{_FACE}.{public}).\n"
            else:
                yield _block(f"{name}.{public}")
        return
    for path in sorted(folder.iterdir()):
        module = f"{name}.{path.stem}"
        if path.name.startswith("_"):
            continue
        if path.suffix == ".py":
            yield _block(module)
        elif (path / "__init__.py").is_file():
            yield f"## {module} {{ #package-{module.replace('.', '-')} }}\n"
            yield from _package(source, module, face)


def _block(name: str, *options: str) -> str:
    lines = [f"::: {name}", *(["    options:"] if options else [])]
    return "\n".join([*lines, *(f"      {option}" for option in options), ""])
