"""How long the page of a scan takes to be painted, and how much of it a browser builds.

    python benchmarks/batch_page.py --images 10000

Needs playwright and an installed Chromium. Pictures are noise of a thumbnail's usual weight.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from authentiscan.analysis import Report
from authentiscan.core.types import Verdict
from authentiscan.images.decode import encode
from authentiscan.scan.batch_page import BatchPage
from authentiscan.scan.engine import Scanned


def write(path: Path, images: int) -> None:
    """A page of ``images`` made-up results."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (27, 40, 3), dtype=np.uint8)
    picture = encode(np.kron(coarse, np.ones((4, 4, 1), np.uint8)), "JPEG", quality=75)
    page = BatchPage(path, {})
    for number in range(images):
        score = float(rng.random())
        verdict = Verdict.GENERATED if score > 0.9 else Verdict.INCONCLUSIVE
        name = f"case/part{number % 9}/IMG_{number:05d}.jpg"
        report = Report(path=name, verdict=verdict, score=score, reason="The pixels say so.")
        page.write(Scanned(report, picture, picture))
    page.close()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = Path(folder) / "page.html"
        write(place, images)
        print(f"{images:,} images, {place.stat().st_size / 1e6:.0f} MB")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        started = time.perf_counter()
        page.goto(place.as_uri(), timeout=600_000)
        loaded = time.perf_counter() - started
        painted = page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        built = page.evaluate("document.querySelectorAll('*').length")
        print(f"painted after {painted / 1000:.2f} s, whole after {loaded:.1f} s, {built} elements")
        browser.close()


if __name__ == "__main__":
    main()
