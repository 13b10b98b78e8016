"""`authentiscan trust`, and the option --trust-list of the commands that judge."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAM = "from authentiscan.cli import main; main()"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command line of a user whose home is empty."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {k: v for k, v in os.environ.items() if k not in ("AUTHENTISCAN_TRUST_LIST",)}
    own = {"HOME": str(home), "XDG_DATA_HOME": str(home), "LOCALAPPDATA": str(home)}
    own |= {"COLUMNS": "120", "no_proxy": "*"}

    def ran(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            env=kept | own,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return ran


@pytest.fixture
def served(tmp_path: Path, signer_chain: dict[str, bytes]) -> Iterator[str]:
    """The address of a server that offers ``list.pem``, ``page.html`` and nothing else."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "list.pem").write_bytes(b"Subject\tCN=test root\n" + signer_chain["root"])
    (folder / "page.html").write_text("<html>please log in</html>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_packaged_list_is_shown(run: Run) -> None:
    shown = run("trust", "show")
    assert shown.returncode == 0, shown.stderr
    for part in ("30 certificates", "2026-08", "https://", "Google C2PA Root CA G3"):
        assert part in shown.stdout
    told = json.loads(run("trust", "show", "--json").stdout)
    assert told["packaged"] is True
    assert len(told["certificates"]) == 30


def test_update_fetches_shows_and_keeps(run: Run, served: str, tmp_path: Path) -> None:
    done = run("trust", "update", "--address", f"{served}/list.pem")
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256((tmp_path / "www" / "list.pem").read_bytes()).hexdigest()
    assert digest in done.stdout
    assert "+ CN=test root" in done.stdout
    assert "- CN=Google C2PA Root CA G3" in done.stdout
    told = json.loads(run("trust", "show", "--json").stdout)
    assert (told["packaged"], len(told["certificates"])) == (False, 1)
    again = run("trust", "update", "--from", tmp_path / "www" / "list.pem")
    assert "the same signers as before" in again.stdout


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:9/list.pem", "cannot fetch"),
        ("http://example.org/list.pem", "no https address"),
        ("file:///etc/hosts", "no https address"),
        ("nonsense", "no https address"),
    ],
)
def test_offline_is_one_line_with_the_way_by_hand(address: str, words: str, run: Run) -> None:
    done = run("trust", "update", "--address", address)
    assert done.returncode == 2
    assert words in done.stderr
    assert "trust update --from FILE" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", ["page.html", "absent.pem"])
def test_what_is_no_list_replaces_none(page: str, run: Run, served: str) -> None:
    assert run("trust", "update", "--address", f"{served}/list.pem").returncode == 0
    done = run("trust", "update", "--address", f"{served}/{page}")
    assert done.returncode == 2
    told = json.loads(run("trust", "show", "--json").stdout)
    assert len(told["certificates"]) == 1, "the list before is still there"


def test_a_file_and_an_address_are_one_too_many(run: Run) -> None:
    assert run("trust", "update", "--from", "a.pem", "--address", "https://b").returncode == 2


@pytest.mark.parametrize("command", ["scan", "provenance", "explain"])
def test_commands_that_judge_take_a_list(
    command: str,
    run: Run,
    signed_picture: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    signer_chain: dict[str, bytes],
) -> None:
    listed = tmp_path / "roots.pem"
    listed.write_bytes(signer_chain["root"])
    model = [] if command == "provenance" else ["--model", tiny_bundle]
    rows = {}
    for name, option in (("unknown", []), ("listed", ["--trust-list", listed])):
        done = run(command, signed_picture, "--json", *model, *option)
        assert done.returncode == 0, done.stderr
        rows[name] = json.loads(done.stdout)
    if command == "provenance":
        assert (rows["unknown"]["c2pa"], rows["listed"]["c2pa"]) == ("untrusted", "trusted")
    else:
        assert rows["listed"]["verdict"] == "generated"
        assert rows["unknown"]["verdict"] != "real"
        assert rows["listed"]["pixel_verdict"] == rows["unknown"]["pixel_verdict"]
    wrong = run(command, signed_picture, "--trust-list", tmp_path / "none.pem")
    assert wrong.returncode == 2
    assert "none.pem" in wrong.stderr
