"""`authentiscan provenance`: what files say of their own origin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from authentiscan.cli.inputs import Images, images
from authentiscan.cli.options import AsJson, TrustListOption

if TYPE_CHECKING:
    from authentiscan.provenance import Finding, Provenance, TrustList


def provenance(
    paths: Images,
    as_json: AsJson = False,
    trust_list: TrustListOption = None,
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
        authentiscan provenance picture.png --trust-list C2PA-TRUST-LIST.pem

    """
    from authentiscan.core.errors import DecodeError
    from authentiscan.images.decode import DEFAULT_LIMITS, read_source
    from authentiscan.provenance import TrustList, inspect

    trust = TrustList.chosen(trust_list)
    failed = False
    for item in images(paths, DEFAULT_LIMITS):
        try:
            found = inspect(read_source(item.source), trust)
        except DecodeError as error:
            failed = True
            if as_json:
                typer.echo(json.dumps({"path": item.name, "error": str(error)}))
            else:
                typer.secho(f"{item.name}\n  error: {error}", fg=typer.colors.RED, err=True)
            continue
        if as_json:
            row = {"path": item.name, "error": None, **found.model_dump(mode="json")}
            typer.echo(json.dumps(row))
        else:
            _show(item.name, found, trust)
    if failed:
        raise typer.Exit(1)


def _show(name: str, found: Provenance, trust: TrustList) -> None:
    """Print one file's findings as indented text."""
    typer.secho(name, bold=True)
    typer.echo(f"  {found.container}; C2PA {found.c2pa.value}{_list_note(found, trust)}")
    for finding in found.findings:
        typer.echo(f"  - {_line(finding)}")
        for key, value in finding.details.items():
            typer.echo(f"      {key}: {_first_line(value)}")
    if not found.findings:
        typer.echo("  nothing said of its origin, which is no evidence of anything")
    for note in found.notes:
        typer.secho(f"  note: {note}", fg=typer.colors.YELLOW)


def _line(finding: Finding) -> str:
    weight = finding.state.value if finding.kind == "c2pa" else f"unsigned, {finding.confidence}"
    claim = finding.claim.value.replace("_", " ")
    return f"{finding.summary} [{finding.source}; claims: {claim}; {weight}]"


def _first_line(value: str, width: int = 160) -> str:
    return value if len(value) <= width else value[: width - 1] + "…"


def _list_note(found: Provenance, trust: TrustList) -> str:
    if found.c2pa.value != "untrusted":
        return ""
    return f" (trust list: {trust.name}, {len(trust)} certificates)"
