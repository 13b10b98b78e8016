"""Archives in parts, made by the real `zip -s`: what is missing, cut or damaged is named."""

from __future__ import annotations

import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from authentiscan.core.errors import DatasetError
from authentiscan.datasets.archives import ArchiveCheck, check_archives


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """A folder BigGAN with an archive of four parts of 64 KiB at most."""
    program = shutil.which("zip")
    if program is None:
        pytest.skip("needs the program zip to make an archive in parts")
    source = tmp_path / "source"
    for i in range(12):
        target = source / "train" / ("ai" if i % 2 else "nature") / f"{i}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(random.Random(i).randbytes(18_000))
    (source / "readme.txt").write_text("text that packs well " * 300)
    folder = tmp_path / "BigGAN"
    folder.mkdir()
    subprocess.run(
        [program, "-q", "-r", "-s", "64k", str(folder / "big.zip"), "."], cwd=source, check=True
    )
    assert sorted(p.suffix for p in folder.iterdir()) == [".z01", ".z02", ".z03", ".zip"]
    return folder


def only(folder: Path, *, read: bool = True) -> ArchiveCheck:
    (found,) = check_archives(folder, read=read)
    return found


def test_whole_archive_passes(split: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    (found,) = check_archives(split.parent, progress=lambda *s: seen.append(s))
    assert found.problems == ()
    assert (found.name, found.parts, found.files) == ("BigGAN/big", 4, 13)
    assert found.bytes == sum(p.stat().st_size for p in split.iterdir())
    assert seen[-1][0] <= (seen[-1][1] or 0)


@pytest.mark.parametrize("part", ["z01", "z02", "zip"])
def test_missing_part_is_named(split: Path, part: str) -> None:
    (split / f"big.{part}").unlink()
    (problem,) = only(split, read=False).problems
    assert f"big.{part}" in problem
    assert "missing" in problem


def test_empty_and_short_parts_are_named(split: Path) -> None:
    (split / "big.z02").write_bytes(b"")
    assert "big.z02 is empty" in only(split).problems
    (split / "big.z02").write_bytes(b"x" * 1000)
    assert any("big.z02 has 1,000 bytes" in p for p in only(split).problems)


def test_surplus_part_is_named(split: Path) -> None:
    (split / "big.z07").write_bytes(b"x" * 65_536)
    assert any("not of this archive: big.z07" in p for p in only(split).problems)


def test_one_flipped_byte_is_found_and_the_file_named(split: Path) -> None:
    data = bytearray((split / "big.z02").read_bytes())
    data[30_000] ^= 1
    (split / "big.z02").write_bytes(data)
    found = only(split)
    assert found.files == 12
    (problem,) = found.problems
    assert problem.endswith("does not match its checksum")
    assert only(split, read=False).problems == ()


def test_cut_last_part(split: Path) -> None:
    last = split / "big.zip"
    last.write_bytes(last.read_bytes()[:-40])
    assert "no zip end record" in only(split).problems[0]


def test_ordinary_zip_and_zip64(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "one.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.txt", "text " * 999)
        with out.open("b.bin", "w", force_zip64=True) as stream:
            stream.write(b"x" * 100)
    assert only(tmp_path).problems == ()
    assert only(tmp_path).files == 2


@pytest.mark.parametrize("seed", range(30))
def test_damage_never_escapes_as_another_error(split: Path, seed: int) -> None:
    rng = random.Random(seed)
    victim = rng.choice(sorted(split.iterdir()))
    data = bytearray(victim.read_bytes())
    for _ in range(rng.randint(1, 40)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    victim.write_bytes(data[: rng.randint(1, len(data))] if seed % 3 == 0 else data)
    only(split)


def test_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no zip archives"):
        check_archives(tmp_path)
    with pytest.raises(DatasetError, match="there is no folder"):
        check_archives(tmp_path / "nowhere")
