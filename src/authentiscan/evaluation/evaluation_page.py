"""An evaluation as a page: what was measured, tables, pictures, worst mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from authentiscan.evaluation.judges import judge_of_facts
from authentiscan.evaluation.results import Evaluation, ProtocolResult, Slice
from authentiscan.evaluation.words import PARTS, PROTOCOLS, WORDS
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.metrics.decision import rule_words, score_words
from authentiscan.metrics.ranking import METRICS
from authentiscan.report import plots
from authentiscan.report.page import Page, Picture, Section, Thumb
from authentiscan.report.tables import Table
from authentiscan.report.thumbnails import thumbnail

SLICE_METRICS = (
    "real_accuracy",
    "generated_accuracy",
    "balanced_accuracy",
    "roc_auc",
    "tpr_at_fpr_5",
)
_HEADLINE = ("roc_auc", "balanced_accuracy", "real_accuracy", "generated_accuracy", "tpr_at_fpr_5")
_AGAIN = ("balanced_accuracy", "roc_auc")
_ONE_CLASS = ("real_accuracy", "generated_accuracy")
_FOLD_ABOVE = 14


def evaluation_page(
    evaluation: Evaluation,
    manifest: Manifest | None = None,
    further: Sequence[Section] = (),
) -> Page:
    """The page of ``evaluation``; with its manifest the mistakes get thumbnails.

    further: sections of other measurements of the same detector, put before the mistakes.
    """
    e = evaluation
    sections = [
        Section(
            "Protocols side by side",
            [
                f"{name}: {PROTOCOLS.get(name, 'this degradation, on both classes')}."
                for name in e.protocols
            ],
            [protocols_table(e), *_shortcut_table(e)],
        ),
        Section("How well it ranks", pictures=_curves(e)),
        Section("What it answers", [], [verdicts_table(e), *_thresholds(e.main)], _answers(e)),
        *_parts(e),
        *further,
    ]
    if e.mistakes:
        sections.append(
            Section(
                f"Most confident mistakes ({e.main.name})",
                [
                    "Photographs with the highest and generated images with the lowest scores: at "
                    "most two of a data set or generator, and how many of it are mistaken."
                ],
                thumbs=_thumbs(e, manifest),
            )
        )
    sections.append(Section("What was measured, exactly", tables=[_identity(e)]))
    return Page(
        title=f"{e.detector.name} on {e.data.name}",
        lead=(
            f"{e.data.real:,} real and {e.data.generated:,} generated images in {e.data.groups:,} "
            f"groups, measured {e.created:%Y-%m-%d %H:%M} UTC. Brackets are {e.settings.level:.0%} "
            f"intervals: {e.settings.rounds} bootstrap rounds over whole groups within each class."
        ),
        sections=sections,
        warnings=e.warnings,
        judges=[judge_of_facts(e.detector)],
        headline=[_headline(e.main, metric) for metric in _HEADLINE],
    )


def protocols_table(evaluation: Evaluation) -> Table:
    """Every metric under every protocol."""
    results = evaluation.protocols
    rows = [
        [WORDS[m], *(str(r.overall.metrics.get(m, Estimate(None))) for r in results.values())]
        for m in METRICS
        if m != "recall" and any(m in r.overall.metrics for r in results.values())
    ]
    rows.append(["images (failed)", *(f"{r.images} ({r.failed})" for r in results.values())])
    return Table(["", *results], rows)


def slices_table(evaluation: Evaluation, by: str) -> Table:
    """One row per part of ``by``: the main protocol's figures and, to compare, those as stored.

    Ranking metrics set against all real images carry an asterisk.
    """
    main, raw = evaluation.main, evaluation.protocols.get("raw", evaluation.main)
    slices = [s for s in main.slices if s.by == by]
    as_stored = {s.name: s for s in raw.slices if s.by == by}
    shown = [m for m in SLICE_METRICS if any(_known(s, m) for s in slices)]
    again = [m for m in _AGAIN if m in shown] if raw is not main else []
    rows = [
        [
            s.name,
            str(s.real),
            str(s.generated),
            *(_slice_cell(s, m) for m in shown),
            *(_slice_cell(as_stored[s.name], m) if s.name in as_stored else "–" for m in again),
        ]
        for s in slices
    ]
    head = [*(WORDS[m] for m in shown), *(f"{WORDS[m]}, raw" for m in again)]
    return Table(["", "real", "generated", *head], rows, _note(slices))


def short_slices_table(evaluation: Evaluation, by: str) -> Table:
    """The same for a terminal: what is right of each part in percent, and its ROC AUC."""
    results = {r.name: r for r in (evaluation.protocols.get("raw"), evaluation.main) if r}
    found = {n: {s.name: s for s in r.slices if s.by == by} for n, r in results.items()}
    names = list(found[evaluation.main.name])
    rows = []
    for name in names:
        parts = [found[n].get(name) for n in results]
        first = found[evaluation.main.name][name]
        rows.append(
            [
                name,
                f"{first.real} / {first.generated}",
                *(_right(p).percent().partition(" ")[0] if p else "–" for p in parts),
                *(_auc(p) if p else "–" for p in parts),
            ]
        )
    head = [*(f"right, {n}" for n in results), *(f"ROC AUC, {n}" for n in results)]
    return Table(["", "real / generated", *head], rows, _note(found[evaluation.main.name].values()))


def _note(slices: Iterable[Slice]) -> str:
    starred = any(s.compared_with == "all real" for s in slices)
    return "* these generated images against all real images" if starred else ""


def _right(part: Slice) -> Estimate:
    """Balanced accuracy, or of one class the share that is right."""
    known = (part.metrics.get(m) for m in ("balanced_accuracy", *_ONE_CLASS))
    return next((e for e in known if e is not None and e.value is not None), Estimate(None))


def _known(part: Slice, metric: str) -> bool:
    return part.metrics.get(metric, Estimate(None)).value is not None


def _slice_cell(part: Slice, metric: str) -> str:
    return _starred(part, metric, str(part.metrics.get(metric, Estimate(None))))


def _auc(part: Slice) -> str:
    return _starred(part, "roc_auc", part.metrics.get("roc_auc", Estimate(None)).percent())


def _starred(part: Slice, metric: str, text: str) -> str:
    starred = part.compared_with == "all real" and metric in ("roc_auc", "tpr_at_fpr_5")
    return f"{text}*" if starred and text != "–" else text


def _headline(result: ProtocolResult, metric: str) -> tuple[str, str, str]:
    estimate = result.overall.metrics.get(metric, Estimate(None))
    value, _, interval = estimate.percent().partition(" ")
    return f"{WORDS[metric]}, {result.name}", value if value == "–" else f"{value} %", interval


def _shortcut_table(e: Evaluation) -> list[Table]:
    if not e.shortcuts:
        return []
    rows = [
        [
            WORDS[s.metric],
            str(s.raw),
            str(s.matched),
            str(s.difference),
            "yes" if s.suspicious else "not shown",
        ]
        for s in e.shortcuts
    ]
    head = ["raw against matched", "raw", "matched", "difference (paired)", "shortcut?"]
    return [Table(head, rows)]


def _curves(e: Evaluation) -> list[Picture]:
    found = []
    roc = {n: r.roc for n, r in e.protocols.items() if r.roc}
    if roc:
        labels = {n: f"{n}  {_value(e.protocols[n], 'roc_auc')}" for n in roc}
        found.append(
            Picture("roc", plots.roc(roc, labels), "ROC curve of each protocol with its area.")
        )
    pr = {n: r.precision_recall for n, r in e.protocols.items() if r.precision_recall}
    if pr:
        labels = {n: f"{n}  {_value(e.protocols[n], 'average_precision')}" for n in pr}
        caption = "Precision over recall of each protocol with its average precision."
        found.append(Picture("precision-recall", plots.precision_recall(pr, labels), caption))
    return found


def _answers(e: Evaluation) -> list[Picture]:
    result = e.main
    found = []
    if result.histogram:
        figure = plots.score_distribution(
            result.histogram, threshold=e.detector.threshold, real_below=e.detector.real_below
        )
        caption = f"Scores of each class ({result.name}); the line is the threshold."
        found.append(Picture("scores", figure, caption))
    caption = f"What the images of each class were called ({result.name})."
    found.append(Picture("confusion", plots.confusion_matrix(result.verdicts), caption))
    bins = {n: r.reliability for n, r in e.protocols.items() if r.reliability}
    if bins:
        caption = (
            "Reliability: on the dashed line a score means what it says. Larger dots, more images; "
            "bins with under 1 % of them are left out."
        )
        found.append(Picture("reliability", plots.reliability(bins), caption))
    return found


def _parts(e: Evaluation) -> list[Section]:
    result, sections = e.main, []
    for by, word in PARTS.items():
        rows = [s for s in result.slices if s.by == by]
        if not rows:
            continue
        pictures = []
        if by == "generator":
            ranked = [(s.name, s.metrics["roc_auc"]) for s in rows if "roc_auc" in s.metrics]
            ranked.sort(key=lambda r: -(r[1].value if r[1].value is not None else -1.0))
            if ranked:
                figure = plots.forest(ranked, label="ROC AUC against all real images", chance=0.5)
                caption = "ROC AUC of each generator with its interval, best on top."
                pictures.append(Picture("generators", figure, caption))
        sections.append(
            Section(
                f"Per {word} ({result.name})",
                tables=[slices_table(e, by)],
                pictures=pictures,
                folded=len(rows) > _FOLD_ABOVE and by != "generator",
            )
        )
    return sections


def verdicts_table(e: Evaluation) -> Table:
    """How the images of each class were answered under every protocol: the confusion matrix."""
    rows = []
    for name, result in e.protocols.items():
        found = {"real": result.verdicts.real, "generated": result.verdicts.generated}
        for truth, counts in found.items():
            total = max(1, sum(counts.values()))
            rows.append(
                [f"{name}, {truth} images", *(f"{n} ({n / total:.1%})" for n in counts.values())]
            )
    right = {n: r.conclusive_right for n, r in e.protocols.items()}
    listed = ", ".join(f"{name} {share:.1%}" for name, share in right.items() if share is not None)
    listed = listed or "none given"
    note = f"Right of the conclusive verdicts, at even shares of both classes: {listed}."
    return Table(["verdicts", "real", "inconclusive", "generated"], rows, note)


def _thresholds(result: ProtocolResult) -> list[Table]:
    if not result.thresholds:
        return []
    rows = [
        [t.name, score_words(t.score), f"{t.stated_fpr:.1%}", str(t.fpr), str(t.tpr)]
        for t in result.thresholds
    ]
    head = [f"generated from ({result.name})", "score", "stated FPR", "FPR here", "TPR here"]
    return [Table(head, rows), *_real_threshold(result)]


def _real_threshold(result: ProtocolResult) -> list[Table]:
    found = result.real_threshold
    if found is None:
        return []
    stated = "none" if found.stated_miss is None else f"{found.stated_miss:.1%}"
    head = [
        f"real below ({result.name})",
        "score",
        "stated miss rate",
        "miss rate here",
        "TNR here",
    ]
    return [
        Table(
            head, [[found.name, score_words(found.score), stated, str(found.miss), str(found.tnr)]]
        )
    ]


def _thumbs(e: Evaluation, manifest: Manifest | None) -> list[Thumb]:
    return [
        Thumb(
            thumbnail(manifest, m.row) if manifest else None,
            f"{m.score:.3f}, is {'real' if m.label == 0 else 'generated'}",
            f"{m.dataset if m.label == 0 else m.generator}: {m.wrong} of {m.among} wrong",
        )
        for m in e.mistakes
    ]


def _identity(e: Evaluation) -> Table:
    decision = rule_words(e.detector.threshold, e.detector.real_below)
    rows = [
        ["detector", e.detector.title],
        ["weights and preprocessing, SHA-256", e.detector.identity or "unknown"],
        *([name, sha] for name, sha in e.detector.files.items()),
        ["decision", decision],
        ["manifest, SHA-256", e.data.sha256],
        ["splits", ", ".join(f"{k} {v}" for k, v in e.data.splits.items()) or "none stated"],
        ["seed", str(e.settings.seed)],
        ["libraries", ", ".join(f"{k} {v}" for k, v in e.settings.libraries.items())],
    ]
    return Table(["", ""], rows, left=True)


def _value(result: ProtocolResult, metric: str) -> str:
    value = result.overall.metrics[metric].value
    return "–" if value is None else f"{value:.3f}"
