"""Comparison: adapters, paired tests against references, cross-evaluation."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest

from authentiscan.core.errors import MetricError, UsageError
from authentiscan.datasets.open import NamedData
from authentiscan.evaluation.adapters import (
    Candidate,
    OnnxSpec,
    open_candidate,
    read_scores,
)
from authentiscan.evaluation.compare import compare
from authentiscan.evaluation.compare_page import summary_markdown, write_comparison
from authentiscan.evaluation.cross_dataset import cross_evaluate
from authentiscan.evaluation.cross_page import write_cross_evaluation
from authentiscan.evaluation.harness import score_manifest
from authentiscan.evaluation.slices import Options
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.significance import (
    critical_difference,
    delong,
    holm,
    paired_bootstrap,
)

QUICK = Options(rounds=60)


@pytest.fixture
def two_detectors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 150)
    shared = rng.normal(size=300)
    good = 1 / (1 + np.exp(-(1.6 * y + shared + 0.5 * rng.normal(size=300))))
    poor = 1 / (1 + np.exp(-(0.8 * y + shared + 0.5 * rng.normal(size=300))))
    return y, good, poor


def test_delong_is_the_formula_of_the_paper(two_detectors) -> None:
    y, a, b = two_detectors
    found = delong(y, a, b)
    # The plain O(m n) definition of DeLong, DeLong & Clarke-Pearson (1988).
    parts = []
    for s in (a, b):
        kernel = (s[y == 1][:, None] > s[y == 0]) + 0.5 * (s[y == 1][:, None] == s[y == 0])
        parts.append((kernel.mean(axis=1), kernel.mean(axis=0)))
    v10, v01 = np.cov([p[0] for p in parts]), np.cov([p[1] for p in parts])
    contrast = np.asarray([1, -1])
    variance = contrast @ (v10 / 150 + v01 / 150) @ contrast
    assert found.value == pytest.approx(parts[0][0].mean() - parts[1][0].mean())
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-6)


def test_paired_bootstrap_agrees_with_delong_and_sees_the_better_one(two_detectors) -> None:
    y, a, b = two_detectors
    exact, drawn = delong(y, a, b), paired_bootstrap(y, a, b, rounds=800)["roc_auc"]
    assert drawn.value == pytest.approx(exact.value)
    assert drawn.low == pytest.approx(exact.low, abs=0.01)
    assert drawn.high == pytest.approx(exact.high, abs=0.01)
    assert drawn.p < 0.01
    # Pairing matters: unpaired the interval would be far wider.
    assert exact.high - exact.low < 0.11


def test_equal_detectors_are_not_told_apart(two_detectors) -> None:
    y, a, _ = two_detectors
    assert delong(y, a, a).p == 1.0
    assert paired_bootstrap(y, a, a, rounds=50)["roc_auc"].p == 1.0


def test_copies_in_groups_add_no_certainty(two_detectors) -> None:
    y, a, b = two_detectors
    groups = np.repeat(np.arange(len(y)), 4)
    once, copies = delong(y, a, b), delong(*(np.repeat(v, 4) for v in (y, a, b)), groups)
    assert copies.low == pytest.approx(once.low, abs=1e-3)
    assert copies.high == pytest.approx(once.high, abs=1e-3)


def test_holm_and_critical_difference() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    rng = np.random.default_rng(0)
    figures = rng.normal(size=(12, 3)) * 0.01 + np.asarray([0.9, 0.8, 0.7])
    found = critical_difference(["a", "b", "c"], figures)
    assert found.mean_ranks == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert found.p < 0.001
    # Demsar (2006), table 5: q = 2.343 for three classifiers at 0.05.
    assert found.critical_difference == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 12)), rel=1e-3)
    with pytest.raises(MetricError, match="at least 2"):
        critical_difference(["a"], [[1.0], [2.0]])


@pytest.fixture
def rivals(tmp_path, monkeypatch) -> str:
    (tmp_path / "rivals_here.py").write_text(
        "def dark(image):\n    return 1 - float(image.mean()) / 255\n"
        "def broken(image):\n    raise RuntimeError('no')\n"
        "def beyond(image):\n    return 7.0\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "rivals_here"
    sys.modules.pop("rivals_here", None)


def test_all_kinds_of_detectors_on_the_same_images(
    tiny_bundle, image_manifest, rivals, tmp_path
) -> None:
    bundle = open_candidate(str(tiny_bundle))
    description = tmp_path / "rival.json"
    spec = bundle.spec
    onnx = OnnxSpec(
        onnx=str((tiny_bundle / "model.onnx").resolve()),
        preprocess=spec.preprocess,
        output="logits",
    )
    description.write_text(onnx.model_dump_json())
    table = score_manifest(bundle.scorer, image_manifest)
    table.write(tmp_path / "elsewhere.csv")
    candidates = [
        bundle,
        open_candidate(f"plain={description}"),
        open_candidate(f"{rivals}:dark"),
        open_candidate(str(tmp_path / "elsewhere.csv")),
    ]
    places = [NamedData("crops", image_manifest)]
    every, every_table = compare(candidates, places, protocols=("raw", "matched"), options=QUICK)
    found, tables = every.found[0], every_table["crops", "raw"]
    by_name = {s.detector: s for s in found.standings}
    assert len(found.tests) == 6
    assert found.common == 48
    # The bare graph ranks exactly as its bundle; a CSV of the bundle's scores is the bundle.
    own = by_name[bundle.name].metrics["roc_auc"]
    assert by_name["plain"].metrics["roc_auc"] == own
    assert by_name["elsewhere"].metrics["roc_auc"] == own
    assert np.allclose(tables["plain"].logits, table.logits, atol=1e-5)
    assert [c.protocol for c in every.of("crops")] == ["raw", "matched"]
    page = write_comparison(every, tmp_path / "out")
    assert "DeLong" in page.read_text()
    table = summary_markdown(every).splitlines()
    assert len(table) == 2 + len(candidates)
    assert "ROC AUC, raw | ROC AUC, matched" in table[0]
    assert own.percent() in table[2]


def test_onnx_meanings_agree(tiny_bundle, image_manifest, tmp_path) -> None:
    import onnx
    from onnx import TensorProto, helper

    from authentiscan.evaluation.adapters import OnnxScorer

    # Mean of the input as one logit; the same as two logits, and as a probability.
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["logit"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
        helper.make_node("Sub", ["logit", "logit"], ["zero"]),
        helper.make_node("Unsqueeze", ["zero"], ["zero2"], axes=[1]),
        helper.make_node("Unsqueeze", ["logit"], ["logit2"], axes=[1]),
        helper.make_node("Concat", ["zero2", "logit2"], ["logits"], axis=1),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("logit", ["n"]), ("probability", ["n"]), ("logits", ["n", 2]))
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 32, 32])
    graph = helper.make_graph(nodes, "mean", [x], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.save(model, tmp_path / "mean.onnx")
    preprocess = open_candidate(str(tiny_bundle)).spec.preprocess.model_copy(update={"size": 32})
    images = [image_manifest.image_bytes(i) for i in (0, 1)]
    from authentiscan.images.decode import decode

    pixels = [decode(i).pixels for i in images]
    found = []
    for meaning in ("logit", "probability", "logits"):
        spec = OnnxSpec(onnx="mean.onnx", preprocess=preprocess, output=meaning, meaning=meaning)
        path = tmp_path / f"{meaning}.json"
        path.write_text(spec.model_dump_json())
        found.append(OnnxScorer(path).logits(pixels))
    assert np.allclose(found[0], found[1], atol=1e-4)
    assert np.allclose(found[0], found[2], atol=1e-4)


def test_failing_callables_are_rows_with_errors(rivals, image_manifest) -> None:
    for name, message in (("broken", "RuntimeError: no"), ("beyond", "returned 7.0")):
        table = score_manifest(open_candidate(f"{rivals}:{name}").scorer, image_manifest)
        assert table.failed == 48
        assert message in table.errors[0]


def test_unusable_candidates_are_clear_errors(rivals, tmp_path) -> None:
    for text in ("nowhere", "no_such_module:f", f"{rivals}:nothing", f"{rivals}:number"):
        with pytest.raises(UsageError):
            open_candidate(text)
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"onnx": "x.onnx", "colour": "red"}')
    with pytest.raises(UsageError, match="does not describe"):
        open_candidate(str(wrong))


def write_csv(path, rows) -> str:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(rows)
    return str(path)


def test_csv_by_name_in_any_order(scorer, image_manifest, tmp_path) -> None:
    rows = [(f"image-{i}", i / 48) for i in range(47, 5, -1)]
    candidate = open_candidate(write_csv(tmp_path / "s.csv", [("name", "score"), *rows]))
    running = Candidate("brightness", 0.5, scorer)
    every, tables = compare(
        [running, candidate], [NamedData("crops", image_manifest)], options=QUICK
    )
    found = every.found[1]
    assert found.common == 42
    assert tables["crops", "matched"]["s"].scores[10] == pytest.approx(10 / 48)
    assert any("6 of 48" in w for w in found.warnings)
    assert any("made elsewhere" in w for w in found.warnings)


def test_a_formula_for_a_name_goes_out_and_comes_back(scorer, image_manifest, tmp_path) -> None:
    table = score_manifest(scorer, image_manifest)
    table.columns["name"][3] = "=1+1.jpg"
    table.take(np.arange(47, -1, -1)).write(tmp_path / "s.csv")
    assert ",'=1+1.jpg," in (tmp_path / "s.csv").read_text()
    named = image_manifest.table.drop_columns(["name"]).append_column(
        "name", [table.columns["name"]]
    )
    back = read_scores(tmp_path / "s.csv", Manifest(named), "s")
    assert np.allclose(back.scores, table.scores)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("file", "score"), ("a", 0.1)], "needs the columns"),
        ([("name", "score"), ("image-0", 3.0)], "line 2: score 3.0"),
        ([("name", "score"), ("image-0", 0.1), ("image-0", 0.2)], "two different scores"),
        ([], "needs the columns"),
    ],
)
def test_bad_csv_files_are_clear_errors(scorer, image_manifest, tmp_path, rows, message) -> None:
    candidate = open_candidate(write_csv(tmp_path / "bad.csv", rows))
    with pytest.raises(MetricError, match=message):
        compare(
            [Candidate("b", 0.5, scorer), candidate],
            [NamedData("crops", image_manifest)],
            options=QUICK,
        )


def test_compare_needs_two_names(scorer, image_manifest) -> None:
    one = Candidate("same", 0.5, scorer)
    with pytest.raises(UsageError, match="differently named"):
        compare([one, one], [NamedData("crops", image_manifest)])
    with pytest.raises(UsageError, match="differently named data sets"):
        compare([one, Candidate("other", 0.5, scorer)], [])


def test_cross_evaluation(scorer, rivals, image_manifest, tmp_path) -> None:
    candidates = [Candidate("bright", 0.5, scorer), open_candidate(f"dark={rivals}:dark")]
    sources = [NamedData(n, image_manifest.where(dataset=n)) for n in ("one", "two")]
    found = cross_evaluate(candidates, sources, left_out={"dark": "alpha"}, options=QUICK)
    assert [c.in_domain for c in found.cells] == [True, False, False, True]
    gap = next(g for g in found.gaps if g.detector == "bright" and g.metric == "roc_auc")
    grid = found.grid("roc_auc")
    assert gap.gap.value == pytest.approx(grid[0][0] - grid[0][1])
    assert gap.gap.low < gap.gap.high
    assert {part.data for part in found.left_out} == {"one", "two"}
    assert found.left_out[0].reference is not None
    page = write_cross_evaluation(found, {s.name: s.manifest for s in sources}, tmp_path)
    assert "Generalisation gap" in page.read_text()
    lines = (tmp_path / "cross.csv").read_text().splitlines()
    assert len(lines) == 5
    with pytest.raises(UsageError, match="unknown names"):
        cross_evaluate(candidates, sources, home={"bright": "three"})
    with pytest.raises(UsageError, match="no image of generator"):
        cross_evaluate(candidates, sources, left_out={"dark": "gamma"}, options=QUICK)
