"""What compression and resizing leave in pixels, as a few dozen numbers an image.

None of these looks at what a picture shows. They are measured on the central 256 x 256 pixels, cut
on the 8 x 8 grid of the image's own corner, so that a JPEG grid stays where it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.types import RGBImage

Plane = NDArray[np.float32]

_SIDE = 256
_PERIODS = np.arange(2, 17)
_TURNS = (2j * np.pi / _PERIODS).astype(np.complex64)
_FREQUENCIES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
_BANDS = 6

GRID_NAMES = (
    *(f"grid_{axis}_phase_{phase}" for axis in "xy" for phase in range(8)),
    "grid_aligned",
    "grid_strongest",
    "grid_chroma_detail",
    *(f"dct_{u}{v}_{what}" for u, v in _FREQUENCIES for what in ("step", "strength", "second")),
)
RESAMPLING_NAMES = (
    *(f"resampling_{axis}_band_{band}" for axis in "xy" for band in range(_BANDS)),
    "resampling_peak",
    "resampling_fine_detail",
)


def grid_traces(pixels: RGBImage) -> NDArray[np.float32]:
    """Traces of JPEG grids in (H, W, 3) uint8, in the order of `GRID_NAMES`; NaN where too small.

    Phase p: how much larger steps are between columns (rows) p-1 and p of every eight than on
    average (Fan and de Queiroz, "Identification of bitmap compression history", IEEE TIP 2003).
    The steps and strengths are the periods of the DCT histograms: one compression leaves combs, a
    second one breaks them.
    """
    luma, chroma = _planes(pixels)
    across, down = _phases(luma), _phases(luma.T)
    aligned = np.float32((across[0] + down[0]) / 2)
    strongest = np.fmax(across.max(initial=-1), down.max(initial=-1))
    detail = _roughness(chroma) / (_roughness(luma) + 0.05)
    combs = _combs(luma)
    values = np.concatenate([across, down, [aligned, strongest, detail], combs])
    return values.astype(np.float32)


def resampling_traces(pixels: RGBImage) -> NDArray[np.float32]:
    """Traces of interpolation in (H, W, 3) uint8, in the order of `RESAMPLING_NAMES`.

    Interpolated pixels have a second derivative whose size is periodic (Gallagher, "Detection of
    linear and cubic interpolation in JPEG compressed images", CRV 2005): each band is the highest
    peak of its spectrum over the median there, without the frequencies of the JPEG grid. Fine
    detail: share of the gradient energy in neighbouring pixels that differ in sign.
    """
    luma, _ = _planes(pixels)
    across, down = _peaks(luma), _peaks(luma.T)
    step = float(np.abs(np.diff(luma, axis=1)).mean()) if luma.shape[1] > 1 else 0.0
    fine = _roughness(luma) / (step + 0.05)
    peak = np.fmax(np.fmax.reduce(across), np.fmax.reduce(down))
    return np.concatenate([across, down, [peak, fine]]).astype(np.float32)


def _planes(pixels: RGBImage) -> tuple[Plane, Plane]:
    height, width = pixels.shape[:2]
    top = max(0, (height - _SIDE) // 2) // 8 * 8
    left = max(0, (width - _SIDE) // 2) // 8 * 8
    part = pixels[top : top + _SIDE, left : left + _SIDE].astype(np.float32)
    luma = part @ np.asarray([0.299, 0.587, 0.114], dtype=np.float32)
    return luma, part[..., 2] - luma


def _phases(plane: Plane) -> NDArray[np.float64]:
    """(8,) relative strength of steps at each phase across columns, minus one."""
    if plane.shape[1] < 17 or plane.shape[0] < 8:
        return np.full(8, np.nan)
    # The step across the border minus its neighbours on both sides, as a boundary sharpens it.
    step = np.abs(np.diff(plane, axis=1))
    sharp = np.clip(step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2, -16, 16).mean(axis=0)
    columns = np.arange(2, 2 + len(sharp))  # step j lies between columns j-1 and j
    sums = np.bincount(columns % 8, weights=sharp, minlength=8)
    counts = np.bincount(columns % 8, minlength=8)
    means = sums / counts
    phases: NDArray[np.float64] = (means - means.mean()) / (step.mean() + 0.25)
    return phases


def _combs(luma: Plane) -> NDArray[np.float64]:
    """Period, its strength and the second strength in the histograms of five DCT frequencies."""
    rows, columns = luma.shape[0] // 8, luma.shape[1] // 8
    if rows * columns < 4:
        return np.full(3 * len(_FREQUENCIES), np.nan)
    blocks = luma[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).swapaxes(1, 2)
    spectra = _DCT8[:3] @ blocks.reshape(-1, 8, 8) @ _DCT8[:3].T
    values: list[float] = []
    for u, v in _FREQUENCIES:
        found = spectra[:, u, v]
        found = found[np.abs(found) > 0.75]  # zeros are on every comb
        if len(found) < 4:
            values += [0.0, 0.0, 0.0]
            continue
        waves = np.exp(found[:, None] * _TURNS)
        # Small samples agree by chance: less what chance gives.
        strength = np.abs(waves.mean(axis=0)) - 1 / np.sqrt(len(found))
        order = np.argsort(strength)[::-1]
        values += [float(_PERIODS[order[0]]), float(strength[order[0]]), float(strength[order[1]])]
    return np.asarray(values)


def _peaks(plane: Plane) -> NDArray[np.float64]:
    """(6,) highest peak over the median in bands of the second derivative's spectrum."""
    if plane.shape[1] < 24 or plane.shape[0] < 8:
        return np.full(_BANDS, np.nan)
    second = np.abs(2 * plane[:, 1:-1] - plane[:, :-2] - plane[:, 2:]).mean(axis=0)
    window = np.hanning(len(second))
    spectrum = np.abs(np.fft.rfft((second - second.mean()) * window))
    frequency = np.fft.rfftfreq(len(second))
    away = np.abs(frequency * 8 - np.round(frequency * 8)) > 10 / len(second)
    away |= len(second) < 100  # too short to tell grid frequencies from others
    spectrum = np.where(away, spectrum, 0.0)
    middle = np.median(spectrum[spectrum > 0]) + 1e-3 if (spectrum > 0).any() else 1.0
    band = np.clip((frequency * 2 * _BANDS).astype(int), 0, _BANDS - 1)
    peaks = [spectrum[(band == b) & (frequency > 0.04)].max(initial=0.0) for b in range(_BANDS)]
    result: NDArray[np.float64] = np.asarray(peaks) / middle
    return result


def _roughness(plane: NDArray[np.floating]) -> float:
    """Mean size of the second difference along rows."""
    if plane.shape[1] < 3:
        return 0.0
    return float(np.abs(2 * plane[:, 1:-1] - plane[:, :-2] - plane[:, 2:]).mean())


def _dct8() -> NDArray[np.float32]:
    k = np.arange(8)
    matrix = np.cos(np.pi * (2 * k[None, :] + 1) * k[:, None] / 16) * 0.5
    matrix[0] *= np.sqrt(0.5)
    return matrix.astype(np.float32)


_DCT8 = _dct8()
