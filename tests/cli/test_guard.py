"""Every command ends with one line and an exit code, whatever the world does to it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from authentiscan.cli.guard import DEBUG, Commands, run
from authentiscan.core.errors import DatasetError, OutputError, UsageError

COMMAND = (sys.executable, "-m", "authentiscan")


def cli(
    *arguments: str,
    env: dict[str, str] | None = None,
    shell: str = "",
    pass_fds: tuple[int, ...] = (),
) -> subprocess.CompletedProcess[bytes]:
    """The real program, its output as bytes; ``shell``: redirections of a shell."""
    line = f'exec "$@" {shell}'
    return subprocess.run(
        ["bash", "-c", line, "-", *COMMAND, *arguments],
        check=False, capture_output=True, env={**os.environ, **(env or {})}, pass_fds=pass_fds,
    )  # fmt: skip


def ends(body: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and standard error of a command line with one command."""
    app = typer.Typer(cls=Commands, add_completion=False)
    app.callback()(lambda: None)
    app.command("go")(body)
    code = run(lambda: app(["go"], prog_name="x"))
    return code, capsys.readouterr().err


def raising(error: BaseException) -> Callable[[], None]:
    def go() -> None:
        raise error

    return go


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("no such thing"), 2, "error: no such thing\n"),
        (DatasetError("empty"), 2, "error: empty\n"),
        (OutputError("cannot write x"), 2, "error: cannot write x\n"),
        (OSError(28, "x"), 2, "error: No space left on device; make room or name another place\n"),
        (OSError(27, "x", "big"), 2, "error: big: File too large; raise the limit (ulimit -f)"),
        (PermissionError(13, "x", b"d\xe9"), 2, "error: d\\xe9: Permission denied; name a place"),
        (FileNotFoundError(2, "x", "\x1b[2J"), 2, "error: \\u001b[2J: No such file or directory"),
        (OSError(5, "x", 7), 2, "error: 7: Input/output error\n"),
        (MemoryError(), 2, "error: not enough memory; fewer --workers need less\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (typer.Exit(7), 7, ""),
    ],
)
def test_errors_become_one_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, err = ends(raising(error), capsys)
    assert found == code
    assert err.startswith(said)
    assert err.count("\n") == (1 if said else 0)


def test_the_traceback_can_be_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DEBUG, "1")
    with pytest.raises(UsageError, match="seen"):
        ends(raising(UsageError("seen")), capsys)


def test_a_bug_is_not_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        ends(raising(ZeroDivisionError()), capsys)


def test_output_is_utf8_and_drives_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)

    def go() -> None:
        print("写真 \x1b]0;title\x07 \x1b[31mred\x1b[0m caf\udce9 \u202e")

    assert ends(go, capsys)[0] == 0
    assert raw.getvalue().decode() == (
        "写真 \\u001b]0;title\\u0007 \\u001b[31mred\\u001b[0m caf\\xe9 \\u202e\n"
    )


def test_colours_stay_where_they_are_wished_for_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert ends(lambda: print("\x1b[1;31mred\x1b[0m\x1b[2J\x1b]8;;x\x07"), capsys)[0] == 0
    assert raw.getvalue() == b"\x1b[1;31mred\x1b[0m\\u001b[2J\\u001b]8;;x\\u0007\n"


# The real program


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("redirect", "said"),
    [
        (">/dev/full", b"No space left on device; make room or name another place"),
        (">&-", b"it is closed; name a file with -o"),
        (">&$PIPE", b"Broken pipe; its reader has gone"),
    ],
)
@pytest.mark.parametrize("arguments", [["--help"], ["data", "list", "--json"]])
def test_standard_output_that_cannot_be_written(
    arguments: list[str], redirect: str, said: bytes, unbuffered: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    env = {"PYTHONUNBUFFERED": unbuffered, "PIPE": str(writer)}
    ended = cli(*arguments, shell=redirect, env=env, pass_fds=(writer,))
    os.close(writer)
    assert ended.returncode == 2
    assert ended.stderr == b"error: cannot write standard output: " + said + b"\n"


@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-"])
def test_messages_that_cannot_be_shown_change_nothing(redirect: str) -> None:
    ended = cli("provenance", "/nowhere.jpg", shell=redirect)
    assert ended.returncode == 1
    assert cli("data", "list", shell=redirect).returncode == 0


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
)
def test_any_locale_gives_utf8(env: dict[str, str], tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + "/写真.jpg".encode()
    Path(os.fsdecode(name)).write_bytes(b"no image")
    ended = cli("provenance", os.fsdecode(name), env=env)
    assert ended.returncode == 0, ended.stderr
    assert "写真.jpg".encode() in ended.stdout or b"\\xe5\\x86\\x99" in ended.stdout


def test_what_was_typed_wrongly_is_shown_without_control_characters() -> None:
    for arguments in (["sc\x1b[31man"], ["scan", "--bo\x1b[31mgus"], ["runs", "x\x9b2J"]):
        ended = cli(*arguments)
        assert ended.returncode == 2
        assert b"\x1b" not in ended.stderr
        assert b"\xc2\x9b" not in ended.stderr


_WAITS = """
    import signal, sys, time, typer
    from authentiscan.cli.guard import Commands, run
    # The suite may run in the background, where Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN if str(number.value) in sys.argv else signal.SIG_DFL)
    app = typer.Typer(cls=Commands)
    app.callback()(lambda: None)
    @app.command()
    def go():
        try:
            print("ready", flush=True)
            time.sleep(60)
        finally:
            print("tidied", flush=True)
    sys.exit(run(lambda: app(["go"])))
"""


def _start(*ignored: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_WAITS), *map(str, ignored)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted\n"),
        (signal.SIGTERM, 143, "ended by SIGTERM\n"),
        (signal.SIGHUP, 129, "ended by SIGHUP\n"),
    ],
)
def test_signals_end_a_command_tidily(number: signal.Signals, code: int, said: str) -> None:
    process = _start()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "tidied\n", said)


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    process = _start(signal.SIGHUP.value)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (143, "tidied\n", "ended by SIGTERM\n")


def test_a_signal_that_a_library_takes_for_its_own_failure_is_still_a_signal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def loading() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None

    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        assert ends(loading, capsys) == (143, "ended by SIGTERM\n")
    finally:
        signal.signal(signal.SIGTERM, handler)


def test_a_signal_before_a_command_is_found_ends_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def begun() -> None:
        raise KeyboardInterrupt

    assert run(begun) == 130
    assert capsys.readouterr().err == "interrupted\n"


def on_a_terminal(env: dict[str, str]) -> bytes:
    """What a wrong command shows on a terminal's standard error."""
    ours, theirs = os.openpty()
    try:
        colours = {"FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "NO_COLOR"}
        kept = {name: value for name, value in os.environ.items() if name not in colours}
        command = [*COMMAND, "scan"]
        subprocess.run(command, check=False, stderr=theirs, env={**kept, **env})
        return os.read(ours, 10_000)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs terminals as Unix has them")
@pytest.mark.parametrize(
    ("env", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_that_know_them(env: dict[str, str], coloured: bool) -> None:
    shown = on_a_terminal(env)
    assert b"error: missing argument" in shown
    assert (b"\x1b[31m" in shown) == coloured
    assert coloured or b"\x1b" not in shown
    assert b"u001b" not in shown


def test_ctrl_c_while_the_commands_are_loaded_ends_in_one_line() -> None:
    program = """
        import sys
        class Pressed:
            def find_spec(self, name, path=None, target=None):
                if name == "authentiscan.cli.scan":
                    raise KeyboardInterrupt
        sys.meta_path.insert(0, Pressed())
        from authentiscan.__main__ import main
        main()
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], check=False, capture_output=True
    )
    assert (result.returncode, result.stderr) == (130, b"interrupted\n")
