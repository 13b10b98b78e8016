"""Whole files and folders or nothing, and never over an input."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from authentiscan.core.errors import AuthentiscanError, OutputError, UsageError
from authentiscan.core.files import (
    check_writable,
    expanded,
    is_there,
    leftover,
    reason,
    refuse_foreign,
    refuse_inputs,
    whole_file,
    whole_folder,
    whole_path,
    whole_text,
    write_bytes,
    write_text,
)


class Stop(BaseException):
    """Any exit: a signal, an error, a bug."""


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("opened", [whole_path, whole_file, whole_text])
@pytest.mark.parametrize("ends", [Stop, KeyboardInterrupt, ValueError])
def test_the_old_content_stays_whatever_ends_the_writer(
    tmp_path: Path, opened: Callable[..., object], ends: type[BaseException]
) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")

    def stopped() -> None:
        with opened(target) as sink:  # type: ignore[attr-defined]
            if isinstance(sink, Path):
                sink.write_text("half")
            else:
                sink.write("half" if opened is whole_text else b"half")
                sink.flush()
            assert target.read_text() == "old"
            raise ends

    with pytest.raises(ends):
        stopped()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["out.csv"]


def test_a_killed_writer_leaves_the_old_content_and_one_hidden_sibling(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    code = f"""
        import os
        from authentiscan.core.files import whole_text
        with whole_text({str(target)!r}) as stream:
            stream.write("half"); stream.flush(); os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert target.read_text() == "old"
    assert leftover(target).read_text() == "half"
    write_text(target, "new")
    assert target.read_text() == "new"


def test_content_replaces_and_folders_on_the_way_are_made(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "out.bin"
    write_bytes(target, b"one")
    write_bytes(target, b"two", durable=False)
    assert target.read_bytes() == b"two"
    assert names(target.parent) == ["out.bin"]


def test_text_is_utf8_with_its_own_line_breaks_and_escapes(tmp_path: Path) -> None:
    write_text(tmp_path / "t", "é\r\nn\udce9")
    assert (tmp_path / "t").read_bytes() == "é\r\nn\\udce9".encode()


def test_permissions_are_those_of_a_plain_file_or_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "new", "")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    write_text(tmp_path / "new", "again")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_pipes_and_devices_are_written_to(tmp_path: Path) -> None:
    write_text("/dev/null", "gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left on device; make"):
        write_text("/dev/full", "x")
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"full\.jsonl: No space left"):
        write_bytes(tmp_path / "full.jsonl", b"x")


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    name = "é" * 127
    write_text(tmp_path / name, "x")
    assert names(tmp_path) == [name]
    with pytest.raises(OutputError, match="too long; choose a shorter name"):
        write_text(tmp_path / ("n" * 256), "x")


def test_two_writers_at_once_do_not_share_a_sibling(tmp_path: Path) -> None:
    with whole_file(tmp_path / "out") as one, whole_file(tmp_path / "out") as two:
        one.write(b"1" * 10)
        two.write(b"2")
    assert (tmp_path / "out").read_bytes() == b"1" * 10
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("opened", [whole_path, whole_file, whole_text, whole_folder])
def test_places_that_cannot_be_written_are_one_error(
    tmp_path: Path, opened: Callable[..., object]
) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "loop").symlink_to("loop")
    for place in (tmp_path / "file" / "x", Path("/proc/nowhere/x"), tmp_path / "loop" / "x"):
        with pytest.raises(OutputError) as caught, opened(place):  # type: ignore[attr-defined]
            pass
        assert str(caught.value).startswith(f"cannot write {place}: ")
        assert caught.value.exit_code == 2
        with pytest.raises(OutputError):
            check_writable(place)


def test_a_folder_cannot_be_replaced_by_a_file_nor_a_file_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    with pytest.raises(OutputError, match="a folder has this name"):
        write_text(tmp_path / "folder", "x")
    with pytest.raises(UsageError, match="is a file"), whole_folder(tmp_path / "file"):
        pass


def test_a_file_that_may_not_be_written_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    target.chmod(0o444)
    if os.access(target, os.W_OK):  # as root every file may be written
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="Permission denied; name a place that you may write to"):
        write_text(target, "new")
    assert target.read_text() == "old"


def test_errors_about_other_files_are_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "out"):
        (tmp_path / "input").read_bytes()
    assert names(tmp_path) == []


def test_a_folder_that_goes_away_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "gone"

    def removed() -> None:
        with whole_path(folder / "out") as partial:
            partial.unlink()
            folder.rmdir()

    with pytest.raises(OutputError, match="a folder on the way is missing"):
        removed()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_reasons_say_what_to_do(number: int) -> None:
    said = reason(OSError(number, "anything"))
    assert said.startswith(os.strerror(number) + "; ")
    assert reason(OSError("only words")) == "only words"


# Folders


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    def stopped() -> None:
        with whole_folder(tmp_path / "out") as partial:
            (partial / "a").write_text("half")
            raise Stop

    with pytest.raises(Stop):
        stopped()
    assert names(tmp_path) == []
    with whole_folder(tmp_path / "out") as partial:
        (partial / "inner").mkdir()
        (partial / "inner" / "a").write_text("whole")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "inner" / "a").read_text() == "whole"
    assert names(tmp_path) == ["out"]


def test_only_folders_that_may_go_are_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with whole_folder(target) as partial:
        (partial / "one").write_text("")
    with pytest.raises(UsageError, match="holds other files"), whole_folder(target):
        pass
    with whole_folder(target, replaces=lambda folder: (folder / "one").exists()) as partial:
        (partial / "two").write_text("")
    assert names(target) == ["two"]
    with pytest.raises(Stop), whole_folder(target, replaces=lambda _: True):
        raise Stop
    assert names(target) == ["two"]
    assert names(tmp_path) == ["out"]


# Inputs


def _same(folder: Path, how: str) -> Path:
    given = folder / "input"
    other = folder / "other"
    if how == "itself":
        return given
    if how == "dots":
        return folder / "x" / ".." / "input"
    if how == "link":
        other.symlink_to(given)
    elif how == "hard link":
        other.hardlink_to(given)
    else:
        (folder / "linked").symlink_to(folder, target_is_directory=True)
        return folder / "linked" / "input"
    return other


@pytest.mark.parametrize("how", ["itself", "dots", "link", "hard link", "folder link"])
@pytest.mark.parametrize("opened", [whole_path, whole_file, whole_text])
def test_an_input_is_never_replaced(
    tmp_path: Path, how: str, opened: Callable[..., object]
) -> None:
    (tmp_path / "input").write_text("precious")
    (tmp_path / "x").mkdir()
    output = _same(tmp_path, how)
    with pytest.raises(UsageError, match="is also an input"):
        refuse_inputs(output, [tmp_path / "absent", tmp_path / "input"])
    with (
        pytest.raises(UsageError, match="nothing was written") as caught,
        opened(output, inputs=[tmp_path / "input"]),  # type: ignore[attr-defined]
    ):
        pass
    assert caught.value.exit_code == 2
    assert (tmp_path / "input").read_text() == "precious"


def test_a_folder_that_is_an_input_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    given = [str(tmp_path / "in") + "/."]
    with (
        pytest.raises(UsageError, match="is also an input"),
        whole_folder(tmp_path / "in", inputs=given),
    ):
        pass


def test_new_files_and_devices_are_nobodys_input(tmp_path: Path) -> None:
    refuse_inputs(tmp_path / "new", [tmp_path / "new", "-", "\0"])
    refuse_inputs("/dev/null", ["/dev/null"])


def test_output_errors_are_ours() -> None:
    assert issubclass(OutputError, AuthentiscanError)


def test_names_that_nothing_can_have_are_not_there(tmp_path: Path) -> None:
    assert expanded("~nobody-is-called-so/x") == Path("~nobody-is-called-so/x")
    assert expanded("~/x") == Path.home() / "x"
    assert is_there(tmp_path)
    for name in ("9" * 400, "a\0b", "~nobody-is-called-so"):
        assert not is_there(expanded(name))


OURS = [
    b"", b"x" * 9000 + b"Made by authentiscan 0.1.0",
    b"\x89PNG Software\0authentiscan" + b"x" * 2**20,
    b'{"schema_version":1,"path":"a.jpg"}\n', b'{"schema', b"path,verdict,score,threshold\n",
]  # fmt: skip
FOREIGN = [
    b"x", b"a,b\n", b'{"schema_version":2}', b"\xff\xd8\xff\xe0 a photograph",
    b"x" * 2**20 + b"authentiscan" + b"x" * 2**20,
]  # fmt: skip


@pytest.mark.parametrize("content", OURS, ids=range(len(OURS)))
def test_our_own_files_may_be_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out").write_bytes(content)
    refuse_foreign(tmp_path / "out")


@pytest.mark.parametrize("content", FOREIGN, ids=range(len(FOREIGN)))
def test_files_of_others_may_not(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out").write_bytes(content)
    (tmp_path / "link").symlink_to("out")
    for name in ("out", "link"):
        with pytest.raises(UsageError, match=f"{name} exists and was not made by .* --force"):
            refuse_foreign(tmp_path / name)


def test_only_files_are_asked_whose_they_are(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("absent", "folder"):
        refuse_foreign(tmp_path / name)
    refuse_foreign("/dev/null")
