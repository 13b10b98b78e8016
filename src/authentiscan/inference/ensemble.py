"""Writing an ensemble: a bundle whose members are whole bundles, copied into it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from authentiscan.core.errors import UsageError
from authentiscan.core.files import write_text
from authentiscan.inference.bundle import CARD_FILE, read_spec, write_spec
from authentiscan.inference.card import model_card
from authentiscan.inference.folder import replaced_bundle
from authentiscan.inference.spec import (
    ANY_SIDE,
    LARGEST_SIDE,
    MEMBERS,
    SPEC_FILE,
    DetectorSpec,
    EnsembleSpec,
    Member,
    Sides,
)
from authentiscan.inference.update import update_spec
from authentiscan.inference.versions import library_versions
from authentiscan.metrics.decision import unmeasured_decision


class Part(NamedTuple):
    """A bundle to be joined; see `Member` for what the others mean."""

    bundle: Path | str
    weight: float = 1.0
    bias: float = 0.0
    sides: Sides = ANY_SIDE


def save_ensemble(
    members: Sequence[Part | tuple[Path | str, float]],
    folder: Path | str,
    *,
    name: str,
    summary: str = "",
    release: str = "1",
) -> EnsembleSpec:
    """Write an ensemble of ``members`` (bundle and weight, or a `Part`) into ``folder``.

    The members are copied, each into ``members/NAME``; the ensemble's logit is the sum of weight
    times the member's uncalibrated logit plus bias. What it was trained on, its limits and its
    typical images are its members'; an image is far from them where it lies outside the widest of
    their ranges. It is not calibrated: use `update_spec`, as after `save_bundle`. The folder
    appears whole or not at all; an older bundle there is replaced. Raises UsageError for weights
    below 0 or all 0, a BundleError leaf for members that cannot be read or are nested too deep.
    """
    parts = [Part(*member) for member in members]
    weights = [part.weight for part in parts]
    if not parts or not all(0 <= weight < float("inf") for weight in weights) or not any(weights):
        raise UsageError(f"weights of an ensemble are at least 0 and one is above, got {weights}")
    sources = [Path(part.bundle) for part in parts]
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
                Member(folder=place, weight=p.weight, bias=p.bias, sides=p.sides, spec=spec)
                for place, p, spec in zip(places, parts, specs, strict=True)
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


def save_by_size(
    members: Sequence[tuple[Path | str, Sides]],
    folder: Path | str,
    *,
    name: str,
    summary: str = "",
    release: str = "1",
) -> EnsembleSpec:
    """Write an ensemble in which the size of an image chooses who judges it, into ``folder``.

    members: bundles, each with the least and largest shorter side in pixels of its images. The
    first lends calibration and thresholds. The logits of the others are shifted, and scaled where
    both can say *real*, so that their own thresholds fall on the first's: a score means the same
    for every size. Raises UsageError where ranges overlap or leave sizes out.
    """
    specs = [read_spec(path) for path, _ in members]
    ranges = sorted(sides for _, sides in members)
    expected = 1
    for least, largest in ranges:
        if least != expected or largest < least:
            raise UsageError(
                f"the shorter sides {[f'{a}-{b}' for a, b in ranges]} must follow each other from "
                f"1 px without gap or overlap; {expected} is judged by none or by two"
            )
        expected = largest + 1
    if expected <= LARGEST_SIDE:
        raise UsageError(f"nobody judges images with a shorter side of {expected} px or more")
    parts = [
        Part(path, *_onto(specs[0], spec), sides)
        for (path, sides), spec in zip(members, specs, strict=True)
    ]
    save_ensemble(parts, folder, name=name, summary=summary, release=release)
    first = specs[0]
    made = update_spec(
        folder,
        calibration=first.calibration,
        decision=first.decision,
        thresholds=first.thresholds,
    )
    assert isinstance(made, EnsembleSpec)
    return made


def _onto(first: DetectorSpec, other: DetectorSpec) -> tuple[float, float]:
    """Weight and bias that carry the thresholds of ``other`` onto those of ``first``."""
    (to_real, to_generated), (real, generated) = _limits_of(first), _limits_of(other)
    if to_real is None or real is None:
        return 1.0, to_generated - generated
    weight = (to_generated - to_real) / (generated - real)
    return weight, to_generated - weight * generated


def _limits_of(spec: DetectorSpec) -> tuple[float | None, float]:
    """The uncalibrated logits of both thresholds; None for a detector that never says *real*, or
    whose thresholds are one.
    """
    generated = spec.calibration.logit(spec.decision.generated.score)
    if spec.decision.real_below <= 0:
        return None, generated
    real = spec.calibration.logit(spec.decision.real_below)
    return (real if real < generated else None), generated


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
