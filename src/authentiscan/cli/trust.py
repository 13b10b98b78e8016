"""`authentiscan trust`: whose C2PA signatures count, and how to bring that list up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from authentiscan.cli.options import AsJson, TrustListOption, command

app = typer.Typer(no_args_is_help=True, help="Whose C2PA signatures count as trusted.")


@command(app)
def show(trust_list: TrustListOption = None, as_json: AsJson = False) -> None:
    """Show the trust list in use: which, of what date, from where, and whom it names.

    The package knows the official C2PA list by facts (subject, SHA-256 and public key of each
    certificate). A list that `authentiscan trust update` fetched, the file that the environment
    variable AUTHENTISCAN_TRUST_LIST names, and --trust-list go before it, in this order.

    Examples:
        authentiscan trust show

    """
    from authentiscan.provenance import TrustList
    from authentiscan.provenance.trust import packaged, subjects

    found = TrustList.chosen(trust_list)
    named = subjects(found)
    if as_json:
        from json import dumps

        shown = {"name": found.name, "date": found.date, "source": found.source}
        shown["sha256"] = found.sha256
        typer.echo(dumps({**shown, "packaged": found == packaged(), "certificates": named}))
        return
    kind = "known by facts that the package carries" if found == packaged() else "from a file"
    typer.echo(f"{found.name}, {kind}: {len(named)} certificates")
    typer.echo(f"date    {found.date or 'not stated'}")
    typer.echo(f"source  {found.source}")
    typer.echo(f"sha256  {found.sha256} (of the certificates; reports name it as trust_list)")
    for subject in named:
        typer.echo(f"  {subject}")


@command(app)
def update(
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Take this PEM file; nothing is fetched."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Fetch from this https address; default: the C2PA's own."),
    ] = None,
) -> None:
    """Fetch the current official C2PA trust list and keep it for this user.

    Prints its SHA-256 and what changed, so that you can compare it with what others see. The file
    stays until the next update; delete it to go back to the packaged facts. Nothing else in
    authentiscan fetches it.

    Examples:
        authentiscan trust update
        authentiscan trust update --from C2PA-TRUST-LIST.pem

    """
    import hashlib
    from datetime import UTC, datetime

    from authentiscan.core.errors import UsageError
    from authentiscan.core.files import write_bytes
    from authentiscan.provenance import TrustList
    from authentiscan.provenance.fetch import fetch
    from authentiscan.provenance.trust import OFFICIAL, read_bytes, subjects, user_list

    if source and address:
        raise UsageError("--from takes a file and --address fetches one: give one of them")
    where = str(source) if source else address or OFFICIAL
    content = read_bytes(source) if source else fetch(where)
    before, after = (
        set(subjects(found)) for found in (TrustList.kept(), TrustList.of(content, "", where=where))
    )
    place = user_list()
    write_bytes(place, content)
    typer.echo(f"{len(after)} certificates from {where}")
    typer.echo(f"date    {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, when it was taken")
    typer.echo(f"sha256  {hashlib.sha256(content).hexdigest()}")
    typer.echo(f"kept in {place}")
    for sign, subject in sorted(
        [*(("+", s) for s in after - before), *(("-", s) for s in before - after)]
    ):
        typer.echo(f"  {sign} {subject}")
    if after == before:
        typer.echo("  the same signers as before")
