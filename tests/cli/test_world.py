"""Every command of the program against the world: outputs that cannot be written, strange names.

The commands are taken from the program itself, so that a new one is tried as well; one that writes
must say here how it is called.
"""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from authentiscan.cli import app
from authentiscan.cli.guard import run
from authentiscan.core.locks import held
from authentiscan.datasets import catalog
from authentiscan.datasets.organize import organize

NOWHERE = "/proc/nowhere/"
STRANGE = b"caf\xe9 \x1b[31m \xc2\x9b2J.jpg".decode("utf-8", "surrogateescape")


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below ``command`` with the words that call it."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app)))

# What a command that writes needs before its output; {} is a folder with real/ and fake/.
WRITERS: dict[str, list[str]] = {
    "scan": ["{}", "-o", NOWHERE + "r.jsonl"],
    "scan --": [
        "{}",
        "-o",
        NOWHERE + "r.parquet",
        "-o",
        NOWHERE + "r.html",
        "-o",
        NOWHERE + "r.csv",
    ],
    "sheet": ["{}/real/0.png", "-o", NOWHERE + "x.html"],
    "sheet --": ["{}/real/0.png", "{}/real/1.png", "-o", NOWHERE + "folder"],
    "provenance": ["{}/real/0.png", "-o", NOWHERE + "x.csv"],
    "explain": ["{}/real/0.png", "-o", NOWHERE + "x.png"],
    "explain --": ["{}/real/0.png", "{}/real/1.png", "-o", NOWHERE + "folder"],
    "evaluate": ["default", "-d", "{}", "--bootstrap", "0", "-o", NOWHERE + "rep"],
    "robustness": ["default", "-d", "{}", "--bootstrap", "0", "-o", NOWHERE + "rep"],
    "compare": ["default", "default", "-d", "{}", "--bootstrap", "0", "-o", NOWHERE + "rep"],
    "cross-evaluate": ["default", "-d", "{}", "--bootstrap", "0", "-o", NOWHERE + "rep"],
    "calibrate": ["default", "-d", "{}", "--dry-run", "-o", NOWHERE + "rep"],
    "explain-compare": ["-m", "default", "-d", "{}", "-o", NOWHERE + "rep"],
    "train": ["cifake-cpu", "--data", "{}", "-o", NOWHERE + "run"],
    "ensemble": ["default", "default", "-d", "{}", "-o", NOWHERE + "bundle"],
    "attribution train": ["generators-cpu", "--data", "{}", "-o", NOWHERE + "run"],
    "attribution evaluate": ["default", "-d", "{}", "--bootstrap", "0", "-o", NOWHERE + "rep"],
    "attribution add": ["x", "{}/real/0.png", "{}/real/1.png", "-o", NOWHERE + "bundle"],
    "attribution export": ["default", "-o", NOWHERE + "bundle"],
    "export": ["default/small", "-o", NOWHERE + "x.onnx"],
    "models halve": ["default/small", "-o", NOWHERE + "half"],
    "models quantise": ["default/small", "-o", NOWHERE + "int8"],
    "data organize": ["{}", "-o", NOWHERE + "m.parquet"],
    "data select": ["{}/m.parquet", "-o", NOWHERE + "m.parquet"],
    "data verify": ["{}", "--fix", NOWHERE + "m.parquet"],
    "data verify --": ["{}", "-o", NOWHERE + "page.html"],
    "data audit": ["{}", "--matched", NOWHERE + "m.parquet"],
    "data audit --": ["{}", "-o", NOWHERE + "bars.png"],
    "runs compare": ["{}/run", "{}/run", "-o", NOWHERE + "page.html"],
}
_OUTPUTS = {"--output", "--fix", "--matched"}
_TAKING_NAMES = [
    path
    for path, command in COMMANDS.items()
    if any(p.required or p.param_type_name == "argument" for p in command.params)
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set, its manifest, and a file of a strange name."""
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    for side in ("real", "fake"):
        (folder / side).mkdir()
        for number in range(3):
            pixels = rng.integers(0, 255, (80, 96, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / side / f"{number}.png")
    organize([folder], folder / "m.parquet", processes=1)
    shutil.copy(folder / "real" / "0.png", folder / STRANGE)
    return folder


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run the program in this process as `main` does; exit code, standard output and error."""
    for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def called(*arguments: str, out: io.RawIOBase | None = None) -> tuple[int, str, str]:
        raw, err = out or io.BytesIO(), io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))  # type: ignore[arg-type]
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding="cp1252"))
        code = run(lambda: app(list(arguments), prog_name="authentiscan"))
        shown = raw.getvalue().decode() if isinstance(raw, io.BytesIO) else ""
        return code, shown, err.getvalue().decode()

    return called


def test_every_command_that_writes_is_tried_below() -> None:
    tried = {name.removesuffix(" --") for name in WRITERS}
    writing = {
        " ".join(path)
        for path, command in COMMANDS.items()
        if any(_OUTPUTS & set(p.opts) for p in command.params)
    }
    assert writing == tried


@pytest.mark.parametrize("name", WRITERS)
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    name: str, world: Path, call: Callable[..., tuple[int, str, str]], request: Any
) -> None:
    if name == "train":
        pytest.importorskip("torch")
    if name == "runs compare":
        pytest.skip("needs two trained runs; see tests/training/test_runs.py")
    arguments = [text.replace("{}", str(world)) for text in WRITERS[name]]
    before = sorted(p.name for p in world.iterdir())
    code, _, err = call(*name.removesuffix(" --").split(), *arguments)
    assert code == 2, err
    line = err.strip().splitlines()[-1]
    assert line.startswith(f"error: cannot write {NOWHERE}"), err
    assert "Traceback" not in err
    assert sorted(p.name for p in world.iterdir()) == before


@pytest.mark.parametrize("name", [n for n, words in WRITERS.items() if Path(words[-1]).suffix])
def test_a_file_of_somebody_else_is_not_replaced(
    name: str, world: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    words = name.removesuffix(" --").split()
    assert any("--force" in option.opts for option in COMMANDS[tuple(words)].params)
    if name == "runs compare":
        pytest.skip("needs two trained runs; see tests/training/test_runs.py")
    arguments = [
        text.replace("{}", str(world)).replace(NOWHERE, f"{tmp_path}/") for text in WRITERS[name]
    ]
    place = Path(arguments[-1])
    place.write_text("somebody's work")
    code, _, err = call(*words, *arguments)
    assert code == 2, err
    assert f"error: {place} exists and was not made by authentiscan" in err
    assert place.read_text() == "somebody's work"
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


@pytest.mark.parametrize(
    ("words", "beside"),
    [
        (["data", "organize", "{}", "-o", "m.parquet"], "m.failed.jsonl"),
        (["data", "verify", "{}/m.parquet", "--fix", "m.parquet"], "m.removed.csv"),
    ],
)
def test_nor_is_one_beside_the_output(
    words: list[str],
    beside: str,
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[..., tuple[int, str, str]],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(beside).write_text("somebody's work")
    code, _, err = call(*(word.replace("{}", str(world)) for word in words))
    assert code == 2
    assert f"{beside} exists and was not made by authentiscan" in err
    assert Path(beside).read_text() == "somebody's work"


@pytest.mark.parametrize("place", ["/", ".", "..", ""])
@pytest.mark.parametrize("option", [("organize", "-o"), ("verify", "--fix"), ("select", "-o")])
def test_an_output_without_a_name_is_an_error(
    option: tuple[str, str], place: str, world: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, err = call("data", option[0], str(world / "m.parquet"), option[1], place)
    assert code == 2
    assert "Traceback" not in err


def test_what_this_program_made_is_replaced(
    world: Path, tmp_path: Path, tiny_bundle: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    photo, model = str(world / "real" / "0.png"), ("--model", str(tiny_bundle))
    outputs = [f"{tmp_path}/r.{kind}" for kind in ("jsonl", "csv", "html", "parquet")]
    reports = [f"{tmp_path}/v.{kind}" for kind in ("html", "md", "json")]
    commands = [
        ["scan", photo, *model, *(word for path in outputs for word in ("-o", path))],
        *(["explain", photo, *model, "-o", f"{tmp_path}/x.{e}"] for e in ("png", "jpg", "webp")),
        ["data", "organize", str(world), "-o", f"{tmp_path}/m.parquet", "-w", "1"],
        ["data", "select", f"{world}/m.parquet", "-o", f"{tmp_path}/s.parquet"],
        ["data", "verify", f"{world}/m.parquet", "--fix", f"{tmp_path}/f.parquet",
         *(word for path in reports for word in ("-o", path))],
        ["data", "audit", f"{world}/m.parquet", "-o", f"{tmp_path}/bars.png"],
    ]  # fmt: skip
    for command in commands * 2:
        code, _, err = call(*command, "-q")
        assert "not made by" not in err
        assert code in (0, 1), err  # 1: six pictures of noise are no good data set
    scan = commands[0]
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    assert call(*scan)[0] == 2
    assert call(*scan, "--force")[0] == 0
    assert (tmp_path / "r.csv").read_text().startswith("path,verdict")


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "{bundle}", "-d", "{set}", "--record"),
        ("calibrate", "{bundle}", "-d", "{set}"),
        ("data", "download", "bundle", "--root", "{root}", "--from", "hub"),
    ],
)
def test_what_is_changed_in_its_place_is_locked(
    words: tuple[str, ...],
    world: Path,
    tmp_path: Path,
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[..., tuple[int, str, str]],
) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    known = dataclasses.replace(catalog.find("cifake"), name="bundle")
    monkeypatch.setitem(catalog.CATALOG, "bundle", known)
    names = {"{bundle}": str(bundle), "{set}": str(world), "{root}": str(tmp_path)}
    with held(bundle / ".lock", bundle):
        code, _, err = call(*(names.get(word, word) for word in words))
    assert code == 2
    assert "another command writes" in err


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_standard_output_that_is_full(
    path: tuple[str, ...], call: Callable[..., tuple[int, str, str]]
) -> None:
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123
        code, _, err = call(*path, "--help", out=io.BufferedWriter(full))  # type: ignore[arg-type]
    assert code == 2
    assert err == (
        "error: cannot write standard output: No space left on device; "
        "make room or name another place\n"
    )


@pytest.mark.parametrize("path", _TAKING_NAMES, ids=" ".join)
@pytest.mark.parametrize("there", [True, False])
def test_a_name_that_is_no_utf8_and_drives_terminals(
    path: tuple[str, ...],
    there: bool,
    world: Path,
    call: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(world)
    name = STRANGE if there else "no-" + STRANGE
    arguments = list(path)
    for parameter in COMMANDS[path].params:
        if parameter.param_type_name == "argument":
            arguments += [name] * (2 if parameter.nargs == -1 else 1)
        elif _OUTPUTS & set(parameter.opts):
            arguments += [parameter.opts[0], str(tmp_path / "out.parquet")] * parameter.required
        elif parameter.required:
            arguments += [parameter.opts[0], name]
    code, out, err = call(*arguments)
    assert code in {0, 1, 2}, err
    for shown in (out, err):
        assert "\x1b" not in shown
        assert "\x9b" not in shown
        assert "Traceback" not in shown


# An output is never an input


@pytest.mark.parametrize("same", ["itself", "link", "hard link"])
@pytest.mark.parametrize(
    "words",
    [
        "data organize {table} -o {out} -w 1",
        "data verify {table} --fix {out}",
        "data verify {table} -o {out_html}",
        "data audit {table} --matched {out}",
        "data select {table} --where label=1 -o {out}",
        "data select {pointing} --where label=1 -o {out} --force",
        "data verify {pointing} --fix {out}",
        "data audit {pointing} --matched {out}",
        "explain {image} -o {out_image}",
        "explain {image} {other} -o {images}",
    ],
)
def test_an_output_that_is_an_input_is_refused_and_untouched(
    words: str, same: str, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    encoded = []
    for number in range(6):
        pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        place = tmp_path / "images" / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(place)
        encoded.append(place.read_bytes())
    table = tmp_path / "web.parquet"
    pq.write_table(pa.table({"image": encoded, "label": [0, 1] * 3}), table)
    if "{pointing}" in words:
        made = call("data", "organize", str(table), "-o", str(tmp_path / "m.parquet"), "-w", "1")
        assert made[0] == 0, made[2]
    image = tmp_path / "images" / "0_explained.png"
    image.write_bytes(encoded[0])
    names = {
        "table": table,
        "pointing": tmp_path / "m.parquet",
        "out": _called(table, tmp_path / "o.parquet", same),
        "out_html": _called(table, tmp_path / "o.html", same if same != "itself" else "link"),
        "image": tmp_path / "images" / "0.png" if "{images}" in words else image,
        "other": image,
        "out_image": _called(image, tmp_path / "o.png", same),
        "images": tmp_path / "images",
    }
    before = table.read_bytes(), image.read_bytes()
    code, _, err = call(*words.format(**names).split())
    assert code == 2, err
    assert "is also an input" in err
    assert (table.read_bytes(), image.read_bytes()) == before
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith((".partial", ".lock"))]


def _called(file: Path, other: Path, how: str) -> Path:
    """Another name of ``file``."""
    if how == "itself":
        return file
    if how == "link":
        other.symlink_to(file)
    else:
        os.link(file, other)
    return other


def test_what_else_was_typed_is_no_output_even_by_force(
    call: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    tiny_bundle: Path,
    world: Path,
    signer_chain: dict[str, bytes],
) -> None:
    """A trust list, a detector's files, an image called like a page, an image of a manifest."""
    bundle, folder, trust = tmp_path / "bundle", tmp_path / "in", tmp_path / "trust.jsonl"
    shutil.copytree(tiny_bundle, bundle)
    shutil.copytree(world / "real", folder)
    photo, odd = folder / "0.png", folder / "b.html"
    shutil.copy(photo, odd)
    trust.write_bytes(signer_chain["root"])
    model = ("--model", str(bundle))
    inputs = {
        trust: [("scan", str(photo), *model, "--trust-list", str(trust)),
                ("provenance", str(photo), "--trust-list", str(trust))],
        bundle / "detector.json": [("scan", str(photo), *model)],
        odd: [("scan", str(folder), *model), ("provenance", str(folder))],
    }  # fmt: skip
    for place, commands in inputs.items():
        before = place.read_bytes()
        for command in commands:
            code, _, err = call(*command, "-o", str(place), "--force")
            assert (code, err.count("\n")) == (2, 1), err
            assert f"{place} is also an input" in err
            assert place.read_bytes() == before
    image = world / "real" / "1.png"
    words = ("-d", str(world / "m.parquet"), "-o", str(tmp_path / "rep"), "--latex", str(image))
    code, _, err = call("evaluate", str(bundle), *words, "--force")
    assert code == 2, err
    assert f"{image} is also an input" in err
