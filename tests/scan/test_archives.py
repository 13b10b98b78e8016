"""Archives: images inside are read, nothing is unpacked, hostile ones do no harm."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import ImageLimitError
from authentiscan.images.decode import Limits, decode, encode
from authentiscan.scan import archives
from authentiscan.scan.items import LeftOut
from authentiscan.scan.sources import find

PICTURE = encode(np.full((8, 8, 3), 99, np.uint8), "PNG")


def tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


MEMBERS = {
    "b.png": PICTURE,
    "sub/a.PNG": PICTURE,
    "notes.txt": b"no",
    "__MACOSX/._b.png": b"no",
    "../../escape.png": PICTURE,
}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.xz", "x.tar.bz2"])
def test_images_inside(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    mode = {"tar": "w", "tgz": "w:gz"}.get(name.split(".")[-1], "w:" + name.split(".")[-1])
    zipped(path, MEMBERS) if name.endswith("zip") else tar(path, MEMBERS, mode)
    items = list(find([str(path)]))
    shown = [item.name.split("::")[1] for item in items]
    assert shown == ["b.png", "sub/a.PNG", "../../escape.png"]
    assert all(item.name.startswith(str(path)) for item in items)
    assert all(decode(item.content or b"").pixels.mean() == 99 for item in items)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_zip_bomb_is_stopped_while_inflating(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {"a.png": b"\0" * 50_000_000, "b.png": PICTURE})
    first, second = find([str(path)], limits=Limits(bytes=1_000_000))
    assert isinstance(first.error, ImageLimitError)
    assert second.content == PICTURE


def test_links_and_devices_in_a_tar_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            entry = tarfile.TarInfo("link.png")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    assert list(find([str(path)])) == []


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_broken_archives_are_items_with_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no archive")
    (item,) = find([str(tmp_path / name)])
    assert "archive" in str(item.error)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_truncated_archives_end_with_an_error(tmp_path: Path, name: str, share: float) -> None:
    members = {f"{n}.png": np.random.default_rng(n).bytes(4000) for n in range(5)}
    path = tmp_path / name
    zipped(path, members) if name.endswith("zip") else tar(path, members)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    items = list(find([str(path)]))
    assert items
    assert items[-1].error is not None


def test_a_broken_member_does_not_end_the_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a.png": PICTURE * 3, "b.png": PICTURE})
    content = bytearray(path.read_bytes())
    content[60:70] = b"\xff" * 10
    path.write_bytes(bytes(content))
    first, second = find([str(path)])
    assert first.error is not None
    assert second.content == PICTURE


def told(path: Path) -> tuple[list[str], list[str]]:
    """Names of the members that were read, and the errors."""
    items = list(find([str(path)]))
    read = [item.name.split("::")[1] for item in items if item.error is None]
    return read, [str(item.error) for item in items if item.error is not None]


FOUR = {f"{number}.png": PICTURE * (1 + number) for number in range(4)}


def broken_header(content: bytes, name: bytes) -> bytes:
    changed = bytearray(content)
    changed[content.index(name) + 120] ^= 1  # within the header's size field
    return bytes(changed)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_damaged_tar_header_is_told_and_what_follows_is_read(tmp_path: Path, mode: str) -> None:
    plain = tar(tmp_path / "plain.tar", FOUR, "w").read_bytes()
    damaged = broken_header(plain, b"1.png")
    packed = {"w": damaged, "w:gz": gzip.compress(damaged), "w:xz": lzma.compress(damaged)}
    path = tmp_path / "x.tar"
    path.write_bytes(packed.get(mode) or bz2.compress(damaged))
    read, errors = told(path)
    assert read == ["0.png", "2.png", "3.png"]
    assert errors == ["a damaged archive: a header is damaged: members are missing"]


def test_a_header_that_was_emptied_is_no_end(tmp_path: Path) -> None:
    whole = tar(tmp_path / "x.tar", FOUR, "w").read_bytes()
    place = whole.index(b"1.png")
    (tmp_path / "x.tar").write_bytes(whole[:place] + bytes(512) + whole[place + 512 :])
    read, errors = told(tmp_path / "x.tar")
    assert read == ["0.png", "2.png", "3.png"]
    assert errors == ["a damaged archive: a header is damaged: members are missing"]


@pytest.mark.parametrize("members", [1, 2, 3, 4])
def test_a_tar_cut_between_members_is_told(tmp_path: Path, members: int) -> None:
    content = tar(tmp_path / "x.tar", FOUR, "w").read_bytes()
    end = content.index(f"{members}.png".encode()) if members < 4 else content.rindex(b"IEND")
    (tmp_path / "x.tar").write_bytes(content[: -(-end // 512) * 512])
    read, errors = told(tmp_path / "x.tar")
    assert read == list(FOUR)[:members]
    assert "without its end mark" in errors[0]


def test_one_tar_behind_another_and_words_behind_the_end(tmp_path: Path) -> None:
    one = tar(tmp_path / "a.tar", FOUR, "w").read_bytes()
    two = tar(tmp_path / "b.tar", {"z.png": PICTURE}, "w").read_bytes()
    (tmp_path / "x.tar").write_bytes(one + two + b"signed by me".ljust(700, b"."))
    assert told(tmp_path / "x.tar") == ([*FOUR, "z.png"], [])


@pytest.mark.parametrize("place", [-6, -2])
def test_a_checksum_at_the_very_end_of_gzip_counts(tmp_path: Path, place: int) -> None:
    content = bytearray(tar(tmp_path / "x.tar.gz", FOUR).read_bytes())
    content[place] ^= 1
    (tmp_path / "x.tar.gz").write_bytes(bytes(content))
    read, errors = told(tmp_path / "x.tar.gz")
    assert read == list(FOUR)
    assert len(errors) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"words", gzip.compress(b"words" * 2000), b"\x1f\x8b"],
    ids=["empty", "words", "packed words", "cut short"],
)
def test_what_is_no_tar_is_one_row(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    read, errors = told(tmp_path / "x.tar.gz")
    assert (read, len(errors)) == ([], 1)
    assert "object" not in errors[0]


def test_a_member_that_the_zip_directory_does_not_list_is_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", FOUR)
    content = path.read_bytes()
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 1)
    size, start = struct.unpack_from("<II", content, content.rindex(b"PK\x05\x06") + 12)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 3, 3, size - (second - first), start, 0)
    path.write_bytes(content[:first] + content[second : content.rindex(b"PK\x05\x06")] + end)
    read, errors = told(path)
    assert read == ["1.png", "2.png", "3.png"]
    assert "its directory does not list" in errors[0]


def test_a_zip_directory_that_counts_more_members_is_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", FOUR)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x05\x06") + 10] = 9
    path.write_bytes(bytes(content))
    read, errors = told(path)
    assert read == list(FOUR)
    assert "9 members are told, 4 are there" in errors[0]


def test_directory_and_member_that_name_different_files(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", FOUR)
    path.write_bytes(path.read_bytes().replace(b"2.png", b"9.png", 1))
    read, errors = told(path)
    assert read == ["0.png", "1.png", "3.png"]
    assert len(errors) == 1


def patched(path: Path, offset: int, value: int) -> Path:
    """Change two bytes of the last member, in its local header and in the directory."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, content.rindex(b"PK\x03\x04") + offset, value)
    struct.pack_into("<H", content, content.rindex(b"PK\x01\x02") + offset + 2, value)
    path.write_bytes(bytes(content))
    return path


def test_encrypted_and_unknown_compression_are_named(tmp_path: Path) -> None:
    locked = patched(zipped(tmp_path / "a.zip", FOUR), 6, 1)
    assert told(locked)[1] == ["encrypted; unpack the archive with its password first"]
    foreign = patched(zipped(tmp_path / "b.zip", FOUR), 8, 9)
    read, errors = told(foreign)
    assert read == ["0.png", "1.png", "2.png"]
    assert "deflate64" in errors[0]


def test_whole_zips_of_all_kinds_raise_no_alarm(tmp_path: Path) -> None:
    plain = zipped(tmp_path / "x.zip", FOUR).read_bytes()
    (tmp_path / "x.zip").write_bytes(b"#!/bin/sh unpacks itself\n" * 9 + plain)
    assert told(tmp_path / "x.zip") == (list(FOUR), [])
    buffer = io.BytesIO()
    unseekable = type("Pipe", (), {"write": buffer.write, "flush": buffer.flush})()
    with zipfile.ZipFile(unseekable, "w", zipfile.ZIP_DEFLATED) as archive:  # sizes come behind
        for name, content in FOUR.items():
            archive.writestr(name, content)
    (tmp_path / "x.zip").write_bytes(buffer.getvalue())
    assert told(tmp_path / "x.zip") == (list(FOUR), [])


def test_names_as_info_zip_and_old_programs_write_them(tmp_path: Path) -> None:
    def written(name: bytes, extra: bytes = b"") -> str:
        entry = zipfile.ZipInfo("x" * len(name) + ".png")
        entry.extra = extra
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr(entry, PICTURE)
        content = (tmp_path / "x.zip").read_bytes().replace(b"x" * len(name), name)
        (tmp_path / "x.zip").write_bytes(content)
        (read,), errors = told(tmp_path / "x.zip")
        assert errors == []
        return read

    assert written("Grüße".encode()) == "Grüße.png"
    assert written("Grüße".encode("cp437")) == "Grüße.png"
    raw = b"Gr__e.png"
    unicode_path = b"\x01" + struct.pack("<I", zlib.crc32(raw)) + "Grüße.png".encode()
    extra = struct.pack("<HH", 0x7075, len(unicode_path)) + unicode_path
    assert written(b"Gr__e", extra) == "Grüße.png"
    assert written(b"other", extra) == "other.png"  # the field is of another name: out of date


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_what_an_archive_holds_beside_images_is_counted(tmp_path: Path, name: str) -> None:
    inside = {"a.jpg_large": PICTURE, "b": PICTURE, "c.txt": b"words", ".d.png": PICTURE}
    inside["e.zip"] = zipped(tmp_path / "e.zip", FOUR).read_bytes()
    path = tmp_path / name
    zipped(path, inside) if name.endswith("zip") else tar(path, inside)
    left: LeftOut = LeftOut()
    assert [item.name.split("::")[1] for item in find([str(path)], left_out=left)] == [
        "a.jpg_large",
        "b",
    ]
    assert left == {"a text file": 1, "hidden": 1, "an archive in an archive": 1}


def test_gigabytes_of_other_data_have_a_bound_and_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_OTHER_BYTES", 20_000_000)
    monkeypatch.setattr(archives, "_NOTIFY_SECONDS", 0.0)
    zeros = bytes(15_000_000)
    inside = {"a.bin": zeros, "b.png": PICTURE, "c.bin": zeros, "d.bin": zeros, "e.png": PICTURE}
    path = tar(tmp_path / "x.tar.gz", inside)
    lines: list[str] = []
    good, bad = find([str(path)], notify=lines.append)
    assert good.name.endswith("::b.png")
    assert isinstance(bad.error, ImageLimitError)
    assert "without an image" in str(bad.error)
    assert lines[0].startswith("x.tar.gz: ")


def test_a_header_that_announces_gigabytes_is_not_read(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("long")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 10**10
    content = entry.tobuf(tarfile.GNU_FORMAT) + bytes(2_000)
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(content))
    (item,) = find([str(tmp_path / "x.tar.gz")])
    assert isinstance(item.error, ImageLimitError)
