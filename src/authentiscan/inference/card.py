"""The model card: what detector.json says, for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from authentiscan.core.types import Verdict
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.bundle import Ancestor, DetectorSpec, EnsembleSpec
from authentiscan.metrics.decision import Threshold, sentences

_USE = """```python
import authentiscan

detector = authentiscan.load_detector("path/to/this/folder")
print(detector.predict("photo.jpg").score)  # P(generated): 0 real, 1 generated
```
"""


def model_card(spec: DetectorSpec) -> str:
    """Markdown of what a user of the detector ``spec`` should know, figures with intervals."""
    sections = [
        f"# {spec.name}",
        spec.summary or "An AI-generated-image detector in the authentiscan bundle format.",
        _facts(spec),
        *(["## Members\n\n" + _members(spec)] if isinstance(spec, EnsembleSpec) else []),
        "## Use\n\n" + _USE,
        "## Verdict\n\n" + _verdict(spec),
        "## Measured\n\n"
        + (_metrics(spec.metrics, 3) if spec.metrics else "Nothing measured yet."),
        "## Trained on\n\n" + _data(spec),
        "## What it cannot do\n\n" + _limits(spec),
        "## Made with\n\n" + _made(spec),
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _facts(spec: DetectorSpec) -> str:
    rows = [
        ["version", f"{spec.version}, made {spec.created:%Y-%m-%d %H:%M} UTC"],
        *(_ensemble_facts(spec) if isinstance(spec, EnsembleSpec) else _network_facts(spec)),
        ["output", "score: probability that the image is generated, 0 real, 1 generated"],
        ["licence", spec.licence],
    ]
    if spec.lineage:
        rows.append(["trained on from", ", then ".join(map(_ancestor, spec.lineage))])
    return table(["", ""], rows)


def _network_facts(spec: DetectorSpec) -> list[list[str]]:
    (network,) = spec.networks
    chosen = network.architecture
    return [
        ["architecture", f"`{chosen.name}`, {chosen.parameters:,} parameters"],
        ["arguments", f"`{chosen.arguments}`" if chosen.arguments else "defaults"],
        ["input", input_words(network.preprocess)],
        ["crops", crops_words(network.preprocess)],
    ]


def _ensemble_facts(spec: EnsembleSpec) -> list[list[str]]:
    return [
        ["ensemble", f"{len(spec.members)} members, {spec.parameters:,} parameters in all"],
        ["logit", "sum of weight times the member's own logit; each member crops in its own way"],
    ]


def _members(spec: EnsembleSpec) -> str:
    head = ["member", "in", "weight", "architecture", "parameters", "input", "crops"]
    rows = [
        [
            member.spec.name,
            f"`{member.folder}`",
            f"{member.weight:.4g}",
            f"`{member.spec.architecture_name}`",
            f"{member.spec.parameters:,}",
            "; ".join(dict.fromkeys(input_words(n.preprocess) for n in member.spec.networks)),
            "; ".join(dict.fromkeys(crops_words(n.preprocess) for n in member.spec.networks)),
        ]
        for member in spec.members
    ]
    return (
        "Each is a whole detector with a card of its own. Weights are on uncalibrated logits, so "
        "they also undo differences of scale between members.\n\n" + table(head, rows)
    )


def input_words(how: Preprocess) -> str:
    """What a network sees, in words."""
    resize = {
        "none": "native pixels, never resized",
        "short_side": f"short side scaled to {how.size} ({how.interpolation})",
        "squash": f"both sides scaled to {how.size} ({how.interpolation})",
    }[how.resize]
    return f"{how.size} x {how.size} crops, {resize}"


def crops_words(how: Preprocess) -> str:
    """How many crops a network sees and what becomes of their logits, in words."""
    return f"up to {how.max_crops} an image, logits pooled by {how.pooling}"


def range_words(ranges: Mapping[str, tuple[float, float]]) -> str:
    """The figures of a picture outside which a detector gives no verdict, in words."""
    parts = (f"{name} {low:g} to {high:g}" for name, (low, high) in ranges.items())
    return f"No verdict on a picture whose figures lie outside {', '.join(parts)}."


def _ancestor(ancestor: Ancestor) -> str:
    made = f"{ancestor.created:%Y-%m-%d}"
    return f"{ancestor.name} {ancestor.version} of {made} (`{ancestor.sha256[:12]}`)"


def _verdict(spec: DetectorSpec) -> str:
    rule = spec.decision
    lines = ["\n".join(f"- {line}" for line in sentences(rule))]
    lines += [range_words(spec.verdict_range)] if spec.verdict_range else []
    if rule.gives(Verdict.INCONCLUSIVE):
        lines.append("Every other score is *inconclusive*.")
    listed = {threshold.name: threshold for threshold in (rule.generated, *spec.thresholds)}
    rows = [_threshold(threshold) for threshold in listed.values()]
    head = [
        "threshold",
        "score",
        "photographs called generated",
        "generated images found",
        "measured on",
    ]
    return "\n\n".join([*lines, table(head, rows)])


def _threshold(threshold: Threshold) -> list[str]:
    low, high = threshold.fpr_interval
    return [
        threshold.name,
        f"{threshold.score:.4f}",
        f"{threshold.fpr:.1%} ({low:.1%} to {high:.1%})",
        f"{threshold.tpr:.1%}",
        threshold.measured_on,
    ]


def _metrics(metrics: Mapping[str, Any], level: int) -> str:
    """Nested metrics as tables: numbers become rows, records of numbers a row each."""
    plain = {key: value for key, value in metrics.items() if _is_figure(value)}
    parts = []
    if plain:
        rows = [
            [_words(key), figure(plain, key)] for key in plain if not _is_interval_of(key, plain)
        ]
        parts.append(table(["", ""], rows))
    for key, value in metrics.items():
        if key in plain or not isinstance(value, Mapping) or not value:
            continue
        parts.append(f"{'#' * min(level, 6)} {_words(key)}")
        if all(isinstance(row, Mapping) and row and not _is_figure(row) for row in value.values()):
            parts.append(_rows_or_nested(value, level))
        else:
            parts.append(_metrics(value, level + 1))
    return "\n\n".join(parts)


def _rows_or_nested(value: Mapping[str, Mapping[str, Any]], level: int) -> str:
    if any(not all(_is_figure(cell) for cell in row.values()) for row in value.values()):
        return _metrics(value, level + 1)
    columns = list(dict.fromkeys(key for row in value.values() for key in row))
    columns = [key for key in columns if not _is_interval_of(key, columns)]
    rows = [[name, *(figure(row, key) for key in columns)] for name, row in value.items()]
    return table(["", *map(_words, columns)], rows)


def figure(record: Mapping[str, Any], key: str) -> str:
    """The figure ``record[key]`` with its interval: `key_interval`, `key_ci` or inside it."""
    value = record.get(key)
    interval = next((record[key + end] for end in _INTERVALS if record.get(key + end)), None)
    if isinstance(value, Mapping):
        inner = next((value[name] for name in ("interval", "ci") if value.get(name)), None)
        interval = inner or ((value["low"], value["high"]) if "low" in value else interval)
        value = value.get("value")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_number(item) for item in value)
    text = _number(value)
    if isinstance(interval, Sequence) and len(interval) == 2:
        text += f" ({_number(interval[0])} to {_number(interval[1])})"
    return text


_INTERVALS = ("_interval", "_ci")


def _is_interval_of(key: str, keys: Mapping[str, Any] | Sequence[str]) -> bool:
    return any(key.endswith(end) and key.removesuffix(end) in keys for end in _INTERVALS)


def _is_figure(value: object) -> bool:
    if isinstance(value, Mapping):
        return "value" in value and not any(isinstance(inner, Mapping) for inner in value.values())
    if isinstance(value, list | tuple):
        return all(isinstance(item, int | float) or item is None for item in value)
    return value is None or isinstance(value, int | float | str)


def _number(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _data(spec: DetectorSpec) -> str:
    if not spec.data:
        return "Not recorded."
    rows = [
        [
            use.name,
            ", ".join(f"{split} {count:,}" for split, count in use.images.items()),
            use.licence or "not stated",
            f"`{use.sha256[:12]}`",
        ]
        for use in spec.data
    ]
    return table(["data", "images", "licence", "manifest SHA-256"], rows)


def _limits(spec: DetectorSpec) -> str:
    general = (
        "A score is evidence about pixels, not proof: weigh it with where the image comes from."
    )
    return "\n".join(f"- {limit}" for limit in (*spec.limits, general))


def _made(spec: DetectorSpec) -> str:
    libraries = ", ".join(f"{name} {number}" for name, number in spec.libraries.items())
    recipe = f"Recipe SHA-256 `{spec.recipe_sha256}`." if spec.recipe_sha256 else ""
    files = table(["file", "SHA-256"], [[f"`{n}`", f"`{s}`"] for n, s in spec.files.items()])
    return "\n\n".join(part for part in (recipe, libraries, files) if part)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars and line breaks inside cells are made harmless."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|")
