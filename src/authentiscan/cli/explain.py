"""`authentiscan explain`: where a detector looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli import screen
from authentiscan.cli.explained import PAGES, Form, Outputs
from authentiscan.cli.inputs import Images, images
from authentiscan.cli.options import (
    CORES,
    AsJson,
    MaxBytes,
    MaxPixels,
    Model,
    TrustListOption,
    Workers,
    limits,
)
from authentiscan.cli.places import Places, stem
from authentiscan.core.views import TargetName, ViewName

if TYPE_CHECKING:
    from authentiscan.analysis import Opened, Report
    from authentiscan.core.types import RGBImage
    from authentiscan.explain import Heatmap, Target
    from authentiscan.explain.faithfulness import Faithfulness, Fill
    from authentiscan.explain.overlay import Panel
    from authentiscan.images.decode import Limits
    from authentiscan.inference import Detector
    from authentiscan.provenance import TrustList
    from authentiscan.scan import Item


class MethodName(StrEnum):
    """Names of the explanation methods."""

    GRADCAM = "gradcam"
    GRADCAM_PP = "gradcam++"
    IG = "ig"
    OCCLUSION = "occlusion"


class ScaleName(StrEnum):
    """Colour scales, all perceptually uniform."""

    INFERNO = "inferno"
    VIRIDIS = "viridis"
    MAGMA = "magma"


class FillName(StrEnum):
    """What replaces deleted places."""

    BLUR = "blur"
    MEAN = "mean"


@dataclass(frozen=True)
class _Wishes:
    method: str
    target: str
    views: tuple[str, ...]
    opacity: float
    scale: str


def explain(
    paths: Images,
    *,
    model: Model = None,
    method: Annotated[
        MethodName,
        typer.Option(help="gradcam needs no torch; the others need the `explain` extra."),
    ] = MethodName.GRADCAM,
    view: Annotated[
        list[ViewName] | None, typer.Option(help="Pictures to show; may be given more than once.")
    ] = None,
    target: Annotated[
        TargetName, typer.Option(help="Evidence for this side; auto: the one the score leans to.")
    ] = TargetName.AUTO,
    opacity: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the colours in the overlay, 0 to 1.")
    ] = 0.5,
    colours: Annotated[ScaleName, typer.Option(help="Colour scale.")] = ScaleName.INFERNO,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            "--save",
            help="Picture (.png, .jpg, .webp); a folder for many images; .html for one page. "
            "[default: NAME_explained.png here]",
        ),
    ] = None,
    visualize: Annotated[
        bool, typer.Option("--visualize", help="Open the picture in the desktop's viewer.")
    ] = False,
    faithfulness: Annotated[
        bool, typer.Option("--faithfulness", help="Measure whether the maps deserve trust (slow).")
    ] = False,
    fill: Annotated[
        FillName, typer.Option(help="What --faithfulness puts in place of what it takes away.")
    ] = FillName.BLUR,
    sanity: Annotated[
        bool,
        typer.Option("--sanity", help="Compare the maps with those of random weights (torch)."),
    ] = False,
    trust_list: TrustListOption = None,
    max_pixels: MaxPixels = None,
    max_bytes: MaxBytes = None,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="CSV on standard output, one row an image.")
    ] = False,
    workers: Workers = CORES,
) -> None:
    """Show where a detector found its evidence, and how far that can be trusted.

    The map is scaled by its own maximum: it tells where, not how much. It is not proof. With
    --faithfulness the places the map marks are blurred away (deletion: the score should fall fast)
    or alone put back (insertion), against random places and edges.

    Examples:
        authentiscan explain photo.jpg -o why.png
        authentiscan explain photo.jpg --view all --faithfulness -o why.png
        authentiscan explain shots/ more.zip -o maps/
        authentiscan explain shots/ -o where.html

    """
    from authentiscan.core.errors import UsageError
    from authentiscan.explain.methods import needs_torch
    from authentiscan.inference import load_detector
    from authentiscan.provenance import TrustList

    if as_json and as_csv:
        raise UsageError("--json and --csv both write to standard output; give one of them")
    trust = TrustList.chosen(trust_list)
    allowed = limits(max_pixels, max_bytes)
    items = images(paths, allowed)
    # Two are enough to know whether there are several, where that decides what the output is: rows
    # come one by one, also where the second path is long in coming.
    lone = output.suffix.lower() in PAGES if output else as_json or as_csv
    first = list(islice(items, 0 if lone else 2))
    form: Form = "json" if as_json else "csv" if as_csv else "text"
    if output is None and form == "text" and not (visualize or faithfulness or sanity):
        several = len(first) > 1
        output = Path("explained") if several else Path(f"{stem(first[0])}_explained.png")
    outputs = _outputs(form, output, paths, several=len(first) > 1, opened=visualize)
    outputs.begin()
    places = outputs.places
    wishes = _Wishes(method.value, target.value, _views(view), opacity, colours.value)
    backend = "torch" if sanity or needs_torch(method.value) else "onnx"
    detector = load_detector(model, backend=backend, threads=workers)  # type: ignore[arg-type]
    run = _Run(detector, wishes, trust, allowed, fill.value if faithfulness else None, sanity)
    # A map of this run is no input, though it may lie in a folder that is being walked.
    with outputs.whole(detector.spec):
        for item in (item for item in chain(first, items) if not (places and places.taken(item))):
            run.explain(item, outputs)
    if form == "text":
        run.show_checks()
    if run.failed:
        raise typer.Exit(1)


@dataclass
class _Run:
    """The images of one command; fill: how faithfulness is measured, None where it is not."""

    detector: Detector
    wishes: _Wishes
    trust: TrustList
    limits: Limits
    fill: Fill | None
    sanity: bool
    measured: list[Faithfulness] = field(default_factory=list)
    shown: list[RGBImage] = field(default_factory=list)
    failed: int = 0

    def explain(self, item: Item, outputs: Outputs) -> None:
        """Explain one image; one that cannot be read is told, and the others go on."""
        from authentiscan.analysis import open_image
        from authentiscan.core.errors import DecodeError
        from authentiscan.explain.faithfulness import faithfulness

        try:
            opened = open_image(item.source, name=item.name, limits=self.limits)
            pixels = opened.image.pixels
            found = _explained(self.detector, pixels, self.wishes)
            report = _judged(self.detector, opened, found, self.trust)
        except DecodeError as error:
            self.failed += 1
            outputs.fail(item.name, error)
            return
        picture = None
        if outputs.wants_pictures:
            by = f"{self.detector.spec.name}, {self.wishes.method}"
            picture = outputs.picture(item, report, _panels(pixels, found, self.wishes), by)
        if self.sanity:
            self.shown.append(pixels)
        measured = None
        if self.fill is not None:
            measured = faithfulness(self.detector, pixels, found, fill=self.fill)
            self.measured.append(measured)
        outputs.print_found(report, found, picture, measured)

    def show_checks(self) -> None:
        """Whether the maps deserve trust, as far as that was asked for."""
        if self.measured:
            _show_faithfulness(self.measured)
        if self.shown:
            _show_sanity(self.detector, self.shown)


def _views(view: list[ViewName] | None) -> tuple[str, ...]:
    from authentiscan.explain.overlay import VIEWS

    chosen = [ViewName.OVERLAY] if view is None else view
    return VIEWS if ViewName.ALL in chosen else tuple(dict.fromkeys(v.value for v in chosen))


def _judged(detector: Detector, opened: Opened, found: Heatmap, trust: TrustList) -> Report:
    """The whole verdict, as `scan` gives it: a map alone knows nothing of signatures."""
    from authentiscan.analysis import assemble
    from authentiscan.provenance import inspect

    prediction = found.prediction or detector.predict(opened.image)
    findings = inspect(opened.content or b"", trust, walked=opened.walked)
    return assemble(opened.image, prediction, detector.spec, name=opened.name, provenance=findings)


def _explained(detector: Detector, pixels: RGBImage, wishes: _Wishes) -> Heatmap:
    from authentiscan.explain import explain as explain_image
    from authentiscan.explain import explain_leaning
    from authentiscan.explain.methods import method

    by = method(wishes.method)
    if wishes.target != TargetName.AUTO:
        target: Target = "real" if wishes.target == TargetName.REAL else "generated"
        return explain_image(detector, pixels, target=target, method=by)
    return explain_leaning(detector, pixels, method=by)


def _show_faithfulness(measured: list[Faithfulness]) -> None:
    import numpy as np

    from authentiscan.explain.faithfulness import summarise

    rows = {
        "map": ([m.deletion for m in measured], [m.insertion for m in measured]),
        "edges": ([m.edges_deletion for m in measured], [m.edges_insertion for m in measured]),
        "random": (
            [float(np.mean(m.random_deletion)) for m in measured],
            [float(np.mean(m.random_insertion)) for m in measured],
        ),
    }
    screen.print_table(
        "",
        ["order", "deletion (small is good)", "insertion (large is good)"],
        [[name, *(f"{np.mean(part):.3f}" for part in parts)] for name, parts in rows.items()],
    )
    if len(measured) == 1:
        (one,) = measured
        ahead = one.deletion_gain > 0 and one.insertion_gain > 0
        word = "ahead of" if ahead else "not ahead of"
        typer.echo(f"On this image the map is {word} random orders; judge over many images.")
    else:
        typer.echo(summarise(measured).sentence)


def _show_sanity(detector: Detector, images: list[RGBImage]) -> None:
    import numpy as np

    from authentiscan.explain.sanity import randomised_similarity

    network = detector.network_for(*images[0].shape[:2])
    alike = [image for image in images if detector.network_for(*image.shape[:2]) is network]
    few = np.concatenate([network.preprocess.crops(pixels)[0][:16] for pixels in alike])[:64]
    rows = [
        [str(stage.layers), f"{stage.share:.0%}", f"{stage.similarity:+.2f}"]
        for stage in randomised_similarity(network, few)
    ]
    head = ["layers made random", "share", "similarity of the maps (0 is right)"]
    screen.print_table("", head, rows)


def _outputs(
    form: Form, output: Path | None, inputs: list[str], *, several: bool, opened: bool
) -> Outputs:
    from authentiscan.scan.explain_page import ExplainPage

    page = ExplainPage() if output is not None and output.suffix.lower() in PAGES else None
    places = None
    if output is not None:
        places = Places(output, "_explained.png", several and page is None)
    return Outputs(form, places, page, inputs, opened)


def _panels(pixels: RGBImage, found: Heatmap, wishes: _Wishes) -> list[Panel]:
    from authentiscan.explain.overlay import panels

    return panels(pixels, found, chosen=wishes.views, opacity=wishes.opacity, scale=wishes.scale)
