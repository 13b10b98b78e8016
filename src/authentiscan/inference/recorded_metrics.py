"""What a bundle says was measured of it: figures with intervals, facts, and parts of the images.

In detector.json a figure is a number, or ``{"value": …, "low": …, "high": …}``; a fact is text; a
part is a record of the same kind. Earlier releases spelled intervals in four further ways
(``NAME_interval``, ``NAME_ci``, and ``interval`` or ``ci`` beside the value): all are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, JsonValue, model_serializer

from authentiscan.core.records import Record, renamed

_INTERVALS = ("interval", "ci")
_FIGURE = {"value", "low", "high", *_INTERVALS}


class Figure(Record):
    """A number and its 95 % interval. None: undefined on these images, or not measured."""

    value: int | float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return ""
        text = f"{self.value:.3f}" if isinstance(self.value, float) else str(self.value)
        if self.low is None or self.high is None:
            return text
        return f"{text} ({self.low:.3f} to {self.high:.3f})"


class RecordedMetrics(Record):
    """Figures and facts by name, and the same of parts of the images."""

    facts: dict[str, str] = Field(default_factory=dict)
    figures: dict[str, Figure] = Field(default_factory=dict)
    parts: dict[str, RecordedMetrics] = Field(default_factory=dict)

    @classmethod
    def read(cls, given: object) -> RecordedMetrics:
        """The record in any spelling that detector.json ever had. Raises ValueError for others."""
        if isinstance(given, RecordedMetrics):
            return given
        given = renamed(given, "treatment", "protocol")
        if not isinstance(given, Mapping):
            raise ValueError("metrics are a mapping of names to figures")
        facts: dict[str, str] = {}
        figures: dict[str, Figure] = {}
        parts: dict[str, RecordedMetrics] = {}
        for name, value in given.items():
            if _stem(name) in given:
                continue  # the interval of a figure beside it
            beside = next(
                (given[k] for k in map(f"{name}_{{}}".format, _INTERVALS) if k in given), None
            )
            if isinstance(value, Mapping) and not _is_figure(value):
                parts[name] = cls.read(value)
            elif isinstance(value, Mapping | int | float | None) and not isinstance(value, bool):
                figures[name] = _figure(value, beside)
            else:
                listed = value if isinstance(value, Sequence) else [value]
                facts[name] = value if isinstance(value, str) else ", ".join(map(str, listed))
        return cls(facts=facts, figures=figures, parts=parts)

    @model_serializer
    def _plain(self) -> dict[str, object]:
        bare = {
            k: f.value if f.low is None and f.high is None else f.model_dump()
            for k, f in self.figures.items()
        }
        return {**self.facts, **bare, **{k: p.model_dump() for k, p in self.parts.items()}}

    def __bool__(self) -> bool:
        return bool(self.facts or self.figures or self.parts)

    def part(self, *path: str) -> RecordedMetrics:
        """The part at ``path``; an empty record where there is none."""
        found = self
        for name in path:
            found = found.parts.get(name, RecordedMetrics())
        return found

    def ranked(self) -> RecordedMetrics | None:
        """The record itself, or the first of its parts, that has a ROC AUC; None where none has."""
        return next((r for r in (self, *self.parts.values()) if "roc_auc" in r.figures), None)

    def value(self, name: str) -> float | None:
        """The figure's number; None where it is undefined or was not measured."""
        return self.figures[name].value if name in self.figures else None

    def with_part(self, name: str, part: RecordedMetrics | Mapping[str, object]) -> RecordedMetrics:
        """The same record with one part added or replaced."""
        return self.model_copy(update={"parts": {**self.parts, name: RecordedMetrics.read(part)}})


Metrics: TypeAlias = Annotated[RecordedMetrics, BeforeValidator(RecordedMetrics.read)]
"""A field that reads every spelling."""

Json: TypeAlias = dict[str, JsonValue]


def _stem(name: str) -> str | None:
    ends = (name.removesuffix(f"_{end}") for end in _INTERVALS if name.endswith(f"_{end}"))
    return next(ends, None)


def _is_figure(value: Mapping[str, object]) -> bool:
    return "value" in value and set(value) <= _FIGURE


def _figure(value: object, beside: object) -> Figure:
    if isinstance(value, Mapping):
        inside = next((value[end] for end in _INTERVALS if value.get(end)), None)
        ends = inside or ((value["low"], value["high"]) if "low" in value else beside)
        value = value["value"]
    else:
        ends = beside
    low, high = ends if isinstance(ends, Sequence) and len(ends) == 2 else (None, None)
    return Figure.model_validate({"value": value, "low": low, "high": high})
