"""Keys: shown once, kept as a hash, listed and revoked, by the program too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import OutputError, UsageError
from authentiscan.serving.api.database import FILE, Database
from authentiscan.serving.api.keys import MARK, Keys


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder for keys."""
    return tmp_path / "deep" / "state"


def _run(*words: str, state: Path) -> str:
    result = CliRunner().invoke(app, ["keys", *words, "--state", str(state)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_key_is_found_until_it_is_revoked(state: Path) -> None:
    with Database(state) as database:
        keys = Keys(database)
        key = keys.add("news.room-1", per_minute=7)
        assert key.startswith(MARK)
        found = keys.find(key)
        assert found is not None
        assert (found.name, found.per_minute, key.startswith(found.start)) == (
            "news.room-1",
            7,
            True,
        )
        assert keys.all()[0].used is not None
        assert keys.find(key + "x") is None
        assert keys.find("") is None
        keys.revoke("news.room-1")
        assert keys.find(key) is None
        assert keys.all()[0].revoked is not None
    assert key.encode() not in (state / FILE).read_bytes()


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "é", "x" * 65, "a\n"])
def test_names_that_could_mislead_are_refused(state: Path, name: str) -> None:
    with Database(state) as database, pytest.raises(UsageError, match="cannot be a key's name"):
        Keys(database).add(name)


def test_a_name_is_taken_for_ever(state: Path) -> None:
    with Database(state) as database:
        keys = Keys(database)
        keys.add("a")
        keys.revoke("a")
        with pytest.raises(UsageError, match="already, or was"):
            keys.add("a")
        with pytest.raises(UsageError, match="there is no key 'b'; known are: a"):
            keys.revoke("b")


def test_the_commands_make_list_and_revoke(state: Path) -> None:
    key = _run("add", "desk", "--per-minute", "30", state=state).strip()
    assert key.startswith(MARK)
    (told,) = json.loads(_run("list", "--json", state=state))
    assert (told["name"], told["per_minute"], told["used"]) == ("desk", 30, None)
    shown = _run("list", state=state)
    assert "desk" in shown
    assert "never" in shown
    assert key not in shown
    _run("revoke", "desk", state=state)
    assert json.loads(_run("list", "--json", state=state))[0]["revoked"]
    with Database(state) as database:
        assert Keys(database).find(key) is None


def test_only_the_owner_can_read_the_file(state: Path) -> None:
    with Database(state):
        pass
    assert (state / FILE).stat().st_mode & 0o077 == 0
    assert state.stat().st_mode & 0o077 == 0


def test_a_damaged_or_newer_file_is_told(state: Path) -> None:
    state.mkdir(parents=True)
    (state / FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(OutputError, match="file is not a database"):
        Database(state)
    (state / FILE).unlink()
    with Database(state) as database, database.writing() as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(UsageError, match="newer authentiscan"):
        Database(state)
    with pytest.raises(OutputError, match="cannot write"):
        Database(Path("/proc/nowhere"))
