"""Options that trade speed or memory: what is learned stays the same, and runs end as they should.

Dropout is off where a kernel may draw other masks, and the optimizer is plain descent: Adam's first
steps make a learning rate's difference out of a rounding error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from authentiscan import models
from authentiscan.core.errors import TrainingError
from authentiscan.images.decode import decode
from authentiscan.inference import load_detector
from authentiscan.manifest.table import Manifest
from authentiscan.training.layers import check_channels_last, kept_statistics
from authentiscan.training.recipe import Recipe
from authentiscan.training.reporter import Quiet
from authentiscan.training.run import Result, train
from authentiscan.training.state import load_checkpoint

MakeRecipe = Callable[..., Recipe]
EXACT = ("optimizer={name: sgd, lr: 0.01}", "ema=0.9", "gradient_clip=1.0")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def last(run: Result) -> dict[str, torch.Tensor]:
    return load_checkpoint(run.folder / "checkpoints" / "last.ckpt")["model"]


def assert_same(one: Result, two: Result, tolerance: float = 1e-5) -> None:
    for a, b in zip(one.progress.history, two.progress.history, strict=True):
        for name in ("train_loss", "val_loss"):
            assert a[name] == pytest.approx(b[name], abs=tolerance), (a["epoch"], name)
    assert last(one).keys() == last(two).keys()
    for name, value in last(one).items():
        assert torch.allclose(value, last(two)[name], atol=10 * tolerance), name


@pytest.fixture(scope="module")
def plain(tiny: MakeRecipe, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Two epochs of all layers, with batch statistics, an average and clipping."""
    torch.set_num_threads(1)
    return train(tiny(toy, *EXACT, epochs=2), output=tmp_path_factory.mktemp("a"), bundle=False)


@pytest.mark.parametrize("change", ["gradient_checkpointing=true", "channels_last=true"])
def test_the_same_is_learned(
    tiny: MakeRecipe, toy: Path, tmp_path: Path, plain: Result, change: str
) -> None:
    assert_same(
        plain, train(tiny(toy, *EXACT, change, epochs=2), output=tmp_path / "run", bundle=False)
    )


def test_channels_last_is_refused_where_it_would_crash() -> None:
    narrow = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 1, stride=2))
    with pytest.raises(TrainingError, match=r"layer 1 .8 channels.*channels_last=false"):
        check_channels_last(narrow)
    check_channels_last(nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 1, stride=2)))


def test_a_second_pass_leaves_statistics_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4, momentum=None))
    images = torch.randn(2, 3, 8, 8)
    model(images)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with kept_statistics(model):
        again = model(images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(again, model(images))
    assert not torch.equal(model[1].running_mean, before["1.running_mean"])


@pytest.mark.parametrize(("images", "together", "steps"), [(64, 2, 4), (48, 4, 3)])
def test_accumulated_batches_equal_a_large_one(
    tiny: MakeRecipe, toy: Path, tmp_path: Path, images: int, together: int, steps: int
) -> None:
    """Also where an epoch ends before as many batches as wanted were added up.

    The backbone has no batch statistics: those would be of the small batches.
    """
    changes = (
        "model={name: timm/convnext_atto, arguments: {head_widths: [8], head_dropouts: [0.0]}}",
        "preprocess.size=32", f"sampling.epoch_size={images}", *EXACT,
    )  # fmt: skip
    large, small = f"batch_size={min(images, 16 * together)}", f"accumulate={together}"
    one, two = (
        train(tiny(toy, *changes, change, epochs=1), output=tmp_path / str(i), bundle=False)
        for i, change in enumerate((large, small))
    )
    assert two.progress.total_steps == steps
    assert_same(one, two)


@pytest.mark.parametrize("change", ["channels_last=true", "precision=bf16"])
def test_runs_go_on_bit_for_bit(tiny: MakeRecipe, toy: Path, tmp_path: Path, change: str) -> None:
    recipe = tiny(toy, change, "gradient_checkpointing=true", "ema=0.9", "checkpoint.every_steps=2")
    recipe = recipe.model_copy(
        update={"phases": (recipe.phases[0].model_copy(update={"epochs": 2}),)}
    )
    whole = train(recipe, output=tmp_path / "whole", bundle=False)
    train(recipe, output=tmp_path / "cut", stop=lambda p: p.total_steps == 10, bundle=False)
    again = train(recipe, output=tmp_path / "cut", resume=True, bundle=False)
    assert all(math.isfinite(row["train_loss"]) for row in whole.progress.history)
    assert all(torch.equal(value, last(again)[name]) for name, value in last(whole).items())
    assert all(value.dtype != torch.bfloat16 for value in last(whole).values())


def test_half_precision_on_a_processor_is_bfloat16_and_says_so(
    tiny: MakeRecipe, toy: Path, tmp_path: Path
) -> None:
    lines: list[str] = []

    class Lines(Quiet):
        def info(self, text: str) -> None:
            lines.append(text)

    runs = [
        train(
            tiny(toy, f"precision={name}", epochs=1),
            output=tmp_path / name, reporter=Lines(), bundle=False,
        )
        for name in ("fp16", "bf16")
    ]  # fmt: skip
    told = [line for line in lines if "bfloat16" in line]
    assert len(told) == 1
    assert told[0].startswith("note: float16 is not available on a CPU; using bfloat16 instead")
    assert all(torch.equal(value, last(runs[1])[name]) for name, value in last(runs[0]).items())


def test_gradients_beyond_numbers_are_told(tiny: MakeRecipe, toy: Path, tmp_path: Path) -> None:
    recipe = tiny(toy, "optimizer={name: sgd, lr: 1.0e+38}", "gradient_clip=1.0")
    with pytest.raises(TrainingError, match=r"loss became .* smaller optimizer\.lr"):
        train(recipe, output=tmp_path / "run")


def assert_the_bundle_is_the_model(run: Result, toy: Path) -> None:
    """The exported graph gives the same logits as the best weights in a model made anew."""
    assert run.spec is not None
    recipe = run.spec.architecture
    model = models.create(recipe.name, **recipe.arguments)
    model.load_state_dict(load_checkpoint(run.folder / "checkpoints" / "best.ckpt")["model"])
    detector = load_detector(run.bundle)
    pixels = decode(Manifest.read(toy).image_bytes(0)).pixels
    crops = detector.spec.preprocess.crops(pixels)[0]
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(detector.spec.preprocess.tensor(crops)))
    assert detector.logits(crops) == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["residual", "efficientnet_b0"])
def test_all_memory_options_together_leave_a_plain_bundle(
    tiny: MakeRecipe, toy: Path, tmp_path: Path, model: str
) -> None:
    recipe = tiny(
        toy, f"model={{name: {model}}}", "gradient_checkpointing=true", "channels_last=true",
        "precision=bf16", "accumulate=2", "ema=0.5", epochs=1,
    )  # fmt: skip
    assert_the_bundle_is_the_model(train(recipe, output=tmp_path / "run"), toy)


@pytest.mark.slow
def test_compiled_training_is_the_same_and_leaves_plain_files(
    tiny: MakeRecipe, toy: Path, tmp_path: Path
) -> None:
    changes = (*EXACT, "model.arguments.head_dropouts=[0.0]", "checkpoint.every_steps=2")
    plain = train(tiny(toy, *changes, epochs=2), output=tmp_path / "plain", bundle=False)
    recipe = tiny(toy, *changes, "compile=true", epochs=2)
    compiled = train(recipe, output=tmp_path / "compiled")
    assert_same(plain, compiled, 1e-4)
    assert_the_bundle_is_the_model(compiled, toy)
    train(recipe, output=tmp_path / "cut", stop=lambda p: p.total_steps == 10, bundle=False)
    again = train(recipe, output=tmp_path / "cut", resume=True, bundle=False)
    assert_same(compiled, again, 1e-6)
