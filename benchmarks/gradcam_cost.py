"""What Grad-CAM costs over the score alone: in our ONNX graph, and the ways others compute it.

    python benchmarks/gradcam_cost.py [--bundle FOLDER] [--rounds 100] [--threads 1]

Every way runs once a round, in an order shuffled anew; ratios are taken within a round, so that a
busy machine slows both sides. Times are CPU time of the process. The three ONNX ways have their own
rounds, as they differ least; the torch ways have a quarter as many. Rivals are skipped where they
are not installed: captum's LayerGradCam, pytorch-grad-cam (pip install grad-cam). Without --bundle
three networks with random weights are measured: residual at 128 px, spectrum at 176 px,
EfficientNet-B0 at 224 px.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from rich.console import Console
from rich.table import Table

from authentiscan.inference import read_spec
from authentiscan.inference.export import export_onnx
from authentiscan.inference.torch_backend import load_model
from authentiscan.models import create

Way = Callable[[], Any]


def session(path: Path, threads: int) -> tuple[ort.InferenceSession, ort.RunOptions]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    run = ort.RunOptions()
    run.only_execute_path_to_fetches = True
    made = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return made, run


def onnx_ways(model: Any, x: np.ndarray, folder: Path, threads: int) -> dict[str, Way]:
    export_onnx(model, folder / "scores.onnx", size=x.shape[-1], cam=False)
    export_onnx(model, folder / "full.onnx", size=x.shape[-1])
    bare, run = session(folder / "scores.onnx", threads)
    full, _ = session(folder / "full.onnx", threads)
    feed = {"image": x}
    return {
        "onnx, score alone (graph without maps)": lambda: bare.run(["logits"], feed, run),
        "onnx, bundle's graph, score alone": lambda: full.run(["logits"], feed, run),
        "onnx, bundle's graph, score + Grad-CAM": lambda: full.run(["logits", "cam"], feed, run),
    }


def torch_ways(model: Any, x: np.ndarray) -> dict[str, Way]:
    tensor = torch.from_numpy(x)

    def alone() -> Any:
        with torch.inference_mode():
            return model(tensor)

    def hooked() -> Any:
        """The six lines everyone writes: keep the maps, backward, weigh."""
        kept: dict[str, torch.Tensor] = {}
        hook = model.backbone.register_forward_hook(lambda _m, _i, out: kept.update(maps=out))
        logits = model(tensor)
        hook.remove()
        kept["maps"].retain_grad()
        model.zero_grad()
        logits.sum().backward()
        gradient = kept["maps"].grad
        assert gradient is not None
        return torch.relu((gradient.mean((2, 3), keepdim=True) * kept["maps"]).sum(1)).detach()

    ways: dict[str, Way] = {"torch, score alone": alone, "torch, Grad-CAM by hook": hooked}
    try:
        from captum.attr import LayerGradCam
    except ModuleNotFoundError:
        print("captum is not installed: skipped", file=sys.stderr)
    else:
        layer = LayerGradCam(model, model.backbone)
        ways["torch, captum LayerGradCam"] = lambda: layer.attribute(tensor, relu_attributions=True)
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import RawScoresOutputTarget
    except ModuleNotFoundError:
        print("pytorch-grad-cam is not installed: skipped", file=sys.stderr)
    else:
        cam = GradCAM(model=model, target_layers=[model.backbone])
        targets = [RawScoresOutputTarget()] * len(x)
        ways["torch, pytorch-grad-cam"] = lambda: cam(input_tensor=tensor, targets=targets)
    return ways


def agreement(ways: dict[str, Way], onnx_way: str, hook_way: str) -> float:
    ours, theirs = ways[onnx_way]()[1], ways[hook_way]().numpy()
    if ours.std() == 0 or theirs.std() == 0:
        return float("nan")
    return float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])


def measure(ways: dict[str, Way], rounds: int) -> dict[str, np.ndarray]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
        way()
    order = list(ways)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            start = time.process_time()
            ways[name]()
            times[name].append(time.process_time() - start)
    return {name: np.asarray(values) * 1000 for name, values in times.items()}


def report(title: str, model: Any, size: int, batch: int, arguments: argparse.Namespace) -> None:
    x = np.random.default_rng(0).normal(size=(batch, 3, size, size)).astype(np.float32)
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        ours = onnx_ways(model, x, Path(folder), arguments.threads)
        theirs = torch_ways(model, x)
        alike = agreement({**ours, **theirs}, list(ours)[-1], "torch, Grad-CAM by hook")
        exact = measure(ours, arguments.rounds)
        times = measure({**ours, **theirs}, max(3, arguments.rounds // 4))
    base, torch_base = times[next(iter(ours))], times["torch, score alone"]
    table = Table(
        "way", "CPU ms, median", "over its score alone", "over onnx score alone", title=title
    )
    for name in times:
        own = exact[name] / exact[next(iter(ours))] if name in exact else times[name] / torch_base
        table.add_row(name, f"{np.median(times[name]):.2f}", ratio(own), ratio(times[name] / base))
    Console(width=120).print(table)
    print(f"correlation of our maps with Grad-CAM by hook: {alike:.10f}\n")


def ratio(paired: np.ndarray) -> str:
    """Median of the paired ratios and the middle half of them."""
    low, middle, high = np.percentile(paired, [25, 50, 75])
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, help="measure this bundle's network")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    random.seed(0)
    if arguments.bundle:
        spec = read_spec(arguments.bundle)
        for batch in (1, 8):
            title = f"{spec.name}, {spec.preprocess.size} px, batch {batch}"
            model = load_model(arguments.bundle, spec)
            report(title, model, spec.preprocess.size, batch, arguments)
        return
    for name, size, batch in (
        ("residual", 128, 1),
        ("spectrum", 176, 8),
        ("efficientnet_b0", 224, 1),
    ):
        model = create(name)
        model.train()
        with torch.no_grad():  # settle the normalisation, so that maps are alive
            for _ in range(30):
                model(torch.randn(8, 3, 96, 96))
        title = f"{name}, {size} px, batch {batch}, {arguments.threads} thread(s)"
        report(title, model, size, batch, arguments)


if __name__ == "__main__":
    main()
