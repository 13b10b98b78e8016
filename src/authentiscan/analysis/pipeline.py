"""The product in one function: an image in, a report out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.analysis import rules, stability, warnings
from authentiscan.analysis.report import (
    ImageInfo,
    ModelInfo,
    Report,
    ReportWarning,
    Stability,
    crops_of,
)
from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.types import DecodedImage, Prediction, Verdict
from authentiscan.images.decode import DEFAULT_LIMITS, Limits
from authentiscan.images.inputs import ImageInput, load_image
from authentiscan.images.walk import Walk
from authentiscan.provenance import Provenance, TrustList
from authentiscan.provenance import inspect as inspect_provenance

if TYPE_CHECKING:
    from authentiscan.attribution import Attributor
    from authentiscan.inference import Detector
    from authentiscan.inference.spec import DetectorSpec

_default_lock = threading.Lock()
_default: list[Detector] = []
_named: list[Attributor] = []


def default_detector() -> Detector:
    """The packaged detector, loaded once a process."""
    from authentiscan.inference import load_detector

    with _default_lock:
        if not _default:
            _default.append(load_detector())
        return _default[0]


def default_attributor() -> Attributor:
    """The packaged attributor, loaded once a process."""
    from authentiscan.attribution import load_attributor

    with _default_lock:
        if not _named:
            _named.append(load_attributor())
        return _named[0]


@dataclass(frozen=True, slots=True)
class Opened:
    """An image read and decoded once, for all that is done with it.

    content: its encoded bytes, and walked: the walk over them; None where only pixels were given.
    milliseconds: reading took.
    """

    name: str
    image: DecodedImage
    content: bytes | None
    walked: Walk | None
    milliseconds: float


def open_image(
    source: ImageInput, *, name: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> Opened:
    """Read and decode ``source`` within ``limits``, ready for `analyze`.

    name: the report's ``path``; None for the file's own path. Raises as `analyze` does.
    """
    started = time.perf_counter()
    loaded = load_image(source, limits=limits)
    return Opened(_label(source) if name is None else name, *loaded, _since(started))


def analyze(
    source: ImageInput | Opened,
    detector: Detector | None = None,
    *,
    name: str | None = None,
    stability: bool = False,
    provenance: bool = True,
    heatmap: bool = False,
    attributor: Attributor | None = None,
    trust: TrustList | None = None,
    limits: Limits = DEFAULT_LIMITS,
    prediction: Prediction | None = None,
) -> Report:
    """Judge one image and say why.

    source: a file, its encoded bytes or an open binary file; or pixels alone (an array (H, W, 3)
        uint8, a Pillow image, an image decoded before), which have no provenance; or what
        `open_image` gave, which has a name and was held to limits then.
    detector: what scores the pixels; None for the packaged one, loaded once.
    name: the report's ``path``; None for the file's own path.
    stability: score changed copies too and let a flip make the verdict inconclusive; five more
        predictions.
    provenance: read the file's metadata. heatmap: also compute `Report.heatmap`, where the detector
        has one.
    attributor: names the likely generator of an image judged generated, as `default_attributor`
        does; None names none. The verdict is the same with and without it.
    trust: whose C2PA signatures count; None for `TrustList.chosen`, as a rule the official list.
    limits: of bytes, pixels, frames and metadata, beyond which the image is not decoded.
    prediction: what the detector said of the image already, as in a batch; None to ask it now.

    Safe to call from several threads. Raises a DecodeError subclass where the image cannot be read,
    a BundleError subclass where the packaged detector cannot be loaded.
    """
    opened = source if isinstance(source, Opened) else open_image(source, name=name, limits=limits)
    image = opened.image
    started = mark = time.perf_counter()
    timings = {"decode_ms": opened.milliseconds}
    judge = detector or default_detector()
    update: dict[str, object] = {}
    if heatmap and judge.explains:
        from authentiscan.explain import gradcam

        found = gradcam.explain(judge, image)  # score and map come out of one pass
        assert found.prediction is not None
        prediction = found.prediction
        update["heatmap"] = found.scaled()
    elif prediction is None:
        prediction = judge.predict(image)
    timings["model_ms"] = _since(mark)
    findings = None
    if provenance and opened.content is not None:
        findings = inspect_provenance(opened.content, trust, walked=opened.walked)
        timings["provenance_ms"] = findings.milliseconds
    steady = None
    if stability:
        steady = _stability(image, prediction, judge)
        timings["stability_ms"] = steady.milliseconds
    report = assemble(
        image, prediction, judge.spec, name=opened.name, provenance=findings, stability=steady
    )
    if attributor is not None and report.verdict is Verdict.GENERATED:
        mark = time.perf_counter()
        update["attribution"] = attributor.attribute(image)
        timings["attribution_ms"] = _since(mark)
    timings["total_ms"] = round(opened.milliseconds + _since(started), 3)
    return report.model_copy(update={"timings": timings, **update})


def analyze_many(
    sources: Iterable[ImageInput],
    detector: Detector | None = None,
    *,
    stability: bool = False,
    provenance: bool = True,
    heatmap: bool = False,
    attributor: Attributor | None = None,
    trust: TrustList | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Report]:
    """Reports of many images, in order; one that cannot be judged gives `Report.failed`.

    Raises only what concerns them all, such as a packaged detector that cannot be loaded.
    """
    judge = detector or default_detector()
    for source in sources:
        try:
            yield analyze(
                source,
                judge,
                stability=stability,
                provenance=provenance,
                heatmap=heatmap,
                attributor=attributor,
                trust=trust,
                limits=limits,
            )
        except AuthentiscanError as error:
            yield Report.failed(_label(source), error)


def assemble(
    image: DecodedImage,
    prediction: Prediction,
    spec: DetectorSpec,
    *,
    name: str,
    provenance: Provenance | None = None,
    stability: Stability | None = None,
) -> Report:
    """Join what is known of one image to a report, by the rules of docs/verdict.md.

    For callers that decode and predict in their own way, as in batches; `analyze` does all of it.
    """
    size = image.facts.height, image.facts.width
    judging, decision = spec.networks_for(*size), spec.decision_for(*size)
    ways = [network.preprocess for network in judging]
    raised = warnings.check(image, ways, provenance, spec.typical, spec.verdict_range)
    evidence = rules.Evidence(
        score=prediction.score,
        pixels=decision(prediction.score),
        decision=decision,
        warnings=frozenset(warning.code for warning in raised),
        stability=stability,
        provenance=provenance,
    )
    judgement = rules.judge(evidence)
    opposed = rules.conflict(evidence)
    if opposed:
        raised += (ReportWarning(code="conflict", message=opposed),)
    return Report(
        path=name,
        verdict=judgement.verdict,
        score=prediction.score,
        reason=judgement.reason,
        rule=judgement.rule,
        threshold=decision.generated.score,
        fpr=decision.generated.fpr,
        real_below=decision.real.score,
        miss=decision.real.miss,
        rate=decision.rate(evidence.pixels),
        pixel_verdict=evidence.pixels,
        spread=prediction.spread,
        crops=crops_of(prediction),
        warnings=raised,
        stability=stability,
        provenance=provenance,
        image=ImageInfo.of(image.facts),
        model=ModelInfo.of(spec),
    )


def _stability(image: DecodedImage, prediction: Prediction, judge: Detector) -> Stability:
    return stability.check(image.pixels, prediction.score, judge)


def _label(source: ImageInput) -> str:
    if isinstance(source, str | Path):
        return str(source)
    named = getattr(source, "name", None)
    return named if isinstance(named, str) else "<bytes>"


def _since(mark: float) -> float:
    return round((time.perf_counter() - mark) * 1e3, 3)
