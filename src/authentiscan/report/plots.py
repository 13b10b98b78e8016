"""Pictures of the records: each function gives a matplotlib figure, drawn without a display."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from authentiscan.core.errors import MissingExtraError
from authentiscan.core.files import MARK
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.metrics.curves import Curve, Histogram, ReliabilityBin
from authentiscan.metrics.decision import VERDICTS
from authentiscan.metrics.thresholds import Verdicts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7A7A7A", "#B8A800")
_NAMED = {"raw": "#7A7A7A", "matched": "#0072B2", "history": "#E69F00"}
_REAL, _GENERATED = "#009E73", "#D55E00"
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "path",
}
_SQUARE = (4.6, 4.3)
ANSWERS = tuple(str(verdict) for verdict in VERDICTS)


def roc(curves: Mapping[str, Curve], labels: Mapping[str, str] | None = None) -> Figure:
    """ROC curves, one line a name, labelled with ``labels``."""
    figure, axes = _axes(_SQUARE)
    for colour, (name, curve) in _coloured(curves):
        label = (labels or {}).get(name, name)
        axes.plot(curve.x, curve.y, color=colour, label=label, linewidth=1.8)
    axes.plot([0, 1], [0, 1], color="#bbb", linewidth=1, linestyle="--", zorder=1)
    _unit(axes, "false-positive rate (real photos flagged)", "true-positive rate")
    _legend(figure)
    return figure


def precision_recall(
    curves: Mapping[str, Curve], labels: Mapping[str, str] | None = None
) -> Figure:
    """Precision over recall, one line a name."""
    figure, axes = _axes(_SQUARE)
    for colour, (name, curve) in _coloured(curves):
        label = (labels or {}).get(name, name)
        axes.plot(curve.x, curve.y, color=colour, label=label, linewidth=1.8)
    _unit(axes, "recall (generated images found)", "precision")
    _legend(figure)
    return figure


def score_distribution(
    histogram: Histogram, *, threshold: float | None = None, real_below: float | None = None
) -> Figure:
    """Share of each class per score bin, with the decision drawn in."""
    figure, axes = _axes((5.6, 3.6))
    edges = np.asarray(histogram.edges)
    for counts, colour, label in (
        (histogram.real, _REAL, "real"),
        (histogram.generated, _GENERATED, "generated"),
    ):
        total = sum(counts)
        if total:
            shares = np.asarray(counts) / total
            axes.stairs(
                shares, edges, fill=True, alpha=0.45, color=colour, label=f"{label} ({total})"
            )
            axes.stairs(shares, edges, color=colour, linewidth=1.2)
    if threshold is not None:
        axes.axvline(threshold, color="#333", linewidth=1.2)
        if real_below is not None and real_below < threshold:
            axes.axvspan(real_below, threshold, color="#999", alpha=0.18, label="inconclusive")
    axes.set_xlim(0, 1)
    axes.set_xlabel("score: P(generated)")
    axes.set_ylabel("share of the class")
    _legend(figure)
    return figure


def reliability(bins: Mapping[str, Sequence[ReliabilityBin]]) -> Figure:
    """Observed share of generated images over the mean score of each bin, one line a name.

    Bins with under 1 % of the images are left out: chance, not calibration.
    """
    figure, axes = _axes(_SQUARE)
    axes.plot([0, 1], [0, 1], color="#bbb", linewidth=1, linestyle="--", zorder=1)
    for colour, (name, every) in _coloured(bins):
        least = 0.01 * sum(b.weight for b in every)
        found = [b for b in every if b.weight >= least]
        x, y = [b.mean_score for b in found], [b.generated_share for b in found]
        weight = np.asarray([b.weight for b in found])
        axes.plot(x, y, color=colour, linewidth=1.4, label=name)
        sizes = 12 + 120 * weight / max(weight.sum(), 1e-12)
        axes.scatter(x, y, s=sizes, color=colour, edgecolor="white", linewidth=0.6, zorder=3)
    _unit(axes, "mean score in bin", "share really generated")
    _legend(figure)
    return figure


def confusion_matrix(verdicts: Verdicts, answers: Sequence[str] = ANSWERS) -> Figure:
    """Counts and row shares of the ``answers`` that images of each class got."""
    figure, axes = _axes((1.4 + 1.25 * len(answers), 3.3))
    rows = (verdicts.real, verdicts.generated)
    counts = np.asarray([[row[answer] for answer in answers] for row in rows])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else "#222"
        text = f"{counts[i, j]:,.0f}\n{share:.1%}"
        axes.text(j, i, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(answers)), [f"called {answer}" for answer in answers], fontsize=8)
    axes.set_yticks([0, 1], ["real", "generated"], rotation=90, va="center")
    axes.grid(visible=False)
    return figure


def forest(
    rows: Sequence[tuple[str, Estimate]], *, label: str, chance: float | None = None
) -> Figure:
    """One line per name: the figure and its interval; the first name on top."""
    figure, axes = _axes((6.2, 0.9 + 0.24 * len(rows)))
    for i, (_, estimate) in enumerate(rows):
        if estimate.value is None:
            continue
        if estimate.low is not None and estimate.high is not None:
            axes.plot([estimate.low, estimate.high], [i, i], color="#8ab6d6", linewidth=3)
        axes.plot(estimate.value, i, "o", color=COLOURS[0], markersize=4.5)
    if chance is not None:
        axes.axvline(chance, color="#bbb", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(rows)), [_short(name, 34) for name, _ in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(label)
    axes.grid(visible=False, axis="y")
    return figure


def heatmap(
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    label: str,
    low: float = 0.5,
    high: float = 1.0,
    outlined: Sequence[tuple[int, int]] = (),
) -> Figure:
    """A matrix of figures; ``outlined`` cells (row, column) get a frame."""
    from matplotlib.patches import Rectangle

    size = (2.6 + 0.95 * len(columns), 1.5 + 0.55 * len(rows))
    figure, axes = _axes(size)
    grid = np.asarray([[np.nan if v is None else v for v in row] for row in values], dtype=float)
    image = axes.imshow(grid, cmap="viridis", vmin=low, vmax=high, aspect="auto")
    for i, j in np.ndindex(*grid.shape):
        missing = np.isnan(grid[i, j])
        dark = not missing and grid[i, j] < low + 0.6 * (high - low)
        text = "–" if missing else f"{grid[i, j]:.3f}"
        axes.text(j, i, text, ha="center", va="center", color="white" if dark else "#111")
    for i, j in outlined:
        axes.add_patch(
            Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, edgecolor="#D55E00", lw=2)
        )
    axes.set_xticks(range(len(columns)), [_short(c, 18) for c in columns], rotation=25, ha="right")
    axes.set_yticks(range(len(rows)), [_short(r, 24) for r in rows])
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=label, fraction=0.04, pad=0.03)
    return figure


def sweeps(
    lines: Mapping[str, Sequence[tuple[float, Estimate]]],
    *,
    x_label: str,
    y_label: str,
    reverse: bool = False,
    chance: float | None = 0.5,
) -> Figure:
    """Figures over a strength, one line with its interval a name."""
    figure, axes = _axes((5.0, 3.5))
    for colour, (name, points) in _coloured(lines):
        known = [(x, e) for x, e in points if e.value is not None]
        x = [p[0] for p in known]
        axes.plot(x, [e.value for _, e in known], "o-", color=colour, ms=3.5, label=name)
        if known and all(e.low is not None for _, e in known):
            axes.fill_between(
                x,
                [e.low or 0.0 for _, e in known],
                [e.high or 0.0 for _, e in known],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
    if chance is not None:
        axes.axhline(chance, color="#bbb", linestyle="--", linewidth=1)
    if reverse:
        axes.invert_xaxis()
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    _legend(figure)
    return figure


def critical_difference(ranks: Mapping[str, float], difference: float) -> Figure:
    """Demšar's (2006) diagram: mean ranks on a line; bars join detectors not told apart.

    The better half is named on the left, the other on the right, so that no line crosses a name.
    """
    names = sorted(ranks, key=lambda n: ranks[n])
    split = (len(names) + 1) // 2
    bars = _cliques(names, ranks, difference)
    first_row = 0.35 + 0.2 * len(bars)
    lowest, highest = 1.0, float(max(len(names), 2))
    figure, axes = _axes((6.2, 1.0 + 0.3 * split + 0.12 * len(bars)))
    axes.plot([lowest, highest], [0, 0], color="#333", linewidth=1.2)
    for tick in range(1, int(highest) + 1):
        axes.plot([tick, tick], [0, 0.12], color="#333", linewidth=1)
        axes.text(tick, 0.2, str(tick), ha="center", va="bottom", fontsize=9)
    axes.plot([lowest, lowest + difference], [0.85, 0.85], color=COLOURS[0], linewidth=1.5)
    axes.text(lowest, 0.95, f"critical difference {difference:.2f}", fontsize=8, va="bottom")
    for i, name in enumerate(names):
        left = i < split
        y = -first_row - 0.42 * (i if left else len(names) - 1 - i)
        edge = lowest - 0.1 if left else highest + 0.1
        axes.plot([ranks[name], ranks[name], edge], [0, y, y], color="#777", linewidth=0.9)
        text = f"{_short(name, 26)}  {ranks[name]:.2f}"
        axes.text(edge, y, f"{text} " if left else f" {text}", va="center", fontsize=9,
                  ha="right" if left else "left")  # fmt: skip
    for i, (low, high) in enumerate(bars):
        level = -0.2 - 0.2 * i
        axes.plot([low, high], [level, level], color=COLOURS[0], linewidth=4,
                  solid_capstyle="round")  # fmt: skip
    margin = 0.62 * (highest - lowest)
    axes.set_xlim(lowest - margin, max(highest, lowest + difference) + margin)
    axes.set_ylim(-first_row - 0.42 * split, 1.3)
    axes.set_axis_off()
    return figure


def _cliques(
    names: Sequence[str], ranks: Mapping[str, float], difference: float
) -> list[tuple[float, float]]:
    """Lowest and highest rank of each largest run of ``names``, sorted by rank, that is joined."""
    found: list[tuple[float, float]] = []
    for name in names:
        joined = [ranks[n] for n in names if 0 <= ranks[n] - ranks[name] <= difference]
        run = (ranks[name], max(joined))
        if len(joined) > 1 and (not found or run[1] > found[-1][1]):
            found.append(run)
    return found


def svg(figure: Figure) -> bytes:
    """The figure as SVG, the same bytes for the same picture."""
    return _saved(figure, "svg")


def png(figure: Figure) -> bytes:
    """The figure as PNG, 144 dots an inch."""
    return _saved(figure, "png")


def _saved(figure: Figure, kind: str) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    meta = {"Date": None} if kind == "svg" else {"Software": MARK.decode()}
    with mpl.rc_context({**_STYLE, "svg.hashsalt": "authentiscan"}), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names in scripts the font does not have
        figure.savefig(buffer, format=kind, dpi=144, metadata=meta)
    return buffer.getvalue()


def _axes(size: tuple[float, float]) -> tuple[Figure, Axes]:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("pictures in reports", "data") from error
    with mpl.rc_context(_STYLE):
        # Figure without pyplot: no global state, safe in threads, nothing to close.
        figure = Figure(figsize=size, layout="constrained")
        return figure, figure.add_subplot()


def _legend(figure: Figure) -> None:
    """Below the axes, where it hides no line."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    columns = 1 if max((len(label) for label in labels), default=0) > 26 else 2
    figure.legend(handles, labels, loc="outside lower center", fontsize=8.5, frameon=False,
                  ncols=min(columns, max(1, len(labels))))  # fmt: skip


def _coloured(items: Mapping[str, Any]) -> list[tuple[str, tuple[str, Any]]]:
    return [
        (_NAMED.get(name, COLOURS[i % len(COLOURS)]), (name, value))
        for i, (name, value) in enumerate(items.items())
    ]


def _unit(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _short(text: str, length: int) -> str:
    # Matplotlib reads $ as mathematics.
    return (text if len(text) <= length else text[: length - 1] + "…").replace("$", r"\$")
