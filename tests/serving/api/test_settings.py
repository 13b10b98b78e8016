"""Who needs a key; what is loaded, and what is not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from authentiscan.inference import load_detector
from authentiscan.serving.api.settings import STATE, Settings, default_state
from live_server import TINY


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("example.org", False),
        ("", False),
    ],
)  # fmt: skip
def test_a_key_is_needed_where_others_can_reach_the_server(host: str, local: bool) -> None:
    assert Settings(host=host).needs_key is not local
    assert Settings(host=host, keys="on").needs_key
    assert not Settings(host=host, keys="off").needs_key


def test_the_folder_may_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE, "/somewhere")
    assert default_state() == Path("/somewhere")
    monkeypatch.delenv(STATE)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    if sys.platform == "linux":
        assert default_state() == Path("/data/authentiscan/server")


def test_the_server_loads_nothing_heavy_and_no_telemetry() -> None:
    program = (
        "import authentiscan.serving.api.server, sys, os; from authentiscan.core import offline; "
        "names = ('torch', 'pyarrow', 'pandas', 'matplotlib', 'streamlit', 'opentelemetry.sdk'); "
        "assert 'onnxruntime' in sys.modules; "
        "print(offline.late(), os.environ['ORT_DISABLE_TELEMETRY'], "
        "[n for n in names if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "() 1 []", done.stderr


def test_a_detector_predicts_while_the_event_loop_goes_on() -> None:
    detector = load_detector(TINY)
    image = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)

    async def ask() -> tuple[float, int]:
        ticks = 0
        task = asyncio.create_task(detector.apredict(image))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0)
        return (await task).score, ticks

    score, ticks = asyncio.run(ask())
    assert score == detector.predict(image).score
    assert ticks > 1
