"""The fixed, untrained front end: how often neighbouring residuals take which values together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

LIMIT = 3
"""Residuals are rounded and clipped to -LIMIT..LIMIT."""

_VALUES = 2 * LIMIT + 1
_PLANES = torch.tensor(
    [
        [0.299, 0.587, 0.114],
        [-0.169, -0.331, 0.5],
        [0.5, -0.419, -0.081],
    ]
)
"""Luma, blue difference, red difference, nearly as in JPEG."""

_OFF_TIES = 0.00012
"""Whole pixels times these weights give multiples of 1/4000, so ties at .5 are common; moved a
little, they round the same way in every runtime, whatever the order of its additions."""

Triple: TypeAlias = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class CoOccurrence:
    """Three residual maps of equal shape from planes (N, 6, H, W): R, G, B, Y, Cb, Cr, 0..255.

    ``reversible``: the triple read backwards counts as the same. Signs always do: a picture and its
    negative have the same residuals.
    """

    name: str
    triple: Callable[[Tensor], Triple]
    reversible: bool


def _along(plane: Tensor, step: float = 1.0) -> Tensor:
    return (plane[..., 1:] - plane[..., :-1]) / step


def _consecutive(residual: Tensor) -> Triple:
    return residual[..., :-2], residual[..., 1:-1], residual[..., 2:]


def _first(plane: int) -> Callable[[Tensor], Triple]:
    return lambda x: _consecutive(_along(x[:, plane]))


def _second(plane: int, step: float) -> Callable[[Tensor], Triple]:
    def triple(x: Tensor) -> Triple:
        p = x[:, plane]
        return _consecutive((p[..., 2:] - 2 * p[..., 1:-1] + p[..., :-2]) / step)

    return triple


def _square(plane: int, step: float) -> Callable[[Tensor], Triple]:
    kernel = torch.tensor([[-1.0, 2, -1], [2, -4, 2], [-1, 2, -1]]) / (4 * step)

    def triple(x: Tensor) -> Triple:
        weight = kernel.to(x)[None, None]
        return _consecutive(functional.conv2d(x[:, plane : plane + 1], weight)[:, 0])

    return triple


def _corner(x: Tensor) -> Triple:
    y = x[:, 3]
    across = _along(y)
    return across[..., :-1, :], across[..., 1:, :], y[..., 1:, 1:] - y[..., :-1, :-1]


CO_OCCURRENCES = (
    CoOccurrence("luma, first differences", _first(3), True),
    CoOccurrence("blue difference, first differences", _first(4), True),
    CoOccurrence("red difference, second differences", _second(5, 1.0), True),
    CoOccurrence("luma, square residual", _square(3, 1.0), True),
    CoOccurrence("blue difference, square residual", _square(4, 0.5), True),
    CoOccurrence("luma, around a corner", _corner, False),
    CoOccurrence(
        "red, green and blue at one place",
        lambda x: (_along(x[:, 0]), _along(x[:, 1]), _along(x[:, 2])),
        False,
    ),
    CoOccurrence(
        "luma and colour differences at one place",
        lambda x: (_along(x[:, 3], 2.0), _along(x[:, 4]), _along(x[:, 5])),
        False,
    ),
)


class LocalCoOccurrences(nn.Module):
    """Pixels (N, 3, S, S) of 0..255 to shares (N, channels, cells, cells), each in [0, 1].

    Every channel is one combination of three clipped residuals and holds how often it occurs in
    that cell of the image, along rows and columns together; the channels of one co-occurrence add
    up to 1.
    """

    classes: Tensor

    def __init__(self, cells: int = 4) -> None:
        super().__init__()
        self.cells = cells
        tables = [_orbits(kind.reversible) for kind in CO_OCCURRENCES]
        self.sizes = [int(table.max()) + 1 for table in tables]
        self.channels = sum(self.sizes)
        self.register_buffer("tables", torch.stack(tables), persistent=False)
        self.register_buffer("planes", _PLANES[:, :, None, None].clone(), persistent=False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) pixels 0..255 -> (N, channels, cells, cells) shares."""
        x = torch.round(x)
        x = torch.cat([x, functional.conv2d(x, self.get_buffer("planes"))], dim=1)
        found = []
        for number, kind in enumerate(CO_OCCURRENCES):
            along = self._shares(kind.triple(x), number)
            down = self._shares(kind.triple(x.transpose(2, 3)), number).transpose(2, 3)
            found.append((along + down) / 2)
        return torch.cat(found, dim=1)

    def _shares(self, triple: Triple, number: int) -> Tensor:
        first, second, third = (
            torch.clamp(torch.round(part + _OFF_TIES), -LIMIT, LIMIT).to(torch.int64) + LIMIT
            for part in triple
        )
        code = (first * _VALUES + second) * _VALUES + third  # (N, H, W)
        size = self.sizes[number]
        code = self.get_buffer("tables")[number][code]
        height, width = code.shape[1:]
        rows = torch.arange(height, device=code.device) * self.cells // height
        columns = torch.arange(width, device=code.device) * self.cells // width
        cell = rows[:, None] * self.cells + columns
        place = (cell * size + code).flatten(1)
        total = torch.zeros(
            code.shape[0], self.cells**2 * size, dtype=torch.float32, device=code.device
        )
        ones = torch.ones_like(place, dtype=torch.float32)
        counts = total.scatter_add(1, place, ones).reshape(-1, self.cells, self.cells, size)
        counts = counts / counts.sum(dim=3, keepdim=True)
        return counts.permute(0, 3, 1, 2)


def _orbits(reversible: bool) -> Tensor:
    """Class of each of the 343 triples; triples that count as the same share one. int64 (343,)."""
    values = range(-LIMIT, LIMIT + 1)
    numbers: dict[tuple[int, ...], int] = {}
    table = []
    for triple in [(a, b, c) for a in values for b in values for c in values]:
        same = [triple, tuple(-v for v in triple)]
        if reversible:
            same += [tuple(reversed(t)) for t in same]
        table.append(numbers.setdefault(min(same), len(numbers)))
    return torch.tensor(table)
