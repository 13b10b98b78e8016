"""The attributor that comes with the package."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from authentiscan.attribution import load_attributor, read_attributor
from authentiscan.attribution.attributor import find_attributor
from authentiscan.core.types import CAMERA


def test_it_is_small_whole_and_knows_photographs() -> None:
    folder = find_attributor("default")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 15e6
    spec = read_attributor(folder)
    assert len(spec.names) >= 10
    assert CAMERA in {g.name for g in spec.generators}
    assert "stylegan2" in spec.names


def test_it_answers_without_torch() -> None:
    code = (
        "import sys, numpy as np, authentiscan; a = authentiscan.load_attributor(threads=1); "
        "r = a.attribute(np.zeros((200, 200, 3), np.uint8)); "
        "print(r.crops, 'torch' in sys.modules, 'pyarrow' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["4", "False", "False"]


def test_answers_do_not_depend_on_threads_or_order() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (170, 170, 3), dtype=np.uint8) for _ in range(2)]
    one = load_attributor(threads=1)
    first = [a.candidates[0].generator for a in one.attribute_many(images)]
    again = [a.candidates[0].generator for a in one.attribute_many(images[::-1])]
    assert first == again[::-1]
