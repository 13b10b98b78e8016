"""The model card of an attributor: what its detector.json says, for people."""

from __future__ import annotations

from authentiscan.attribution.spec import AttributorSpec
from authentiscan.core.types import CAMERA
from authentiscan.inference.card import crops_words, input_words, metrics_section, table

_USE = """```python
import authentiscan

attributor = authentiscan.load_attributor("path/to/this/folder")
answer = attributor.attribute("generated.png")
print(answer.generator, answer.candidates)
```

```
authentiscan scan PICTURES --attributor path/to/this/folder
```
"""


def attributor_card(spec: AttributorSpec) -> str:
    """Markdown of what a user of the attributor ``spec`` should know."""
    measured = metrics_section(spec.metrics, 3) if spec.metrics else "Nothing measured yet."
    general = (
        "It is meant for images judged generated. Of a photograph it names the generator that is "
        "least unlike, or none.",
        "A name is evidence about pixels, not proof. It never changes a verdict.",
    )
    files = table(["file", "SHA-256"], [[f"`{n}`", f"`{s}`"] for n, s in spec.files.items()])
    made = ", ".join(f"{name} {number}" for name, number in spec.libraries.items())
    sections = [
        f"# {spec.name}",
        spec.summary or "An attributor in the authentiscan bundle format.",
        _facts(spec),
        "## Use\n\n" + _USE,
        "## Generators it knows\n\n" + _generators(spec),
        "## Measured\n\n" + measured,
        "## What it cannot do\n\n" + "\n".join(f"- {line}" for line in (*spec.limits, *general)),
        "## Made with\n\n" + "\n\n".join(part for part in (made, files) if part),
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _facts(spec: AttributorSpec) -> str:
    chosen = spec.architecture
    return table(
        ["", ""],
        [
            ["version", f"{spec.version}, made {spec.created:%Y-%m-%d %H:%M} UTC"],
            ["architecture", f"`{chosen.name}`, {chosen.parameters:,} trained parameters"],
            ["arguments", f"`{chosen.arguments}`" if chosen.arguments else "defaults"],
            ["input", input_words(spec.preprocess)],
            ["crops", crops_words(spec.preprocess)],
            ["unknown", f"where the fit is under {spec.least_fit:g}"],
            ["licence", spec.licence],
        ],
    )


def _generators(spec: AttributorSpec) -> str:
    rows = [
        [
            "photographs" if g.name == CAMERA else g.name,
            f"{g.images:,}",
            "registered from a few images" if g.registered else "trained",
        ]
        for g in spec.generators
    ]
    return table(["generator", "images", "how"], rows)
