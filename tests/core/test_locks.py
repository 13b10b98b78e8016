"""One command writes an output at a time; a dead one's lock means nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authentiscan.core.errors import OutputError, UsageError
from authentiscan.core.files import leftover
from authentiscan.core.locks import claimed, held, is_held


@contextmanager
def other_process(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that says `ready` when it has the lock and ends when its input closes."""
    head = "import sys\nfrom authentiscan.core.locks import *\n"
    tail = "\n    print('ready', flush=True); sys.stdin.read()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", head + textwrap.dedent(code) + tail],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", ["file", "link", "bundle", "folder"])
def test_the_second_is_told_who_writes(tmp_path: Path, kind: str) -> None:
    output = tmp_path / "out"
    if kind == "bundle":
        output.mkdir()
    named = output
    if kind == "link":
        output.write_text("")
        named = tmp_path / "link"
        named.symlink_to(output)
    how = {"folders": [named]} if kind == "folder" else {}
    files = () if kind == "folder" else (named,)
    given = f"folders=[{str(output)!r}]" if kind == "folder" else repr(str(output))
    with other_process(f"with claimed({given}):") as process:
        with pytest.raises(OutputError) as caught, claimed(*files, **how):
            pass
        assert f"another command writes {named} (process {process.pid})" in str(caught.value)
        assert caught.value.exit_code == 2
    with claimed(*files, **how):  # its holder was killed, without a chance to tidy up
        pass


def test_nothing_stays_behind(tmp_path: Path) -> None:
    with claimed(tmp_path / "a" / "out.csv", None, folders=[tmp_path / "f", None]):
        assert (tmp_path / "f").is_dir()
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


def test_a_filled_folder_stays(tmp_path: Path) -> None:
    with claimed(folders=[tmp_path / "f"]):
        (tmp_path / "f" / "x").write_text("")
    assert list((tmp_path / "f").iterdir()) == [tmp_path / "f" / "x"]


def test_what_a_killed_writer_left_is_taken_away(tmp_path: Path) -> None:
    leftover(tmp_path / "out.csv").write_text("half")
    leftover(tmp_path / "bundle").mkdir()
    (leftover(tmp_path / "bundle") / "half").write_text("")
    with claimed(tmp_path / "out.csv", tmp_path / "bundle"):
        assert not leftover(tmp_path / "out.csv").exists()
    assert list(tmp_path.iterdir()) == []


def test_an_input_twice_and_a_file_for_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("x")
    with pytest.raises(UsageError, match="is also an input"):
        claimed(tmp_path / "in", inputs=[tmp_path / "in"]).__enter__()
    with pytest.raises(UsageError, match="given twice"):
        claimed(tmp_path / "o", tmp_path / "." / "o").__enter__()
    with pytest.raises(UsageError, match="is a file"):
        claimed(folders=[tmp_path / "in"]).__enter__()
    with pytest.raises(OutputError, match="a part of the path is a file"):
        claimed(folders=[tmp_path / "in" / "f"]).__enter__()
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_a_filled_folder_lies_in_no_input(tmp_path: Path) -> None:
    (tmp_path / "set" / "deep").mkdir(parents=True)
    (tmp_path / "same").symlink_to("set")
    for data in ("set", "same", "set/deep/.."):
        with pytest.raises(UsageError, match=r"lies in the input .* name a folder outside"):
            claimed(folders=[tmp_path / "set" / "deep" / "r"], inputs=[tmp_path / data]).__enter__()
    (tmp_path / "m.parquet").write_text("x")
    with claimed(folders=[tmp_path / "r"], inputs=[tmp_path / "set", tmp_path / "m.parquet"]):
        pass
    with claimed(folders=[tmp_path], inputs=[tmp_path / "set"]):
        pass


def test_somebody_elses_file_is_claimed_by_force_only(tmp_path: Path) -> None:
    (tmp_path / "o").write_text("x")
    with pytest.raises(UsageError, match="was not made by authentiscan"):
        claimed(tmp_path / "o").__enter__()
    with claimed(tmp_path / "o", force=True):
        pass
    with pytest.raises(UsageError, match="is also an input"):
        claimed(tmp_path / "o", inputs=[tmp_path / "o"], force=True).__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_full_disk_is_no_lock_of_others(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with claimed(tmp_path / "o"):
            assert is_held(tmp_path / ".o.lock")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_devices_need_no_lock() -> None:
    with claimed("/dev/null"), claimed("/dev/null"):
        pass
    assert not Path("/dev/.null.lock").exists()


def test_whether_a_lock_is_held(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not is_held(lock)
    lock.write_text("99999999 elsewhere")
    assert not is_held(lock)
    with held(lock, "the run"):
        assert is_held(lock)
        assert lock.read_text().split()[0] == str(os.getpid())
        with pytest.raises(OutputError, match=f"writes the run .process {os.getpid()}."):
            held(lock, "the run").__enter__()
    assert not lock.exists()


def test_a_holder_on_another_machine_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with held(lock, "x"):
        lock.write_text("12 far.example")
        with pytest.raises(OutputError, match=r"process 12 on far\.example"):
            held(lock, "x").__enter__()


def test_many_at_once_give_one_winner_at_a_time(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from authentiscan.core.errors import OutputError
        from authentiscan.core.locks import claimed
        folder, won = Path(sys.argv[1]), 0
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                with claimed(folder / "out"):
                    (folder / "inside").touch(exist_ok=False)
                    (folder / "inside").unlink()
                    won += 1
            except OutputError:
                pass
        print(won)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    won = [int(process.communicate()[0]) for process in running]  # an error prints no number
    assert sum(won) > 0
    assert list(tmp_path.iterdir()) == []
