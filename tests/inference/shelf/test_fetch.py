"""From a card to scores: the whole way, with a server and small models."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import yaml
from onnx import helper

from authentiscan.cli import app
from authentiscan.cli.guard import run as guarded
from authentiscan.core.errors import BundleError, UsageError
from authentiscan.images.decode import encode
from authentiscan.inference import find_bundle, load_detector
from authentiscan.inference.shelf.card import Card
from authentiscan.inference.shelf.catalogue import card_names, read_card
from authentiscan.inference.shelf.fetch import add, fetch
from authentiscan.inference.shelf.verify import verified, verify

from .conftest import SIZE, write_onnx

PIXELS = np.random.default_rng(3).integers(0, 256, (50, 40, 3), dtype=np.uint8)


def toy(path: Path) -> Path:
    return write_onnx(path, [helper.make_node("Identity", ["z"], ["logit"])])


def record(path: Path, **more: object) -> dict[str, object]:
    return {
        "name": "toy",
        "title": "a toy",
        "authors": "nobody",
        "home": "https://example.org/toy",
        "licence": "MIT",
        "kind": "onnx",
        "files": [{"name": "toy.onnx", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "input": {"size": SIZE, "resize": "short_side", "short_side": 36},
        "output": {"kind": "logit"},
        "calibration": {"slope": 2.0, "intercept": 0.5},
        "threshold": 0.65,
        **more,
    }


def expected() -> float:
    preprocess = Card.model_validate(record(Path(__file__))).input
    assert preprocess is not None
    tensor = preprocess.tensor(preprocess.crops(PIXELS)[0])
    logit = float(tensor.mean((2, 3))[0] @ np.float32([-2, 0.5, 3]))
    return float(1 / (1 + np.exp(-(2 * logit + 0.5))))


def run(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the program."""
    said, told = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(told), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["authentiscan", *words])
        code = guarded(app)
    return code, said.getvalue(), told.getvalue()


def test_a_fetched_detector_is_one_like_any_other(server, tmp_path: Path, shelf: Path) -> None:
    graph = toy(tmp_path / "toy.onnx")
    server.files["/toy.onnx"] = graph.read_bytes()
    told = record(graph)
    told["files"][0]["address"] = f"{server.base}/toy.onnx"  # type: ignore[index]
    bundle = fetch(Card.model_validate(told))
    assert bundle == shelf / "toy" / "bundle"
    assert find_bundle("toy") == bundle
    detector = load_detector("toy")
    assert detector.predict(PIXELS).score == pytest.approx(expected(), abs=1e-5)
    assert detector.spec.licence == "MIT"
    assert detector.spec.decision.generated.score == 0.65
    assert not detector.explains
    assert "not measured here" in (bundle / "README.md").read_text()
    (tmp_path / "a.png").write_bytes(encode(PIXELS, "PNG"))
    code, out, _ = run("scan", str(tmp_path / "a.png"), "--model", "toy", "--json")
    assert code == 0
    assert json.loads(out)["score"] == pytest.approx(expected(), abs=1e-4)
    code, _, _ = run("scan", str(tmp_path / "a.png"), "-m", "toy", "-o", str(tmp_path / "p.html"))
    assert code == 0, "a page without heatmaps"


def test_one_of_them_is_compared_with_ours(
    tmp_path: Path, tiny_bundle: Path, photos: dict[str, np.ndarray]
) -> None:
    import pyarrow as pa

    from authentiscan.manifest.table import Manifest

    graph = toy(tmp_path / "toy.onnx")
    add(Card.model_validate(record(graph)), [graph])
    crops = [np.ascontiguousarray(photos["coffee"][i : i + 60, i : i + 70]) for i in range(8)]
    columns = {
        "image": [encode(crop, "PNG") for crop in crops],
        "label": [i % 2 for i in range(8)],
        "generator": ["alpha" if i % 2 else "camera" for i in range(8)],
        "dataset": ["crops"] * 8,
        "group": [str(i) for i in range(8)],
        "name": [f"{i}.png" for i in range(8)],
    }
    data, versus = tmp_path / "crops.parquet", tmp_path / "versus"
    Manifest(pa.table(columns)).write(data)
    options = ("--protocol", "raw", "--bootstrap", "20", "--json", "-w", "1", "-o", str(versus))
    code, out, err = run("compare", str(tiny_bundle), "toy", "--data", str(data), *options)
    assert code == 0, err
    assert "toy" in (versus / "comparison.html").read_text()
    (one,) = json.loads(out)["found"]
    ours, theirs = one["standings"]
    assert theirs["detector"] == "toy"
    assert theirs["threshold"] == 0.65, "the threshold of its authors"
    assert theirs["images"] == ours["images"] == 8
    assert {pair["second"] for pair in one["tests"]} == {"toy"}
    with (versus / "scores-toy-crops-raw.csv").open() as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    detector = load_detector("toy")
    assert scores == pytest.approx([detector.predict(c).score for c in crops], abs=1e-6)


def test_two_of_them_join_to_an_ensemble(tmp_path: Path) -> None:
    from authentiscan.inference.ensemble import save_ensemble

    graph = toy(tmp_path / "toy.onnx")
    one = add(Card.model_validate(record(graph)), [graph])
    two = add(Card.model_validate(record(graph, name="toy2")), [graph])
    save_ensemble([(one, 0.5), (two, 0.5)], tmp_path / "both", name="both")
    alone, both = load_detector(one).logits([PIXELS]), load_detector(tmp_path / "both")
    assert both.logits([PIXELS]) == pytest.approx(alone)


def test_what_needs_gradients_says_that_the_graph_is_foreign(tmp_path: Path) -> None:
    graph = toy(tmp_path / "toy.onnx")
    bundle = add(Card.model_validate(record(graph)), [graph])
    with pytest.raises(BundleError, match="a graph alone"):
        load_detector(bundle, backend="torch")
    with pytest.raises(BundleError, match="there is no heatmap"):
        load_detector(bundle).network.explain_crops(np.zeros((1, SIZE, SIZE, 3), np.uint8))


def test_a_graph_that_drifts_on_this_processor_is_refused(tmp_path: Path) -> None:
    from authentiscan.inference.selftest import probes

    graph = toy(tmp_path / "toy.onnx")
    card = Card.model_validate(record(graph))
    right = load_detector(add(card, [graph])).network.logits(probes(SIZE)).tolist()
    held = card.model_copy(update={"network": {"selftest": right}})
    assert load_detector(add(held, [graph])).predict(PIXELS).score == pytest.approx(expected())
    off = card.model_copy(update={"network": {"selftest": [v + 1.5 for v in right]}})
    with pytest.raises(BundleError, match=r"the logits of the graph are 1\.50 off"):
        load_detector(add(off, [graph]))


def test_files_had_by_hand_are_held_to_the_card(tmp_path: Path) -> None:
    graph = toy(tmp_path / "other-name.onnx")
    card = Card.model_validate(record(graph))
    assert add(card, [graph]).is_dir()
    with pytest.raises(UsageError, match="made of 1 files"):
        add(card, [graph, graph])
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(UsageError, match="not the file that the card of toy names: SHA-256"):
        add(card, [graph])


def test_unpinned_and_unfree_detectors_are_asked_about_first(tmp_path: Path) -> None:
    code, _, err = run("shelf", "get", "airealnet")
    assert code == 2
    assert "licence: MIT" in err
    assert "--unpinned" in err
    code, _, err = run("shelf", "get", "npr")
    assert code == 2
    assert "no licence is stated" in err
    assert "--accept" in err
    code, _, err = run("shelf", "get", "b-free")
    assert code == 2
    assert "cannot be wrapped" in err
    assert "patches" in err, "and why"
    assert "shelf add" not in err, "what add refuses as well is not advised"
    code, _, err = run("shelf", "get", "drct", "--accept")
    assert code == 2
    assert "authentiscan shelf add 14_acc0.9996.pth --as drct" in err
    assert "fetch https://github.com" not in err, "its home holds no such file"


def test_what_an_unpinned_file_means_is_said_plainly() -> None:
    for name, advice in (("airealnet", "--unpinned takes it"), ("drct", "look at where it came")):
        (gap,) = [gap for gap in read_card(name).gaps if "no checksum or revision" in gap]
        assert "a changed file is not noticed" in gap
        assert advice in gap
        assert "SHA-256 is written into the bundle" in gap


def test_the_catalogue_states_sources_and_gaps() -> None:
    names = card_names()
    wanted = {"sieve", "community-forensics", "univfd", "npr", "drct", "b-free", "dda", "sahu65"}
    assert wanted <= set(names)
    hub = [name for name in names if read_card(name).kind == "transformers"]
    assert len(hub) >= 4
    for name in names:
        card = read_card(name)
        assert card.name == name
        assert card.sources, name
        assert card.licence or any("licence" in gap for gap in card.gaps), name
        for file in card.files:
            if card.address(file) is None and file.package is None:
                assert card.by_hand, name
    assert read_card("sieve").gaps == []
    loose = {name for name in names for f in read_card(name).files if not read_card(name).pinned(f)}
    assert loose == {"airealnet", "drct"}
    code, out, _ = run("shelf", "list")
    assert code == 0
    assert "sieve" in out
    code, out, _ = run("shelf", "show", "sieve", "--json")
    assert json.loads(out)["verified"] == "no"
    assert run("shelf", "show", "univfd")[0] == 0
    assert run("shelf", "show", "nobody")[0] == 2


def test_unknown_and_unfetched_names_say_what_to_do() -> None:
    code, _, err = run("scan", ".", "--model", "sieve")
    assert code == 2
    assert "authentiscan shelf get sieve" in err


def test_a_card_of_ones_own(tmp_path: Path) -> None:
    graph = toy(tmp_path / "toy.onnx")
    card = tmp_path / "mine.yaml"
    card.write_text(yaml.safe_dump(record(graph, name="mine")))
    code, out, err = run("shelf", "add", str(graph), "--card", str(card))
    assert code == 0, err
    assert out.strip().endswith("bundle")
    assert "--unpinned" not in err, "nothing is fetched here"
    assert "mine" in card_names()
    assert load_detector("mine").predict(PIXELS).score == pytest.approx(expected(), abs=1e-5)
    card.write_text(yaml.safe_dump(record(graph, name="sieve")))
    code, _, err = run("shelf", "add", str(graph), "--card", str(card))
    assert code == 2
    assert "another name" in err
    card.write_text("name: mine\nkind: magic\n")
    code, _, err = run("shelf", "add", str(graph), "--card", str(card))
    assert code == 2
    assert "is no card of a detector" in err


def test_scores_are_compared_with_the_authors_own(server, tmp_path: Path) -> None:
    graph = toy(tmp_path / "toy.onnx")
    picture = encode(PIXELS, "PNG")
    server.files["/a.png"] = picture
    image = {
        "name": "a.png",
        "address": f"{server.base}/a.png",
        "sha256": hashlib.sha256(picture).hexdigest(),
        "score": round(expected(), 4),
    }
    told = record(graph, references={"source": "the paper", "tolerance": 0.001, "images": [image]})
    card = Card.model_validate(told)
    with pytest.raises(UsageError, match="not fetched yet"):
        verify(card)
    bundle = add(card, [graph])
    assert verified("toy") == "no"
    (one,) = verify(card)
    assert one.difference < 1e-4
    assert verified("toy").startswith("yes: ")
    from authentiscan.inference.update import update_spec
    from authentiscan.metrics.calibration import Calibration

    update_spec(bundle, calibration=Calibration(slope=0.1))
    wrong = verify(card, tmp_path / "shelf" / "toy" / "images")
    assert wrong[0].difference > 0.001
    assert verified("toy").startswith("no: ")
    (tmp_path / "a.png").write_bytes(b"another")
    with pytest.raises(UsageError, match="another image"):
        verify(card, tmp_path)


def test_verify_ends_with_3_where_scores_differ(tmp_path: Path) -> None:
    graph = toy(tmp_path / "toy.onnx")
    picture = encode(PIXELS, "PNG")
    (tmp_path / "a.png").write_bytes(picture)
    image = {"name": "a.png", "sha256": hashlib.sha256(picture).hexdigest(), "score": 0.0}
    told = record(graph, references={"source": "x", "tolerance": 0.001, "images": [image]})
    card = tmp_path / "toy.yaml"
    card.write_text(yaml.safe_dump(told))
    assert run("shelf", "add", str(graph), "--card", str(card))[0] == 0
    code, out, err = run("shelf", "verify", "toy", "--images", str(tmp_path))
    assert code == 3
    assert "a.png" in out
    assert "differ by up to" in err
