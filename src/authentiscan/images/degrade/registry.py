"""Steps by name: a step is a pure function of pixels and exact parameters, nothing else.

All chance lies in the drawing of the parameters (even noise takes its seed as a parameter), so the
drawn values reproduce the result to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from authentiscan.core.errors import UsageError
from authentiscan.core.types import RGBImage

Value: TypeAlias = int | float | str
Apply: TypeAlias = Callable[..., RGBImage]


@dataclass(frozen=True, slots=True)
class Span:
    """What a parameter is drawn from: numbers low..high (uniform, ends included) or choices."""

    low: float = 0.0
    high: float = 0.0
    choices: tuple[Value, ...] = ()

    def __str__(self) -> str:
        if self.choices:
            return "/".join(_text(v) for v in self.choices)
        if self.low == self.high:
            return _text(self.low)
        return f"{_text(self.low)}..{_text(self.high)}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a step.

    default: what is drawn from where the chain says nothing. low, high: the numbers allowed.
    integer: whole numbers only. allowed: the words allowed (then it is no number).
    """

    name: str
    default: str
    help: str
    low: float = 0.0
    high: float = 0.0
    integer: bool = False
    allowed: tuple[str, ...] = ()

    def read(self, text: str, step: str) -> Span:
        """The span that ``text`` writes. Raises UsageError where it is not allowed here."""
        if self.allowed:
            words = tuple(text.split("/"))
            wrong = [w for w in words if w not in self.allowed]
            if wrong:
                raise UsageError(
                    f"step '{step}': {self.name}={text} is not allowed; "
                    f"choose from {', '.join(self.allowed)} (several joined by '/')"
                )
            return Span(choices=words)
        if "/" in text:
            return Span(choices=tuple(self._number(part, step) for part in text.split("/")))
        low, _, high = text.partition("..")
        first = self._number(low, step)
        last = self._number(high, step) if high else first
        if last < first:
            raise UsageError(f"step '{step}': {self.name}={text} runs backwards")
        return Span(low=first, high=last)

    def draw(self, span: Span, rng: np.random.Generator) -> Value:
        """An exact value out of ``span``."""
        if span.choices:
            return span.choices[int(rng.integers(len(span.choices)))]
        if self.integer:
            return int(rng.integers(int(span.low), int(span.high) + 1))
        return float(span.low + (span.high - span.low) * rng.random())

    def limits(self) -> str:
        """The values allowed, in words."""
        if self.allowed:
            return "/".join(self.allowed)
        return f"{_text(self.low)}..{_text(self.high)}"

    def _number(self, text: str, step: str) -> int | float:
        try:
            value = int(text) if self.integer else float(text)
        except ValueError:
            kind = "a whole number" if self.integer else "a number"
            raise UsageError(f"step '{step}': {self.name}={text!r} is not {kind}") from None
        if not self.low <= value <= self.high:
            raise UsageError(f"step '{step}': {self.name}={text} is outside {self.limits()}")
        return value


@dataclass(frozen=True, slots=True)
class Step:
    """A named degradation. ``apply(pixels, **exact)`` maps (H, W, 3) uint8 RGB to the same kind."""

    name: str
    help: str
    parameters: tuple[Parameter, ...]
    apply: Apply
    keeps_size: bool

    def parameter(self, name: str) -> Parameter:
        """The parameter called ``name``. Raises UsageError where there is none."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise UsageError(
            f"step '{self.name}' has no parameter '{name}'; "
            f"it has {', '.join(p.name for p in self.parameters)}"
        )


_STEPS: dict[str, Step] = {}


def register(
    name: str, text: str, *parameters: Parameter, keeps_size: bool
) -> Callable[[Apply], Apply]:
    """Decorator that puts a function into the registry as step ``name``."""

    def add(apply: Apply) -> Apply:
        if name in _STEPS:
            raise ValueError(f"step '{name}' is registered twice")
        _STEPS[name] = Step(name, text, parameters, apply, keeps_size)
        return apply

    return add


def get(name: str) -> Step:
    """The step called ``name``. Raises UsageError where there is none."""
    try:
        return _STEPS[name]
    except KeyError:
        raise UsageError(f"no degradation '{name}'; there are {', '.join(names())}") from None


def names() -> list[str]:
    """Names of all steps, sorted."""
    return sorted(_STEPS)


def describe() -> str:
    """All steps with their parameters, defaults and limits, as plain text for help pages."""
    lines: list[str] = []
    for name in names():
        step = _STEPS[name]
        lines.append(f"{name}: {step.help}")
        lines += [f"  {p.name}={p.default}  ({p.limits()})  {p.help}" for p in step.parameters]
    return "\n".join(lines)


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))
