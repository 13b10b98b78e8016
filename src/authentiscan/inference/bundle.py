"""The bundle: the folder a training run leaves and everything after training reads.

    model.onnx            `image` (N, 3, S, S) float32 -> `logits` (N,), `cam`, `cam_real` (N, h, w)
    weights.safetensors   the same weights for the torch backend
    detector.json         a `NetworkSpec`, see `authentiscan.inference.spec`
    README.md             model card made from it

An ensemble is a bundle of bundles: `members/NAME/` instead of graph and weights, and an
`EnsembleSpec` that holds the checksum of each member's detector.json, which holds those of its
files. No pickle is read or written. A file whose SHA-256 is not the stated one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import ValidationError

from authentiscan.core.errors import (
    BundleError,
    BundleIntegrityError,
    BundleNotFoundError,
    BundleVersionError,
)
from authentiscan.core.files import file_sha256, write_text
from authentiscan.core.nested import read_json
from authentiscan.core.records import mistakes
from authentiscan.core.types import JsonObject
from authentiscan.inference.onnx_files import external_files
from authentiscan.inference.spec import (
    MEMBER_FOLDER,
    ONNX_FILE,
    SPEC_FILE,
    DetectorSpec,
    EnsembleSpec,
    NetworkSpec,
)

CARD_FILE = "README.md"
SCHEMA_VERSION = 1
ATTRIBUTOR = "attributor"
"""The kind of bundle that `authentiscan.attribution` reads."""
MOST_NESTED = 3
"""An ensemble of ensembles of ensembles of networks is as deep as bundles go."""

AnySpec = TypeVar("AnySpec", bound=DetectorSpec)
_KINDS: dict[str, type[DetectorSpec]] = {"network": NetworkSpec, "ensemble": EnsembleSpec}


def read_spec(bundle: Path | str, *, verify: bool = True) -> DetectorSpec:
    """Read and validate the bundle in folder ``bundle``; with ``verify`` also its files' checksums.

    Members of an ensemble are read, and verified, with it. Raises BundleNotFoundError,
    BundleVersionError, BundleIntegrityError or BundleError.
    """
    return _read_spec(Path(bundle), verify=verify, depth=0)


def read_description(folder: Path) -> JsonObject:
    """What stands in the detector.json of ``folder``, its version checked and nothing else.

    Raises BundleNotFoundError, BundleVersionError or BundleError.
    """
    path = folder / SPEC_FILE
    if not path.is_file():
        raise BundleNotFoundError(
            f"no {SPEC_FILE} in {folder}: a bundle is the folder a training run left"
        )
    try:
        content = read_json(path)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BundleError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise BundleError(f"{path} holds no description of a detector")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BundleVersionError(
            f"{path} has schema version {version!r}; this release reads {SCHEMA_VERSION}"
        )
    return content


def _read_spec(folder: Path, *, verify: bool, depth: int) -> DetectorSpec:
    path = folder / SPEC_FILE
    content = read_description(folder)
    kind = content.setdefault("kind", "network")
    if kind == ATTRIBUTOR:
        raise BundleError(
            f"{folder} is an attributor: it names generators and does not tell generated from "
            "real; use it with --attributor"
        )
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BundleVersionError(
            f"{path} describes a {kind!r}; this release reads {', '.join(_KINDS)}"
        )
    if kind == "ensemble":
        _read_members(content, folder, verify=verify, depth=depth)
    try:
        spec = _KINDS[kind].model_validate(content)
    except ValidationError as error:
        reason = mistakes(error)
        raise BundleError(f"{path} is not a valid detector description: {reason}") from error
    if verify:
        verify_files(folder, spec)
    return spec


def _read_members(content: JsonObject, folder: Path, *, verify: bool, depth: int) -> None:
    """Put each member's own description into its record; records of another shape stay as they are,
    for the validation to tell.
    """
    if depth + 1 > MOST_NESTED:
        raise BundleError(
            f"{folder}: ensembles are nested more than {MOST_NESTED} deep; use the inner members "
            "themselves"
        )
    listed = content.get("members")
    for record in listed if isinstance(listed, list) else ():
        if not isinstance(record, dict):
            continue
        record.pop("spec", None)
        name = record.get("folder")
        if not isinstance(name, str) or not re.fullmatch(MEMBER_FOLDER, name):
            continue
        place = folder / name
        if place.resolve() != folder.resolve() / name:
            raise BundleIntegrityError(f"{place} is a link; a member lies in the ensemble's folder")
        record["spec"] = _read_spec(place, verify=verify, depth=depth + 1)


class Stated(Protocol):
    """A description that states checksums."""

    @property
    def files(self) -> Mapping[str, str]:
        """SHA-256 by file name."""
        ...

    @property
    def own_files(self) -> tuple[str, ...]:
        """Files that must be stated."""
        ...


def verify_files(folder: Path, spec: Stated) -> None:
    """Raise BundleIntegrityError where a file is missing or its SHA-256 is not the stated one."""
    unstated = sorted(set(spec.own_files) - set(spec.files))
    if unstated:
        raise BundleIntegrityError(
            f"{folder / SPEC_FILE} states no checksum of {', '.join(unstated)}"
        )
    for name, expected in spec.files.items():
        path = folder / name
        if Path(name).name != name and name not in spec.own_files:
            raise BundleIntegrityError(
                f"{SPEC_FILE} names {name!r}, which is not a plain file name"
            )
        if not path.is_file():
            raise BundleIntegrityError(f"{path} is missing")
        found = file_sha256(path)
        if found != expected:
            raise BundleIntegrityError(
                f"{path} has SHA-256 {found}, {SPEC_FILE} states {expected}: the bundle was changed"
            )
    if ONNX_FILE in spec.files:
        _verify_outside(folder, spec.files)


def _verify_outside(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse a graph that keeps tensors in files whose checksums the bundle does not state."""
    for name in sorted(external_files(folder / ONNX_FILE)):
        told = f"{folder / ONNX_FILE} keeps weights in {name!r}, "
        if name not in files:
            raise BundleIntegrityError(
                f"{told}of which {SPEC_FILE} states no checksum; export it as one file, or state "
                "it under `files`"
            )
        if (folder / name).resolve().parent != folder.resolve():
            raise BundleIntegrityError(
                f"{told}which is a link out of the bundle's folder; put the file itself there, or "
                "export the graph as one file"
            )


def write_spec(folder: Path, spec: AnySpec) -> AnySpec:
    """Write detector.json last, with the checksums of its own files; the spec as written."""
    checksums = {name: file_sha256(folder / name) for name in (*spec.own_files, *spec.files)}
    written = spec.model_copy(update={"files": checksums})
    write_text(folder / SPEC_FILE, written.model_dump_json(indent=2) + "\n")
    return written
