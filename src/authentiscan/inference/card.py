"""The model card: what detector.json says, for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from authentiscan.core.types import Verdict
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.recorded_metrics import RecordedMetrics
from authentiscan.inference.spec import (
    ANY_SIDE,
    LARGEST_SIDE,
    Ancestor,
    DetectorSpec,
    EnsembleSpec,
    Sides,
)
from authentiscan.metrics.decision import Threshold, score_words, sentences

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
        + (
            metrics_section(_test_first(spec.metrics), 3)
            if spec.metrics
            else "Nothing measured yet."
        ),
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
    head = ["member", "in", "weight", "judges", "architecture", "parameters", "input", "crops"]
    rows = [
        [
            member.spec.name,
            f"`{member.folder}`",
            f"{member.weight:.4g}" + (f" and {member.bias:+.4g}" if member.bias else ""),
            sides_words(member.sides),
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


def sides_words(sides: Sides) -> str:
    """Which images a member judges, in words."""
    least, largest = sides
    if sides == ANY_SIDE:
        return "all images"
    if largest == LARGEST_SIDE:
        return f"shorter side from {least} px"
    return f"shorter side {least} to {largest} px"


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
    if rule.allows(Verdict.INCONCLUSIVE):
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
        score_words(threshold.score),
        f"{threshold.fpr:.1%} ({low:.1%} to {high:.1%})",
        f"{threshold.tpr:.1%}",
        threshold.measured_on,
    ]


def metrics_section(metrics: RecordedMetrics, level: int) -> str:
    """Figures and facts as a table; parts of figures alone as a row each, others below a title."""
    found = []
    rows = [[_words(key), value] for key, value in metrics.facts.items()]
    rows += [[_words(key), str(figure)] for key, figure in metrics.figures.items()]
    if rows:
        found.append(table(["", ""], rows))
    for key, part in metrics.parts.items():
        if part:
            found.append(f"{'#' * min(level, 6)} {_words(key)}")
            found.append(_rows(part.parts) if _is_table(part) else metrics_section(part, level + 1))
    return "\n\n".join(found)


def _test_first(metrics: RecordedMetrics) -> RecordedMetrics:
    """Evaluations before the validation part, which chose weights and thresholds."""
    names = sorted(metrics.parts, key=lambda name: name != "evaluation")
    return metrics.model_copy(update={"parts": {name: metrics.parts[name] for name in names}})


def _is_table(part: RecordedMetrics) -> bool:
    rows = part.parts.values()
    return (
        bool(rows)
        and not part.figures
        and not part.facts
        and all(row.figures and not row.facts and not row.parts for row in rows)
    )


def _rows(parts: Mapping[str, RecordedMetrics]) -> str:
    columns = list(dict.fromkeys(key for row in parts.values() for key in row.figures))
    rows = [
        [name, *(str(row.figures[key]) if key in row.figures else "" for key in columns)]
        for name, row in parts.items()
    ]
    return table(["", *map(_words, columns)], rows)


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
