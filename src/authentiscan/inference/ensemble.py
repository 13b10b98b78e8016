"""Writing an ensemble: a bundle whose members are whole bundles, copied into it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from authentiscan.core.errors import UsageError
from authentiscan.core.files import write_text
from authentiscan.inference.bundle import (
    CARD_FILE,
    MEMBERS,
    SPEC_FILE,
    DetectorSpec,
    EnsembleSpec,
    Member,
    read_spec,
    write_spec,
)
from authentiscan.inference.card import model_card
from authentiscan.inference.folder import replaced_bundle
from authentiscan.inference.versions import library_versions
from authentiscan.metrics.decision import unmeasured_decision


def save_ensemble(
    members: Sequence[tuple[Path | str, float]],
    folder: Path | str,
    *,
    name: str,
    summary: str = "",
    release: str = "1",
) -> EnsembleSpec:
    """Write an ensemble of the bundles and weights in ``members`` into ``folder``.

    The members are copied, each into ``members/NAME``; the ensemble's logit is the sum of weight
    times the member's uncalibrated logit. What it was trained on, its limits and its typical images
    are its members'; an image is far from them where it lies outside the widest of their ranges.
    It is not calibrated: use `update_spec`, as after `save_bundle`. The folder appears whole or not
    at all; an older bundle there is replaced. Raises UsageError for weights below 0 or all 0, a
    BundleError leaf for members that cannot be read or are nested too deep.
    """
    weights = [weight for _, weight in members]
    if not members or not all(0 <= weight < float("inf") for weight in weights) or not any(weights):
        raise UsageError(f"weights of an ensemble are at least 0 and one is above, got {weights}")
    sources = [Path(path) for path, _ in members]
    specs = [read_spec(source) for source in sources]
    places = _places(specs)
    with replaced_bundle(Path(folder)) as partial:
        for source, spec, place in zip(sources, specs, places, strict=True):
            _copy(spec, source, partial / place)
        ensemble = EnsembleSpec(
            name=name,
            version=release,
            created=datetime.now(UTC),
            members=tuple(
                Member(folder=place, weight=weight, spec=spec)
                for place, weight, spec in zip(places, weights, specs, strict=True)
            ),
            decision=unmeasured_decision(),
            typical=_widest([spec.typical for spec in specs]),
            verdict_range=_narrowest([spec.verdict_range for spec in specs]),
            data=tuple({use.sha256: use for spec in specs for use in spec.data}.values()),
            libraries=library_versions(),
            licence="; ".join(dict.fromkeys(spec.licence for spec in specs)),
            summary=summary,
            limits=tuple(dict.fromkeys(limit for spec in specs for limit in spec.limits)),
        )
        written = write_spec(partial, ensemble)
        write_text(partial / CARD_FILE, model_card(written))
        read_spec(partial)  # what is shipped can be read: nesting, links, checksums
    return written


def _places(specs: Sequence[DetectorSpec]) -> list[str]:
    """A folder below the ensemble's for each member, by its name, numbered where two are alike."""
    found: list[str] = []
    for spec in specs:
        plain = re.sub(r"[^A-Za-z0-9._-]", "-", spec.name).lstrip("._-") or "member"
        place, number = f"{MEMBERS}/{plain}", 2
        while place in found:
            place, number = f"{MEMBERS}/{plain}-{number}", number + 1
        found.append(place)
    return found


def _copy(spec: DetectorSpec, source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    if isinstance(spec, EnsembleSpec):
        for member in spec.members:
            _copy(member.spec, source / member.folder, target / member.folder)
    else:
        for name in spec.files:
            shutil.copyfile(source / name, target / name)
    for name in (SPEC_FILE, CARD_FILE):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _narrowest(ranges: Sequence[dict[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """Of every figure that any member states, from the highest low to the lowest high: what
    misleads a member misleads the ensemble.
    """
    found: dict[str, tuple[float, float]] = {}
    for name in dict.fromkeys(name for one in ranges for name in one):
        stated = [one[name] for one in ranges if name in one]
        low, high = max(low for low, _ in stated), min(high for _, high in stated)
        found[name] = (low, max(low, high))
    return found


def _widest(ranges: Sequence[dict[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """Of every figure that all members state, from the lowest low to the highest high."""
    stated = set.intersection(*(set(one) for one in ranges))
    return {
        name: (min(one[name][0] for one in ranges), max(one[name][1] for one in ranges))
        for name in ranges[0]
        if name in stated
    }
