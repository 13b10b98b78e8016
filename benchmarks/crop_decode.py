"""What it would gain to decode only the parts of a photograph that a report reads.

    python benchmarks/crop_decode.py [--images FOLDER] [--count 6] [--rounds 3]

The detector takes a few squares at native pixels; a report also measures the middle of the picture,
blocks of its contents and lines for margins. Rivals: Pillow, which is the whole picture; our own
`images.decode`; pyvips and NVIDIA's nvimgcodec on the processor, which decode one rectangle at a
time; and libjpeg-turbo itself, which can skip rows (`jpeg_skip_scanlines`, built here from
crop_decode.c: needs cc and the library's headers). Pixels are compared with Pillow's. Times are
processor time of all threads, medians of rounds that alternate. Last column: how many times as fast
the whole scan of the image would be, had it this decoder. Rivals that are not installed are left
out. Without --images, photographs of 12 megapixels are made from scikit-image's.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from decode_speed import _chosen, _made
from PIL import Image

from authentiscan.analysis import analyze, content
from authentiscan.analysis.warnings import LINES
from authentiscan.images import figures
from authentiscan.images.decode import decode
from authentiscan.inference import Detector, load_detector

Part = tuple[int, int, int, int]
"""First row and column, and those behind the last."""
Decoder = Callable[[bytes], list[np.ndarray]]
BLOCK = 16  # rows of a block of 4:2:0


def main() -> None:
    """Time all, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, default=None)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    files = _chosen(arguments.images, arguments.count) if arguments.images else _made()
    kind = "JPEG" if arguments.images else "plain"
    contents = files[kind][: arguments.count]
    detector = load_detector(threads=1)
    megapixels = sum(decode(data).pixels.size / 3e6 for data in contents)
    print(f"{len(contents)} JPEG, {megapixels:.1f} megapixels; ms an image")
    with tempfile.TemporaryDirectory() as place:
        library = _built(Path(place))
        sums: dict[str, list[float]] = {}
        for data in contents:
            for name, milliseconds in _timed(data, detector, library, arguments.rounds).items():
                sums.setdefault(name, []).append(milliseconds)
    means = {name: statistics.mean(values) for name, values in sums.items()}
    scan, now = means.pop("scan"), means["images.decode"]
    print(f"a scan of one takes {scan:.1f} ms, of which images.decode {now:.1f}")
    print(f"{'':44s} {'ms':>7s} {'Pillow /':>9s} {'decode /':>9s} {'scan /':>9s}")
    for name, value in means.items():
        ratios = means["Pillow"] / value, now / value, scan / (scan - now + value)
        print(f"{name:44s} {value:7.1f} " + " ".join(f"{ratio:9.2f}" for ratio in ratios))


def _timed(
    data: bytes, detector: Detector, library: ctypes.CDLL | None, rounds: int
) -> dict[str, float]:
    """Milliseconds of each way and of a whole scan; every way's pixels are compared first."""
    whole = _pillow(data)
    height, width = whole.shape[:2]
    ways: dict[str, tuple[Decoder, list[Part]]] = {
        "Pillow": (lambda data: [_pillow(data)], [(0, 0, height, width)]),
        "images.decode": (lambda data: [decode(data).pixels], [(0, 0, height, width)]),
        **_rivals(height, width, detector, library),
    }
    spent: dict[str, list[float]] = {name: [] for name in (*ways, "scan")}
    for name, (way, parts) in ways.items():
        for found, part in zip(way(data), parts, strict=True):
            np.testing.assert_array_equal(found, whole[part[0] : part[2], part[1] : part[3]], name)
    for _ in range(rounds):
        for name, (way, _) in ways.items():
            started = time.process_time()
            way(data)
            spent[name].append(time.process_time() - started)
        started = time.process_time()
        analyze(data, detector)
        spent["scan"].append(time.process_time() - started)
    return {name: statistics.median(times) * 1e3 for name, times in spent.items()}


def _pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _rivals(
    height: int, width: int, detector: Detector, library: ctypes.CDLL | None
) -> dict[str, tuple[Decoder, list[Part]]]:
    boxes = detector.network_for(height, width).preprocess.boxes(height, width)
    left, right = min(b.left for b in boxes), max(b.left + b.width for b in boxes)
    bands = sorted({(b.top, left, b.top + b.height, right) for b in boxes})
    around = (bands[0][0], left, bands[-1][2], right)
    ways: dict[str, tuple[Decoder, list[Part]]] = {}
    with suppress(ImportError):
        ways["pyvips, rectangle around the crops"] = (_by_pyvips([around]), [around])
    with suppress(ImportError):
        ways["nvimgcodec, rectangle around the crops"] = (_by_nvimgcodec([around]), [around])
        ways["nvimgcodec, rows of crops, one by one"] = (_by_nvimgcodec(bands), bands)
        everything = [(0, 0, height, width)]
        ways["nvimgcodec, whole picture"] = (_by_nvimgcodec(everything), everything)
    if library is not None:
        across = [(top, 0, bottom, width) for top, _, bottom, _ in bands]
        middle = _merged([*across, _middle(height, width)])
        report = _merged([*middle, *_blocks(height, width), *_lines(height, width)])
        ways |= {
            "libjpeg-turbo, crops, end unread": (_by_rows(library, bands, end=False), bands),
            "libjpeg-turbo, crops": (_by_rows(library, bands), bands),
            "libjpeg-turbo, crops and middle": (_by_rows(library, middle), middle),
            f"libjpeg-turbo, all a report reads ({_share(report, height):.0%})": (
                _by_rows(library, report),
                report,
            ),
        }
    return ways


def _middle(height: int, width: int) -> Part:
    """What `images.figures` measures."""
    top = max(0, (height - figures._SIDE) // 2)
    return (top, 0, min(height, top + figures._SIDE), width)


def _blocks(height: int, width: int) -> Iterator[Part]:
    """What `analysis.content` measures."""
    rows, columns = height // content.BLOCK, width // content.BLOCK
    step = max(1, int(np.ceil(np.sqrt(rows * columns / content.MOST_BLOCKS))))
    for row in range(0, rows, step):
        yield (row * content.BLOCK, 0, (row + 1) * content.BLOCK, width)


def _lines(height: int, width: int) -> Iterator[Part]:
    """Where `analysis.warnings` looks for margins."""
    for row in range(0, height, max(1, height // LINES)):
        yield (row, 0, row + 1, width)


def _merged(parts: list[Part]) -> list[Part]:
    """Bands of whole rows, sorted, those that touch joined."""
    found: list[Part] = []
    for top, left, bottom, right in sorted(parts):
        if found and top <= found[-1][2]:
            found[-1] = (found[-1][0], left, max(bottom, found[-1][2]), right)
        else:
            found.append((top, left, bottom, right))
    return found


def _share(parts: list[Part], height: int) -> float:
    """Of the rows of blocks, those that hold a row of ``parts``."""
    touched = {row // BLOCK for top, _, bottom, _ in parts for row in range(top, bottom)}
    return len(touched) / -(-height // BLOCK)


def _by_pyvips(parts: list[Part]) -> Decoder:
    import pyvips

    pyvips.cache_set_max(0)

    def way(data: bytes) -> list[np.ndarray]:
        image = pyvips.Image.new_from_buffer(data, "", access="sequential")
        return [image.crop(x, y, right - x, end - y).numpy() for y, x, end, right in parts]

    return way


def _by_nvimgcodec(parts: list[Part]) -> Decoder:
    from nvidia import nvimgcodec

    cpu = [nvimgcodec.Backend(nvimgcodec.BackendKind.CPU_ONLY)]
    decoder = nvimgcodec.Decoder(device_id=nvimgcodec.NVIMGCODEC_DEVICE_CPU_ONLY, backends=cpu)

    def way(data: bytes) -> list[np.ndarray]:
        stream = nvimgcodec.CodeStream(data)
        regions = [nvimgcodec.Region(*part) for part in parts]
        return [
            np.asarray(decoder.decode(stream.get_sub_code_stream(region=region)))
            for region in regions
        ]

    return way


def _by_rows(library: ctypes.CDLL, parts: list[Part], *, end: bool = True) -> Decoder:
    rows = [(top, bottom) for top, _, bottom, _ in parts]
    bands = (ctypes.c_int * (2 * len(rows)))(*(row for band in rows for row in band))
    ends = np.cumsum([bottom - top for top, bottom in rows])
    left, right = parts[0][1], parts[0][3]
    rim = 2 * BLOCK if left else 0  # colours beside the cut are smoothed without their neighbours

    def way(data: bytes) -> list[np.ndarray]:
        columns = (ctypes.c_int * 2)(left - rim, right - left + 2 * rim)
        out = np.empty(3 * int(ends[-1]) * (columns[1] + 2 * BLOCK), np.uint8)
        target = out.ctypes.data_as(ctypes.c_void_p)
        given = (data, ctypes.c_ulong(len(data)), bands, len(rows), columns, int(end), target)
        assert library.decode_rows(*given) == 0
        made = out[: 3 * int(ends[-1]) * columns[1]].reshape(-1, columns[1], 3)
        return np.split(made[:, left - columns[0] : right - columns[0]], ends[:-1])

    return way


def _built(folder: Path) -> ctypes.CDLL | None:
    """The library of crop_decode.c; None where it cannot be built here."""
    source, built = Path(__file__).with_suffix(".c"), folder / "rows.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(built), str(source), "-ljpeg"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ctypes.CDLL(str(built))


if __name__ == "__main__":
    main()
