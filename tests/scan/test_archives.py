"""Archives: images inside are read, nothing is unpacked, hostile ones do no harm."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import ImageLimitError
from authentiscan.images.decode import Limits, decode, encode
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
