"""How long a person at the page waits: from the upload to the verdict, and to the heatmap.

python benchmarks/page_time.py

Starts `authentiscan app` and headless Chromium, as the browser tests do. Ten images: the nine
examples, and one of them at 12 megapixels. Each is uploaded to a page that was just opened; time
runs from choosing the file over the click on Analyze until the verdict is visible. Beside it stands
the processor time of server and browser together, which other work on the machine does not stretch.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from authentiscan.images.decode import decode, encode

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def images() -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in sorted(EXAMPLES.glob("*/*.jpg"))}
    temple = Image.fromarray(decode(found["temple.jpg"]).pixels).resize((4000, 3000))
    found["temple-12-megapixels.jpg"] = encode(np.asarray(temple), "JPEG", quality=92)
    return found


def served(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    address = re.search(r"http://[\d.]+:\d+", process.stderr.readline())
    assert address
    while True:
        with suppress(OSError), urllib.request.urlopen(f"{address[0]}/_stcore/health"):
            return address[0]
        time.sleep(0.2)


def processor() -> float:
    """Seconds of processor time that the programs started here have used."""
    used = 0.0
    for program in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = program.cpu_times()
            used += times.user + times.system
    return used


def waited(browser: Browser, address: str, name: str, content: bytes) -> tuple[float, ...]:
    """Seconds to the verdict, of processor time until then, and to the heatmap."""
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    page.get_by_role("button", name="Try: a photograph").wait_for()
    started, before = time.perf_counter(), processor()
    file = {"name": name, "mimeType": "image/jpeg", "buffer": content}
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Analyze").click()
    page.locator("[data-verdict]").wait_for()
    verdict, used = time.perf_counter() - started, processor() - before
    page.get_by_alt_text("heatmap of the evidence for generated over the image").wait_for()
    heatmap = time.perf_counter() - started
    page.close()
    return verdict, used, heatmap


def main() -> None:
    chromium = shutil.which("chromium") or sys.exit("needs chromium")
    words = [
        sys.executable,
        "-m",
        "authentiscan",
        "app",
        "--no-open",
        "--port",
        "0",
        "-m",
        "default",
    ]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        address = served(process)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            rows = []
            for name, content in images().items():
                rows.append(waited(browser, address, name, content))
                told = "verdict {:5.2f} s, processor {:5.2f} s, heatmap {:5.2f} s".format(*rows[-1])
                print(f"{name:26} {told}", flush=True)
            browser.close()
    finally:
        process.terminate()
        process.wait(30)
    verdict, used, heatmap = (statistics.median(column) for column in zip(*rows, strict=True))
    worst = max(row[0] for row in rows)
    print(f"median of {len(rows)}: verdict {verdict:.2f} s (worst {worst:.2f} s), processor time")
    print(f"until then {used:.2f} s, heatmap {heatmap:.2f} s; load of the last minute")
    print(f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
