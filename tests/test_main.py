"""How the process ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BROKEN_OFF = """
import ctypes, sys
from authentiscan.__main__ import forget_interrupt

run = ctypes.pythonapi.PyRun_String
run.restype = ctypes.py_object
run.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.py_object, ctypes.py_object]
try:
    run(b"raise KeyboardInterrupt", 257, {}, {})
except KeyboardInterrupt:
    pass
if sys.argv[1:]:
    forget_interrupt()
sys.exit(5)
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="a note that CPython keeps")
def test_an_interrupt_inside_a_library_leaves_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "broken_off.py").write_text(BROKEN_OFF)

    def code(*words: str) -> int:
        command = [sys.executable, "-m", "broken_off", *words]
        return subprocess.run(command, cwd=tmp_path, check=False, timeout=60).returncode

    assert code() != 5, "the note is what is forgotten"
    assert code("forget") == 5
