"""The public names of the package, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import authentiscan


def test_exported_names() -> None:
    assert authentiscan.__all__ == ["AuthentiscanError", "Report", "analyze", "load_detector"]
    assert all(getattr(authentiscan, name) is not None for name in authentiscan.__all__)
    assert dir(authentiscan) == sorted(authentiscan.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        _ = authentiscan.analyse  # type: ignore[attr-defined]


def _loaded_after(statement: str, *names: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*[n for n in {names!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_alone_loads_nothing_heavy() -> None:
    assert not _loaded_after("import authentiscan", "numpy", "PIL", "onnxruntime", "pydantic")


def test_analysis_needs_neither_torch_nor_tables() -> None:
    heavy = ("torch", "timm", "pandas", "pyarrow", "c2pa", "matplotlib")
    assert not _loaded_after("from authentiscan import analyze, Report, load_detector", *heavy)


def test_the_package_is_a_program_too() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "authentiscan", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == f"authentiscan {version('authentiscan')}"
