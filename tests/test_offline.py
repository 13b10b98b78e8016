"""Commands send nothing and leave nothing behind: watched by an audit hook and by strace.

Python's audit hook sees what Python code does. Native libraries (ONNX Runtime, c2pa, Arrow, torch)
open sockets and files without it, so the same run is traced by strace where that is installed and
may trace; without strace only the empty home folder tells of native writes, and native sockets are
not seen (`test_the_watch_sees` says which watch this machine has).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image, PngImagePlugin

from authentiscan.cli import app
from authentiscan.core import offline

DRIVER = """
import json, os, signal, sys, threading

stop_after = float(sys.argv[4])
log, allowed, commands = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
seen = []
LOCAL = ("127.", "::1", "localhost")
CHANGES = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.truncate": 0,
           "sqlite3.connect": 0}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def outside(path):
    if isinstance(path, int):
        return False
    path = os.path.realpath(os.fsdecode(path))
    return not any(path == a or path.startswith(a + os.sep) for a in [*allowed, "/dev", "/proc"])

def watch(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = args[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(LOCAL):
            seen.append([event, repr(address)])
    elif event.startswith("socket.get") and event.endswith(("addrinfo", "hostbyname")):
        if args[0] and not str(args[0]).startswith(LOCAL):
            seen.append([event, repr(args[0])])
    elif event == "open" and isinstance(args[2], int) and args[2] & WRITING and outside(args[0]):
        seen.append([event, repr(args[0])])
    elif event in CHANGES and outside(args[CHANGES[event]]):
        seen.append([event, repr(args)])

sys.addaudithook(watch)
from authentiscan.cli import main
codes = []
for command in commands:
    sys.argv = ["authentiscan", *command]
    if stop_after:
        threading.Timer(stop_after, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        main()
        codes.append(0)
    except SystemExit as end:
        codes.append(end.code or 0)
with open(log, "w") as file:
    json.dump({"seen": seen, "codes": codes}, file)
"""
REACHING = re.compile(r"(?:connect|sendto|sendmsg)\(.*AF_INET6?.*")
LOCAL = ('inet_addr("127.', '"::1"')
OPENED = re.compile(
    r'openat\((?:AT_FDCWD|\d+)(?:<([^>]*)>)?, "([^"]+)", [^,)]*O_(?:WRONLY|RDWR|CREAT)'
)
MADE = re.compile(r'(?:mkdir|mkdirat|creat)\((?:AT_FDCWD(?:<[^>]*>)?, )?"([^"]+)".*= (?!-1)')


def tracer() -> list[str]:
    """The start of a command line that traces, empty where strace is absent or may not trace."""
    strace = shutil.which("strace")
    if strace is None:
        return []
    options = [strace, "-f", "-qq", "-y", "-e", "trace=network,openat,creat,mkdir,mkdirat"]
    works = subprocess.run([*options, "-o", os.devnull, "true"], capture_output=True, check=False)
    return options if works.returncode == 0 else []


class Run:
    """Commands run by one process whose home is empty, and what was seen of them."""

    def __init__(
        self,
        folder: Path,
        commands: list[list[str]],
        program: str = DRIVER,
        *,
        stop_after: float = 0,
    ) -> None:
        self.folder, self.home, self.temporary = folder, folder / "home", folder / "tmp"
        self.home.mkdir(parents=True, exist_ok=True)
        self.temporary.mkdir()
        self._allowed = [str(folder.resolve() / name) for name in ("out", "tmp")]
        (folder / "out").mkdir(exist_ok=True)
        log, trace = folder / "tmp" / "seen.json", folder / "trace"
        watch = tracer()
        done = subprocess.run(
            [
                *(watch and [*watch, "-o", str(trace)]),
                *(sys.executable, "-c", program, str(log)),
                *(json.dumps(self._allowed), json.dumps(commands), str(stop_after)),
            ],
            cwd=folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        self.output = done.stdout + done.stderr
        result = json.loads(log.read_text())
        self.codes, self.seen = result["codes"], result["seen"]
        self.traced = trace.read_text(errors="replace").splitlines() if watch else []

    def _environment(self) -> dict[str, str]:
        kept = {k: os.environ[k] for k in ("PATH", "PYTHONPATH", "SYSTEMROOT") if k in os.environ}
        return kept | {
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
        }

    def sent(self) -> list[str]:
        """System calls that reach for an address outside this machine."""
        return [
            line
            for line in self.traced
            if REACHING.search(line) and not any(a in line for a in LOCAL)
        ]

    def written_elsewhere(self) -> list[str]:
        """System calls that make or change a file outside the output and temporary folders."""
        found = []
        for line in self.traced:
            opened, made = OPENED.search(line), MADE.search(line)
            if opened:
                path = str(Path(opened[1] or "") / opened[2])
            elif made:
                path = made[1]
            else:
                continue
            path = os.path.realpath(self.folder / path)
            if not path.startswith((*self._allowed, "/dev/", "/proc/")):
                found.append(line)
        return found

    def left(self) -> list[Path]:
        """What lies in the home folder, which was empty."""
        return sorted(self.home.rglob("*"))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    rng = np.random.default_rng(3)
    for kind, level in (("real", 90), ("fake", 160)):
        (folder / kind).mkdir(parents=True)
        for number in range(8):
            grain = rng.normal(level, 30, (96, 96, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(grain).save(folder / kind / f"{number}.jpg", quality=85 + number)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Software", "NovelAI")
    Image.fromarray(grain).save(folder / "fake" / "named.png", pnginfo=texts)
    return folder


def assert_silent(run: Run) -> None:
    assert run.seen == []
    assert run.sent() == []
    assert run.written_elsewhere() == []
    assert run.left() == []


def test_the_watch_sees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The watch itself: a look-up, a connection and a file are seen, or nothing above is proof."""
    program = DRIVER.replace(
        "codes = []",
        "import pathlib, socket\n"
        "pathlib.Path.home().joinpath('mark').write_text('x')\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.connect(('192.0.2.1', 9))\n"
        "codes = []",
    )
    run = Run(tmp_path, [], program)
    assert [event for event, _ in run.seen] == ["open", "socket.connect"]
    assert [path.name for path in run.left()] == ["mark"]
    if tracer():
        assert len(run.sent()) == 1
        assert len(run.written_elsewhere()) == 1
    with capsys.disabled():
        native = "audit hook and strace" if tracer() else "audit hook only: native sockets unseen"
        print(f"\n[offline tests watch by {native}]")


def test_judging_and_measuring_are_silent(inputs: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    bundle, photo = str(tiny_bundle), str(inputs / "real" / "0.jpg")
    run = Run(
        tmp_path / "run",
        [
            ["scan", str(inputs), "--stability", "-q", "-o", "out/r.jsonl", "-o", "out/r.html"],
            ["explain", photo, "--save", "out/why.png", "--view", "all"],
            ["provenance", str(inputs / "fake" / "named.png"), photo],
            ["evaluate", bundle, "--data", str(inputs), "-o", "out/report", "--bootstrap", "10"],
            ["data", "organize", str(inputs), "-o", "out/all.parquet"],
            ["data", "verify", "out/all.parquet"],
            ["models", "info", bundle],
            ["recipes", "list"],
            ["trust", "show"],
            ["doctor"],
        ],
    )
    assert run.codes == [0] * 10, run.output[-3000:]
    assert_silent(run)
    assert (tmp_path / "run" / "out" / "report").is_dir()


def test_a_training_plan_is_silent(inputs: Path, tmp_path: Path) -> None:
    # Loader processes are forked, and a forked process under strace may wait for ever.
    alone = ["--set", "workers=0"]
    plan = ["train", "quickstart", "--data", str(inputs), "--output", "out/run", "--dry-run"]
    run = Run(tmp_path / "run", [plan + alone])
    assert run.codes == [0], run.output[-3000:]
    assert_silent(run)


TINY = """\
name: tiny
summary: A test.
model:
  name: residual
  arguments:
    {stem_stride: 1, widths: [16, 16], depths: [1, 1], head_widths: [16], head_dropouts: [0.2]}
preprocess: {size: 48, max_crops: 2}
data:
  - {name: toy, path: out/all.parquet}
phases:
  - {epochs: 2}
optimizer: {name: adamw, lr: 0.01, weight_decay: 0.01}
batch_size: 8
workers: 0
"""
PIPELINE = """\
output: out/pipeline
data: {toy: out/all.parquet}
baselines: {toy: {recipe: tiny.yaml}}
combined: {recipe: tiny.yaml, shares: {toy: 100}}
"""
# Fetching is what these are for, or keeping in the user's own folder.
FETCHING = {"data download", "trust update", "shelf get", "shelf add", "shelf verify"}
# Every other command, in an order in which each finds what it needs. {in}: a folder of images with
# labels, {bundle}: a detector, {photo}: an image of that folder.
WITHOUT_TORCH = """
scan {in} -m {bundle} --stability -q -o out/r.jsonl -o out/r.csv -o out/r.html -o out/r.parquet
scan {in} -m {bundle} -q -o out/r.jsonl -o out/r.html --resume --stability
explain {photo} -o out/why.png --view all --faithfulness
provenance {photo} {in}/fake/named.png
data list
data organize {in} -o out/all.parquet --fractions 0.5,0.25,0.25 -w 1
data show out/all.parquet
data select out/all.parquet --where split=test -o out/test.parquet
data verify out/all.parquet -w 1 -o out/verify.html --fix out/fixed.parquet
data audit out/all.parquet -o out/audit.html -o out/audit.png
evaluate {bundle} -d out/all.parquet --split all -o out/report --bootstrap 10 --whole-verdict
robustness {bundle} -d out/all.parquet --split all -o out/robust --bootstrap 10
compare {bundle} default -d out/all.parquet --split all -o out/compared --bootstrap 10
cross-evaluate {bundle} -d out/all.parquet --split all -o out/crossed --bootstrap 10
calibrate {bundle} -d out/all.parquet --split all --dry-run -o out/calibrated
explain-compare -m {bundle} -d out/all.parquet --samples 2 -o out/where
models list
models info {bundle}
recipes list
recipes show quickstart
shelf list
shelf show sieve
trust show
keys add a --state out/state
keys list --state out/state
keys revoke a --state out/state
doctor
"""
WITH_TORCH = """
data organize {in} -o out/all.parquet --fractions 0.5,0.25,0.25 -w 1
train tiny.yaml -o out/runs/a
train tiny.yaml -o out/runs/b --set optimizer.lr=0.02
train tiny.yaml -o out/runs/c --dry-run
runs list out/runs
runs compare out/runs/a out/runs/b -o out/runs.html
ensemble out/runs/a out/runs/b --sides 65- --sides 1-64 -o out/both
export out/runs/a -o out/a.onnx
explain {photo} -m out/runs/a -o out/captum.png --method ig
models halve out/runs/a -o out/half
pipeline --example
pipeline --config pipeline.yaml --dry-run -w 1
"""
SERVERS = """
app --no-open --port 0 -m {bundle}
"""


def lines(text: str, **names: object) -> list[list[str]]:
    return [
        [word.format_map({"in": names["folder"], **names}) for word in line.split()]
        for line in filter(None, text.splitlines())
    ]


def leaves(command: Any, words: str = "") -> Iterator[str]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, f"{words} {name}")
    if not hasattr(command, "commands"):
        yield words.strip()


KNOWN = set(leaves(typer.main.get_command(app)))


def unlisted() -> set[str]:
    """Commands that the lists above do not run: their help is asked for, which imports them."""
    tried = lines(WITHOUT_TORCH + WITH_TORCH + SERVERS, folder="", bundle="", photo="")
    return KNOWN - {word for line in tried for word in (line[0], " ".join(line[:2]))}


def test_only_what_fetches_is_left_out_of_the_watch() -> None:
    assert unlisted() >= FETCHING
    assert len(unlisted()) < len(KNOWN) / 2


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("text", [WITHOUT_TORCH, WITH_TORCH], ids=["without torch", "with torch"])
def test_no_command_sends_or_leaves_anything(
    text: str, inputs: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    if text == WITH_TORCH:
        pytest.importorskip("torch")
    place = tmp_path / "run"
    place.mkdir()
    (place / "tiny.yaml").write_text(TINY)
    (place / "pipeline.yaml").write_text(PIPELINE)
    photo = inputs / "real" / "0.jpg"
    commands = lines(text, folder=inputs, bundle=tiny_bundle, photo=photo)
    commands += [[*name.split(), "--help"] for name in sorted(unlisted())]
    run = Run(place, commands)
    failed = [command for command, code in zip(commands, run.codes, strict=True) if code]
    assert failed == [], run.output[-3000:]
    assert_silent(run)


@pytest.mark.slow
@pytest.mark.parametrize("command", SERVERS.strip().splitlines())
def test_a_server_sends_and_leaves_nothing(command: str, tiny_bundle: Path, tmp_path: Path) -> None:
    if command.startswith("app"):
        pytest.importorskip("streamlit")
    (line,) = lines(command, folder="", bundle=tiny_bundle)
    run = Run(tmp_path / "run", [line], stop_after=60)
    assert run.codes[0] in (0, 130), run.output[-3000:]
    assert "http://127.0.0.1:" in run.output
    assert_silent(run)


@pytest.mark.slow
def test_the_api_sends_nothing_while_it_answers(
    inputs: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    """It answers on this machine, and neither sends nor writes anything of what it was sent."""
    port = "8653"
    asking = """
import http.client, signal, threading, time

def ask():
    body = (b'--b\\r\\nContent-Disposition: form-data; name="file"; filename="a"\\r\\n\\r\\n'
            + open(PHOTO, "rb").read() + b"\\r\\n--b--\\r\\n")
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    for path in ("/v1/scan", "/v1/explain", "/v1/provenance", "/v1/jobs"):
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", PORT)
                connection.request("POST", path, body, headers)
                answers.append(connection.getresponse().status)
                break
            except OSError:
                time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)

answers = []
threading.Thread(target=ask).start()
codes = answers
"""
    photo = str(inputs / "real" / "0.jpg")
    asking = asking.replace("PORT", port).replace("PHOTO", repr(photo)).replace("\\\\", "\\")
    program = DRIVER.replace("codes = []", asking)
    served = ["serve", "--port", port, "--state", "out/state", "-m", str(tiny_bundle)]
    run = Run(tmp_path / "run", [served], program)
    assert run.codes == [200, 200, 200, 202, 0], run.output[-3000:]
    assert_silent(run)


def test_the_switches_are_set_over_what_stood_there() -> None:
    code = (
        "import json, os; from authentiscan.core.offline import SWITCHES;"
        "print(json.dumps({name: os.environ[name] for name in SWITCHES}))"
    )
    asked = {**os.environ, "ORT_DISABLE_TELEMETRY": "0", "RAY_USAGE_STATS_ENABLED": "1"}
    shown = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, check=True)
    assert json.loads(shown.stdout) == offline.SWITCHES


def test_a_runtime_loaded_before_is_told_by_the_doctor() -> None:
    code = "import onnxruntime; from authentiscan.cli.doctor import offline; print(offline())"
    quiet = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    shown = subprocess.run(
        [sys.executable, "-c", code], env=quiet, capture_output=True, text=True, check=True
    )
    assert "onnxruntime loaded before" in shown.stdout
    assert "ORT_DISABLE_TELEMETRY=1" in shown.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="the temporary folder is the user's own there")
def test_the_font_folder_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = offline._private_folder("fonts")
    assert folder == offline._private_folder("fonts"), "kept between runs"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    other = offline._private_folder("fonts")
    assert other != folder, "others could write a font list into it"
    folder.rmdir()
    folder.symlink_to(other)
    assert offline._private_folder("fonts") not in (folder, other)
