"""The documents are true and readable: commands, Python, links, short sentences."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import typer

from authentiscan.cli import app
from authentiscan.datasets.organize import organize
from authentiscan.images.decode import encode

TOP: Any = typer.main.get_command(app)
ROOT = Path(__file__).resolve().parent.parent
GUIDES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "recipes/*.md", "examples/*.md", "src/**/README.md")
    for path in ROOT.glob(pattern)
    if "detectors" not in path.parts  # the model card is written by the program
)
NAMES = [str(path.relative_to(ROOT)) for path in GUIDES]
# Reports and research logs too: their sentences are as long as they are, but their commands work.
ALL = [*NAMES, *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/*/*.md")))]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _fences(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.S | re.M)


def _commands(text: str) -> list[str]:
    blocks = [block for language, block in _fences(text) if language in ("", "bash", "sh")]
    blocks += re.findall(r"(?:^ {4}\S.*\n)+", text, flags=re.M)  # indented code
    lines = [re.sub(r"\\\n\s*", " ", block).splitlines() for block in blocks]
    plain = [line.split(" #")[0].strip() for block in lines for line in block]
    return [
        line[line.index("authentiscan ") :]
        for line in plain
        if re.search(r"(?:^|[|] |do |&& )authentiscan ", line)
        and "…" not in line
        and "..." not in line
    ]


COMMANDS = sorted({(name, line) for name in ALL for line in _commands(_text(name))})
# Named within a sentence, perhaps only its beginning.
MENTIONS = sorted(
    {(n, line) for n in ALL for line in re.findall(r"`(authentiscan [^`\n.…]+)`", _text(n))}
)
SNIPPETS = [
    (name, number, code)
    for name in ALL
    for number, code in enumerate(c for kind, c in _fences(_text(name)) if kind == "python")
]


def test_the_documents_name_commands() -> None:
    assert len([line for name, line in COMMANDS if name == "README.md"]) > 10
    assert len(COMMANDS) > 40


def _found(name: str, line: str) -> tuple[Any, list[str]]:
    """The command that a line names, and the words behind it."""
    words = shlex.split(re.split(r"[|>;&]", line)[0])[1:]
    command = TOP
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        word = words.pop(0)
        assert word in command.commands, f"{name}: no command {word!r}"
        command = command.commands[word]
    return command, words


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_commands_are_read_by_the_command_line(name: str, line: str) -> None:
    command, words = _found(name, line)
    if not hasattr(command, "commands") and "--help" not in words:
        command.make_context(command.name, words)  # a wrong value or number of words raises


@pytest.mark.parametrize(("name", "line"), sorted({*COMMANDS, *MENTIONS}))
def test_commands_and_options_exist(name: str, line: str) -> None:
    command, words = _found(name, line)
    known = {option for parameter in command.params for option in parameter.opts}
    hidden = {
        option
        for parameter in command.params
        if getattr(parameter, "hidden", False)
        for option in parameter.opts
    }
    used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert used <= known | {"--help", "--version"}, f"unknown options {used - known}"
    assert not used & hidden, f"old spellings {used & hidden}"


def test_python_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    exec(compile(code, "README.md", "exec"), {})
    verdict, score = capsys.readouterr().out.splitlines()
    assert verdict.split()[0] in ("real", "generated", "inconclusive")
    assert 0 <= float(score) <= 1


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), flags=re.M))
    named = {t for name in ALL for t in re.findall(r"(?:^|`)make ([a-z-]+)", _text(name), re.M)}
    assert len(named) > 8
    assert named - targets == set()


def test_programs_of_the_repository_exist_with_their_options() -> None:
    lines = {
        re.sub(r"\\\n\s*", " ", block)
        for name in ALL
        for block in re.findall(
            r"python ((?:benchmarks|tools|examples)/.*(?:\\\n.*)*)", _text(name)
        )
    }
    assert len(lines) > 5
    for line in lines:
        program, *words = line.split("#")[0].split("`")[0].split()
        source = _text(program)
        for option in (word.split("=")[0] for word in words if word.startswith("--")):
            assert f'"{option}"' in source, line


@pytest.mark.parametrize(("name", "number", "code"), SNIPPETS)
def test_python_is_python_and_imports_what_exists(name: str, number: int, code: str) -> None:
    tree = compile(
        code, f"{name} {number}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert all(importlib.import_module(alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            missing = [a.name for a in node.names if not _holds(module, a.name)]
            assert missing == []


def _holds(module: ModuleType, name: str) -> bool:
    return hasattr(module, name) or find_spec(f"{module.__name__}.{name}") is not None


@pytest.fixture
def own_images(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    """A folder with what the guides' snippets take for granted: `raw/`, a bundle, a picture."""
    rng = np.random.default_rng(1)
    pixels = [p[y : y + 80, x : x + 80] for p in photos.values() for y, x in ((0, 0), (90, 90))]
    for i, (crop, place) in enumerate(zip(pixels, ("real", "midjourney") * 6, strict=True)):
        folder = tmp_path / "raw" / place
        folder.mkdir(parents=True, exist_ok=True)
        noisy = np.clip(crop + rng.normal(0, 4, crop.shape), 0, 255).astype(np.uint8)
        (folder / f"{i}.png").write_bytes(encode(noisy, "PNG"))
    shutil.copytree(ROOT / "tests/fixtures/tiny-bundle", tmp_path / "runs/web/bundle")
    shutil.copy(ROOT / "examples/photographs/cat.jpg", tmp_path / "picture.jpg")
    return tmp_path


def _run(name: str, **scope: object) -> dict[str, object]:
    (code,) = (code for source, _, code in SNIPPETS if source == name)
    exec(compile(code, name, "exec"), scope)
    return scope


@pytest.mark.slow
def test_python_of_the_guides_runs(
    own_images: Path,
    photos: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(own_images)
    ready = organize(["raw/"], "web.parquet", processes=1, fractions=(0.4, 0.2, 0.4))
    made = _run("docs/data.md", __name__="guide")
    assert set(made["manifest"].column("generator")) == {"camera", "midjourney"}
    assert len(made["train"]) < len(made["other"]) == 2 * len(ready.manifest())
    _run("docs/evaluation.md")
    assert re.match(r"[01]\.\d+ \[", capsys.readouterr().out.splitlines()[-1])  # ROC AUC, interval
    assert (own_images / "report" / "report.html").is_file()
    _run("docs/attribution.md")
    assert capsys.readouterr().out.split()[0] in ("real", "generated", "inconclusive")
    chain = _run("docs/audit.md", photo=photos["chelsea"], seed=3)
    assert np.array_equal(chain["same"], chain["pixels"])
    verdicts = own_images / "verdicts"
    verdicts.mkdir()
    shutil.copy("web.parquet", verdicts / "part-0.parquet")
    assert _run("docs/scale.md")["table"].num_rows == len(ready.manifest())


@pytest.mark.parametrize("name", ALL)
def test_links_lead_somewhere(name: str) -> None:
    links = {link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", _text(name)) if link}
    missing = [link for link in sorted(links) if not ((ROOT / name).parent / link).exists()]
    assert missing == []


def _sentences(text: str) -> list[str]:
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    paragraphs = [p for p in re.split(r"\n\s*\n", text) if not p.lstrip().startswith("|")]
    items = [i for p in paragraphs for i in re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", p)]
    return [s for i in items for s in re.split(r"(?<=[.!?:;])\s+", re.sub(r"\s+", " ", i))]


@pytest.mark.parametrize("name", NAMES)
def test_sentences_are_short_and_lines_fit(name: str) -> None:
    long = [s for s in _sentences(_text(name)) if len(s.split()) > 30]
    assert long == []
    wide = [
        line
        for line in re.sub(r"```.*?```", "", _text(name), flags=re.S).splitlines()
        if len(line) > 120 and "|" not in line and "](" not in line
    ]
    assert wide == []
