"""Chains: the text form, drawing, applying, replaying."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from authentiscan.core.errors import UsageError
from authentiscan.core.types import JsonObject, RGBImage

# Importing the step modules fills the registry.
from authentiscan.images.degrade import codecs, geometry, journeys, signal  # noqa: F401
from authentiscan.images.degrade.registry import Span, get

AppliedSteps: TypeAlias = list[JsonObject]
"""What was done, in order: ``{"step": "jpeg", "parameters": {"quality": 83, ...}}``; plain JSON."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A step and what the chain's text says about its parameters."""

    step: str
    spans: tuple[tuple[str, Span], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Setting:
        """Read ``name`` or ``name:key=value,key=value``."""
        name, _, rest = text.strip().partition(":")
        step = get(name.strip())
        spans: dict[str, Span] = {}
        for item in filter(None, (part.strip() for part in rest.split(","))):
            key, equals, value = item.partition("=")
            if not equals:
                raise UsageError(f"step '{step.name}': expected key=value, got {item!r}")
            parameter = step.parameter(key.strip())
            if parameter.name in spans:
                raise UsageError(f"step '{step.name}': '{parameter.name}' is given twice")
            spans[parameter.name] = parameter.read(value.strip(), step.name)
        return cls(step.name, tuple(spans.items()))

    def draw(self, rng: np.random.Generator) -> JsonObject:
        """Exact parameters of one use."""
        given = dict(self.spans)
        step = get(self.step)
        return {
            p.name: p.draw(given.get(p.name) or p.read(p.default, step.name), rng)
            for p in step.parameters
        }

    def __str__(self) -> str:
        if not self.spans:
            return self.step
        return f"{self.step}:" + ",".join(f"{key}={span}" for key, span in self.spans)


@dataclass(frozen=True, slots=True)
class Stage:
    """One place in a chain: alternatives of which one is drawn, done with a probability."""

    settings: tuple[Setting, ...]
    probability: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Stage:
        """Read ``step [or step ...] [?probability]``."""
        body, mark, chance = text.rpartition("?")
        if not mark:
            body, probability = text, 1.0
        else:
            probability = _probability(chance)
        return cls(tuple(Setting.parse(part) for part in body.split(" or ")), probability)

    def __str__(self) -> str:
        body = " or ".join(str(setting) for setting in self.settings)
        return body if self.probability == 1.0 else f"{body} ?{self.probability!r}"


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps one after another; `str` gives text that `parse` reads back to an equal chain."""

    stages: tuple[Stage, ...] = ()

    @classmethod
    def parse(cls, text: str | Sequence[str]) -> Chain:
        """Read a chain from text such as ``resize:scale=0.5..1 | jpeg:quality=70..95 ?0.5``.

        A sequence of texts is joined. Empty text or ``none`` is the chain that does nothing.
        Raises UsageError naming the step and what is allowed.
        """
        whole = text if isinstance(text, str) else "|".join(text)
        if whole.strip() in ("", "none"):
            return cls()
        return cls(tuple(Stage.parse(part) for part in whole.split("|")))

    def draw(self, rng: np.random.Generator) -> AppliedSteps:
        """The exact steps of one use; depends on ``rng`` alone, not on any image."""
        record: AppliedSteps = []
        for stage in self.stages:
            if stage.probability < 1.0 and rng.random() >= stage.probability:
                continue
            chosen = int(rng.integers(len(stage.settings))) if len(stage.settings) > 1 else 0
            setting = stage.settings[chosen]
            record.append({"step": setting.step, "parameters": setting.draw(rng)})
        return record

    def __call__(self, pixels: RGBImage, rng: np.random.Generator) -> tuple[RGBImage, AppliedSteps]:
        """Degrade ``pixels`` (H, W, 3) uint8 RGB; gives new pixels and the record of what was done.

        The input is never written to; the output may be a view of it where nothing changed.
        """
        record = self.draw(rng)
        return replay(pixels, record), record

    def __str__(self) -> str:
        return " | ".join(str(stage) for stage in self.stages) or "none"


def parse(text: str | Sequence[str]) -> Chain:
    """Same as `Chain.parse`."""
    return Chain.parse(text)


def replay(pixels: RGBImage, record: AppliedSteps) -> RGBImage:
    """Do to ``pixels`` (H, W, 3) uint8 RGB exactly what ``record`` says.

    Equal pixels and record give equal results with the same codec libraries. Raises UsageError on
    other arrays and on records that no chain could have written.
    """
    _check(pixels)
    for entry in record:
        if set(entry) != {"step", "parameters"}:
            raise UsageError(f"not a degradation record: {entry!r}")
        step = get(entry["step"])
        given = entry["parameters"]
        if set(given) != {p.name for p in step.parameters}:
            raise UsageError(
                f"record of step '{step.name}' has the parameters {sorted(given)}, "
                f"needed are {sorted(p.name for p in step.parameters)}"
            )
        pixels = step.apply(pixels, **given)
    return np.ascontiguousarray(pixels)


def image_rng(seed: int, *keys: str | int) -> np.random.Generator:
    """A generator for one image, the same in whatever order or process images come.

    ``keys`` say which image (its name, hash or row) and, where wanted, which epoch or chain.
    """
    text = "\x1f".join([str(seed), *(str(key) for key in keys)])
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"a probability after '?' is a number 0..1, got {text.strip()!r}")
    return value


def _check(pixels: RGBImage) -> None:
    kind = getattr(pixels, "dtype", None)
    shape: tuple[int, ...] = getattr(pixels, "shape", ())
    if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise UsageError(
            f"degradations take uint8 RGB arrays (H, W, 3) of at least one pixel, "
            f"got {kind} {tuple(shape)}"
        )
