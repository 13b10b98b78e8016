"""The picture: a bar for the AUC of every shortcut, with its interval, before and after."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from authentiscan.checks.audit.audit_report import Audit, Measured
from authentiscan.core.errors import MissingExtraError
from authentiscan.core.files import MARK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#274c77", "#e07a5f", "#6a994e", "#8d6a9f", "#c9a227")


def picture(report: Audit) -> bytes:
    """PNG bytes of the bars; 0.5 means that a model cannot cheat this way, 1 that it can fully."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("pictures", "data") from error
    names = [shortcut.name for shortcut in report.measured[0].shortcuts][::-1]
    versions = report.measured
    figure = Figure(
        figsize=(8, 1.4 + 0.26 * len(names) * (1 + len(versions))), layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number in range(len(versions)):
        _bars(axes, versions, number, names)
    axes.set_yticks(range(len(names)), names)
    lowest = min(s.low for version in versions for s in version.shortcuts)
    axes.set_xlim(min(0.4, lowest - 0.02), 1.0)
    axes.axvline(0.5, color="#333333", linewidth=0.8)
    axes.set_xlabel("how well it tells real from generated (AUC; 0.5: not at all)")
    axes.set_title(f"Shortcuts in {report.manifest}", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(-0.6, len(names) - 0.4)
    figure.legend(loc="outside lower left", fontsize=8, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": MARK.decode()})
    return buffer.getvalue()


def _bars(axes: Axes, versions: Sequence[Measured], number: int, names: Sequence[str]) -> None:
    """The bars of one version of the data, beside those of the others."""
    version, thickness = versions[number], 0.8 / len(versions)
    by_name = {s.name: s for s in version.shortcuts}
    found = [by_name[name] for name in names]
    places = [k + 0.4 - (number + 0.5) * thickness for k in range(len(names))]
    axes.barh(
        places,
        [s.auc - 0.5 for s in found],
        left=0.5,
        height=thickness * 0.92,
        xerr=[[max(0.0, s.auc - s.low) for s in found], [max(0.0, s.high - s.auc) for s in found]],
        color=_COLOURS[number % len(_COLOURS)],
        error_kw={"linewidth": 0.8, "ecolor": "#333333"},
        label=f"{version.version} ({version.images} images)",
    )
    for place, s in zip(places, found, strict=True):
        axes.text(1.015, place, f"{s.auc:.2f}", va="center", fontsize=8)
