"""A page as PDF, printed by an installed Chromium or Chrome; nothing is fetched while it prints."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from authentiscan.core.errors import AuthentiscanError, OutputError, UsageError
from authentiscan.core.files import MARK, PathLike, write_bytes

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 120.0
"""After this long the browser is ended."""

_BEGINNING = b"%PDF-"


def installed() -> str | None:
    """The browser that prints, None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def browser() -> str:
    """The browser that prints. Raises UsageError where none is installed."""
    found = installed()
    if found is None:
        raise UsageError(
            f"a PDF needs an installed browser ({', '.join(BROWSERS[:3])}), and there is none; "
            "write a page (.html) and print it from any browser"
        )
    return found


def write_pdf(html: str, target: PathLike, *, seconds: float = SECONDS) -> None:
    """Print the page ``html`` to ``target``, whole or not at all.

    Raises UsageError where there is no browser, OutputError where it fails or takes more than
    ``seconds``, or where ``target`` cannot be written.
    """
    program = browser()
    # Not below a hidden folder: a browser packed as a snap may not read there.
    with tempfile.TemporaryDirectory(prefix="authentiscan-") as name:
        folder = Path(name)
        (folder / "page.html").write_text(html, encoding="utf-8")
        _run(_arguments(program, folder), seconds)
        try:
            content = (folder / "page.pdf").read_bytes()
        except FileNotFoundError:
            content = b""
    if not content.startswith(_BEGINNING):
        raise OutputError(f"{Path(program).name} printed no PDF; print the page (.html) by hand")
    write_bytes(target, content + b"\n%" + MARK + b"\n")  # known as ours, see core.files


def _arguments(program: str, folder: Path) -> list[str]:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [
        program,
        "--headless",
        *(["--no-sandbox"] if root else []),  # its sandbox refuses root; the page runs no script
        "--disable-gpu",
        "--disable-extensions",
        "--disable-background-networking",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}",
        "--no-pdf-header-footer",
        f"--print-to-pdf={folder / 'page.pdf'}",
        (folder / "page.html").as_uri(),
    ]


def _run(arguments: list[str], seconds: float) -> None:
    """Run the browser; it and its children are ended when time is up or the command is ended."""
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of our own, no shell
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise OutputError(f"cannot start {arguments[0]}: {error.strerror}") from error
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        name = Path(arguments[0]).name
        raise _late(name, seconds) from error
    finally:
        _end(process)


def _late(name: str, seconds: float) -> AuthentiscanError:
    return OutputError(
        f"{name} did not print within {seconds:.0f} s and was ended; print the page (.html) by hand"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the browser's processes; they are a group of their own."""
    if os.name == "nt":
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
    process.wait()
