"""`authentiscan provenance`: what files say of their own origin."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.inputs import Images, images
from authentiscan.cli.options import AsJson, MaxBytes, TrustListOption, limits
from authentiscan.cli.screen import note

if TYPE_CHECKING:
    from authentiscan.images.decode import Limits
    from authentiscan.provenance import Provenance, TrustList
    from authentiscan.scan.claims import FileClaims

_ENDINGS = (".jsonl", ".csv", ".html")


def provenance(
    paths: Images,
    *,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="CSV on standard output, one row a file.")
    ] = False,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            "--html",
            help="File to write too, as its ending says: .jsonl, .csv or .html. May be given "
            "several times.",
        ),
    ] = None,
    trust_list: TrustListOption = None,
    max_bytes: MaxBytes = None,
) -> None:
    """Show what image files say of their own origin, and how far that can be believed.

    Reads C2PA content credentials, EXIF, XMP, IPTC and the parameters that image generators write.
    C2PA is one of: absent, trusted, untrusted (intact, but its signer is not on the trust list),
    invalid (changed after signing), unreadable, unchecked (it could not be checked here).
    All other metadata is unsigned: anyone can write, copy or remove it. A file without metadata
    tells nothing. A file that is named itself may be of any format, also one that cannot be shown.
    Nothing is fetched from the network.

    Examples:
        authentiscan provenance picture.png
        authentiscan provenance photos/ more.zip --json > claims.jsonl
        authentiscan provenance photos/ -o claims.html -o claims.csv
        authentiscan provenance picture.png --trust-list C2PA-TRUST-LIST.pem

    """
    from authentiscan.core.errors import UsageError
    from authentiscan.provenance import TrustList
    from authentiscan.scan.claims import write_csv

    if as_json and as_csv:
        raise UsageError("--json and --csv both write to standard output; use -o FILE for one")
    trust = TrustList.chosen(trust_list)
    _check(output or ())
    claim(*(output or ()), inputs=paths)
    kept: list[FileClaims] = []  # for the outputs, which are written at the end
    failed = False

    def read() -> Iterator[FileClaims]:
        nonlocal failed
        for row in _rows(paths, trust, limits(max_bytes=max_bytes)):
            failed = failed or row.found is None
            if output:
                kept.append(row)
            yield row

    try:
        if as_csv:
            write_csv(read(), sys.stdout)
        else:
            for row in read():
                typer.echo(_json(row)) if as_json else _print_row(row, trust)
    finally:  # what an interrupted run has read is not lost
        for target in output if output and kept else ():
            _write(kept, target, paths, trust)
            note(f"written: {target}")
    if failed:
        raise typer.Exit(1)


def _rows(paths: list[str], trust: TrustList, allowed: Limits) -> Iterator[FileClaims]:
    from authentiscan.core.errors import DecodeError
    from authentiscan.images.decode import read_source
    from authentiscan.provenance import inspect
    from authentiscan.scan.claims import FileClaims

    for item in images(paths, allowed):
        try:
            yield FileClaims(item.name, inspect(read_source(item.source, allowed), trust))
        except DecodeError as error:
            yield FileClaims.failed(item.name, error)


def _check(outputs: Sequence[Path]) -> None:
    """Refuse what cannot be written before anything is read."""
    from authentiscan.core.errors import UsageError

    for target in outputs:
        if target.suffix.lower() not in _ENDINGS:
            raise UsageError(
                f"cannot tell what to write to {target.name!r}; end it in {', '.join(_ENDINGS)}"
            )


def _write(rows: list[FileClaims], target: Path, inputs: list[str], trust: TrustList) -> None:
    from authentiscan.core.files import whole_text
    from authentiscan.scan.claims import claims_page, write_csv

    with whole_text(target, inputs=inputs) as stream:
        if target.suffix.lower() == ".csv":
            write_csv(rows, stream)
        elif target.suffix.lower() == ".html":
            stream.write(claims_page(rows, f"{trust.name} {trust.date}".strip()).html())
        else:
            stream.writelines(f"{_json(row)}\n" for row in rows)


def _json(row: FileClaims) -> str:
    found = {} if row.found is None else row.found.model_dump(mode="json")
    return json.dumps({"path": row.path, "error": row.error, **found})


def _print_row(row: FileClaims, trust: TrustList) -> None:
    """Print one file for people."""
    if row.found is None:
        typer.secho(f"{row.path}\n  error: {row.error}", fg=typer.colors.RED, err=True)
    else:
        _show(row.path, row.found, trust)


def _show(name: str, found: Provenance, trust: TrustList) -> None:
    """Print one file's findings as indented text."""
    from authentiscan.scan.claims import sentence

    typer.secho(name, bold=True)
    typer.echo(f"  {found.container}; C2PA {found.c2pa.value}{_list_note(found, trust)}")
    for finding in found.findings:
        typer.echo(f"  - {sentence(finding)}")
        for key, value in finding.details.items():
            typer.echo(f"      {key}: {_first_line(value)}")
    if not found.findings:
        typer.echo("  nothing said of its origin, which is no evidence of anything")
    for text in found.notes:
        typer.secho(f"  note: {text}", fg=typer.colors.YELLOW)


def _first_line(value: str, width: int = 160) -> str:
    return value if len(value) <= width else value[: width - 1] + "…"


def _list_note(found: Provenance, trust: TrustList) -> str:
    if found.c2pa.value != "untrusted":
        return ""
    return f" (trust list: {trust.name}, {len(trust)} certificates)"
