"""`authentiscan explain` and `authentiscan explain-compare`: where detectors look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, count, islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from authentiscan.cli import screen
from authentiscan.cli.guard import claim
from authentiscan.cli.inputs import Images, images
from authentiscan.cli.options import (
    CORES,
    AsJson,
    DataList,
    MaxPixels,
    Model,
    Seed,
    TrustListOption,
    Workers,
    limits,
)

if TYPE_CHECKING:
    from authentiscan.analysis import Opened, Report
    from authentiscan.core.types import RGBImage
    from authentiscan.explain import Heatmap, Target
    from authentiscan.inference import Detector
    from authentiscan.provenance import TrustList
    from authentiscan.scan import Item


class MethodName(StrEnum):
    """Names of the explanation methods."""

    GRADCAM = "gradcam"
    GRADCAM_PP = "gradcam++"
    IG = "ig"
    OCCLUSION = "occlusion"


class ViewName(StrEnum):
    """Names of the pictures."""

    OVERLAY = "overlay"
    RESIDUAL = "residual"
    SPECTRUM = "spectrum"
    ELA = "ela"
    ALL = "all"


class TargetName(StrEnum):
    """Which evidence a map shows."""

    AUTO = "auto"
    GENERATED = "generated"
    REAL = "real"


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
            help="Picture to write (.png, .jpg, .webp); a folder for many images.",
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
    as_json: AsJson = False,
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

    """
    from authentiscan.analysis import open_image
    from authentiscan.core.errors import DecodeError
    from authentiscan.explain.methods import needs_torch
    from authentiscan.explain.overlay import VIEWS
    from authentiscan.inference import load_detector
    from authentiscan.provenance import TrustList

    trust = TrustList.chosen(trust_list)
    chosen = [ViewName.OVERLAY] if view is None else view
    views = VIEWS if ViewName.ALL in chosen else tuple(dict.fromkeys(v.value for v in chosen))
    allowed = limits(max_pixels)
    items = images(paths, allowed)
    first = list(islice(items, 2))  # enough to know whether there are several
    several = len(first) > 1
    _claim(output, paths, several=several)
    wishes = _Wishes(method.value, target.value, views, opacity, colours.value)
    backend = "torch" if sanity or needs_torch(method.value) else "onnx"
    detector = load_detector(model, backend=backend, threads=workers)  # type: ignore[arg-type]
    measured, shown, failed = [], [], 0
    written: set[Path] = set()
    for item in chain(first, items):
        try:
            opened = open_image(item.source, name=item.name, limits=allowed)
            pixels = opened.image.pixels
            found = _explained(detector, pixels, wishes)
            report = _judged(detector, opened, found, trust)
        except DecodeError as error:
            failed += 1
            _tell_error(item.name, error, as_json=as_json)
            continue
        picture = None
        if output is not None or visualize:
            drawn = _drawn(detector, pixels, found, wishes, report)
            if output is not None:
                place = _place(item, output, several=several, written=written)
                picture = _saved(drawn, place, paths)
            if visualize:
                _open(drawn)
        if sanity:
            shown.append(pixels)
        if faithfulness:
            from authentiscan.explain.faithfulness import faithfulness as measure

            measured.append(measure(detector, pixels, found, fill=fill.value))
        _tell(report, found, picture, measured[-1] if faithfulness else None, as_json=as_json)
    if measured and not as_json:
        _tell_faithfulness(measured)
    if sanity and shown and not as_json:
        _tell_sanity(detector, shown)
    if failed:
        raise typer.Exit(1)


def explain_compare(
    *,
    models: Annotated[
        list[str],
        typer.Option(
            "--model",
            "-m",
            metavar="DETECTOR",
            help="Once a detector: `default`, a bundle's folder, a run's folder or name.",
        ),
    ],
    data: DataList,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for pictures and tables.")],
    split: Annotated[
        str | None, typer.Option(help="Only rows of this split, such as test; default: all.")
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=10_000, help="Images of every data set, half of each class.")
    ] = 20,
    seed: Seed = 0,
    workers: Workers = CORES,
) -> None:
    """Compare where detectors look, on the same samples of every data set.

    Writes an overlay for every detector and sample, the mean map of every detector on every data
    set, and how much each two detectors agree: overlap of the strongest fifth of the image (0.11 is
    chance) and correlation, as CSV and pictures.

    Examples:
        authentiscan explain-compare -m runs/a -m runs/b -d cifake.parquet -o where/
        authentiscan explain-compare -m default -d web.parquet --split test --samples 50 -o where/

    """
    from authentiscan.datasets.open import open_named
    from authentiscan.explain.compare import compare
    from authentiscan.inference import find_bundle, load_detector

    claim(folders=[output], inputs=data)
    bundles = [find_bundle(text) for text in models]
    names = _distinct([_run_or_bundle(path.resolve()).name for path in bundles])
    detectors = {
        name: load_detector(path, threads=workers)
        for name, path in zip(names, bundles, strict=True)
    }
    opened = [open_named(text, split=split) for text in data]
    names = _distinct([found.name for found in opened])
    datasets = {name: found.manifest for name, found in zip(names, opened, strict=True)}
    images = sum(min(samples, len(manifest)) for manifest in datasets.values())
    total, done = images * len(detectors), count(1)
    with screen.progress("explaining") as update:
        found = compare(
            detectors,
            datasets,
            output,
            samples=samples,
            seed=seed,
            progress=lambda: update(next(done), total),
        )
    for line in found.skipped:
        screen.warn(f"skipped {line}")
    rows = [
        [r.dataset, r.first, r.second, f"{r.iou:.2f}", f"{r.correlation:+.2f}", str(r.images)]
        for r in found.overlaps
        if r.first != r.second
    ]
    head = ["data set", "first", "second", "overlap", "correlation", "images"]
    screen.print_table("", head, rows, words=(0, 1, 2))
    typer.echo(f"{len(found.seen)} overlays and the tables are in {output}")
    if found.skipped:
        raise typer.Exit(1)


def _judged(detector: Detector, opened: Opened, found: Heatmap, trust: TrustList) -> Report:
    """The whole verdict, as `scan` gives it: a map alone knows nothing of signatures."""
    from authentiscan.analysis import assemble
    from authentiscan.provenance import inspect

    prediction = found.prediction or detector.predict(opened.image)
    findings = inspect(opened.content or b"", trust)
    return assemble(opened.image, prediction, detector.spec, name=opened.name, provenance=findings)


def _explained(detector: Detector, pixels: RGBImage, wishes: _Wishes) -> Heatmap:
    from authentiscan.explain import explain as explain_image
    from authentiscan.explain.methods import method

    by = method(wishes.method)
    if wishes.target != TargetName.AUTO:
        target: Target = "real" if wishes.target == TargetName.REAL else "generated"
        return explain_image(detector, pixels, target=target, method=by)
    found = explain_image(detector, pixels, target="generated", method=by)
    if found.score >= 0.5:
        return found
    return explain_image(detector, pixels, target="real", method=by)


def _drawn(
    detector: Detector, pixels: RGBImage, found: Heatmap, wishes: _Wishes, report: Report
) -> RGBImage:
    from authentiscan.explain.overlay import figure, panels

    shown = panels(pixels, found, chosen=wishes.views, opacity=wishes.opacity, scale=wishes.scale)
    title = f"{report.verdict}, score {found.score:.3f}  ({detector.spec.name}, {wishes.method})"
    return figure(shown, title=title)


def _claim(output: Path | None, paths: Sequence[str], *, several: bool) -> None:
    if output is not None and _is_folder(output, several=several):
        claim(folders=[output])
    else:
        claim(output, inputs=paths)


def _is_folder(save: Path, *, several: bool) -> bool:
    return several or save.is_dir() or not save.suffix


def _place(item: Item, save: Path, *, several: bool, written: set[Path]) -> Path:
    """Where the picture of an item goes: ``save``, or into it where it is a folder; none twice."""
    if _is_folder(save, several=several):
        name = PurePath(item.path or item.name.rpartition("::")[2].replace("\\", "/"))
        save = save / f"{name.stem}_explained.png"
    stem, number = save.stem, 2
    while save in written:  # images of two folders may share a name
        save, number = save.with_stem(f"{stem}_{number}"), number + 1
    written.add(save)
    return save


def _saved(drawn: RGBImage, save: Path, inputs: Sequence[str]) -> Path:
    """Write the picture, never over an input."""
    from authentiscan.core.errors import UsageError
    from authentiscan.core.files import write_bytes
    from authentiscan.images.decode import encode

    formats = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
    kind = formats.get(save.suffix.lower())
    if kind is None:
        raise UsageError(f"cannot write {save.name}: allowed endings are {', '.join(formats)}")
    write_bytes(save, encode(drawn, kind), inputs=inputs)
    return save


def _open(drawn: RGBImage) -> None:
    from PIL import Image

    Image.fromarray(drawn).show(title="authentiscan explain")


def _tell(
    report: Report,
    found: Heatmap,
    picture: Path | None,
    measured: Any,
    *,
    as_json: bool,
) -> None:
    if as_json:
        import json
        from dataclasses import asdict

        row = {
            "path": report.path,
            "verdict": report.verdict,
            "pixel_verdict": report.pixel_verdict,
            "reason": report.reason,
            "score": found.score,
            "target": found.target,
            "strongest": float(found.raw.max()),
            "picture": None if picture is None else str(picture),
            "faithfulness": None if measured is None else asdict(measured),
            "error": None,
        }
        typer.echo(json.dumps(row))
        return
    where = f", picture in {picture}" if picture else ""
    typer.echo(
        f"{report.path}: {report.verdict}, score {found.score:.3f}, map for {found.target}{where}"
    )
    if report.verdict != report.pixel_verdict:
        typer.echo(f"  {report.reason}")


def _tell_error(name: str, error: Exception, *, as_json: bool) -> None:
    if as_json:
        import json

        row = {"path": name, "verdict": None, "score": None, "error": str(error)}
        typer.echo(json.dumps(row))
    else:
        screen.fail(f"{name}: {error}")


def _tell_faithfulness(measured: list[Any]) -> None:
    import numpy as np

    from authentiscan.explain.faithfulness import summarise

    rows = {
        "map": ([m.deletion for m in measured], [m.insertion for m in measured]),
        "edges": ([m.edges_deletion for m in measured], [m.edges_insertion for m in measured]),
        "random": (
            [np.mean(m.random_deletion) for m in measured],
            [np.mean(m.random_insertion) for m in measured],
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


def _tell_sanity(detector: Detector, images: list[RGBImage]) -> None:
    import numpy as np

    from authentiscan.explain.sanity import randomised_similarity

    network = detector.network
    few = np.concatenate([network.preprocess.crops(pixels)[0][:16] for pixels in images])[:64]
    rows = [
        [str(stage.layers), f"{stage.share:.0%}", f"{stage.similarity:+.2f}"]
        for stage in randomised_similarity(network, few)
    ]
    head = ["layers made random", "share", "similarity of the maps (0 is right)"]
    screen.print_table("", head, rows)


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, numbered where two are alike."""
    found: list[str] = []
    for stem in names:
        name, number = stem, 2
        while name in found:
            name, number = f"{stem}_{number}", number + 1
        found.append(name)
    return found


def _run_or_bundle(folder: Path) -> Path:
    """A run's folder says more than the word `bundle` below it."""
    return folder.parent if folder.name == "bundle" else folder
