"""`authentiscan export`: a bundle's weights as ONNX, for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.options import DetectorArgument


def export(
    detector: DetectorArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="ONNX file to write.", show_default=True)
    ] = Path("model.onnx"),
    opset: Annotated[
        int, typer.Option(min=18, max=25, help="ONNX operator set, 18 to 25; higher is newer.")
    ] = 18,
    scores_only: Annotated[
        bool,
        typer.Option("--scores-only", help="Leave the Grad-CAM outputs `cam` and `cam_real` out."),
    ] = False,
) -> None:
    """Write a detector's safetensors weights as an ONNX graph and check it against torch.

    The input is `image` (N, 3, S, S) float32, preprocessed as detector.json states; the outputs are
    `logits` (N,), positive for generated, and the Grad-CAM maps. A graph whose outputs differ from
    torch by more than 1e-4 is refused. Needs the `export` extra.

    Examples:
        authentiscan export runs/baseline -o baseline.onnx --opset 20
        authentiscan export default/small -o scores.onnx --scores-only

    """
    from authentiscan.core.errors import MissingExtraError, UsageError
    from authentiscan.core.files import whole_path
    from authentiscan.inference import NetworkSpec, find_bundle, read_spec
    from authentiscan.inference.spec import members_of

    bundle = find_bundle(detector)
    claim(output, inputs=bundle.glob("*"))
    spec = read_spec(bundle)
    if not isinstance(spec, NetworkSpec):
        raise UsageError(
            f"{detector} is an ensemble, and ONNX knows no crops or pooling: export its members "
            f"{', '.join(f'{detector}/{name}' for name in members_of(spec))}, and add up their "
            "pooled logits with weight and bias of detector.json"
        )
    try:
        from authentiscan.inference.export import export_onnx
        from authentiscan.inference.torch_backend import load_model
    except ModuleNotFoundError as error:
        raise MissingExtraError("export", "export") from error
    model = load_model(bundle, spec)
    with whole_path(output) as partial:
        difference = export_onnx(
            model, partial, size=spec.preprocess.size, opset=opset, cam=not scores_only
        )
    typer.echo(
        f"{output}: {output.stat().st_size / 1e6:.2f} MB, opset {opset}, "
        f"differs from torch by at most {difference:.1e}"
    )
