"""Networks that name generators, and the parts they are trained with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from authentiscan.core.errors import UsageError
from authentiscan.models.attributor import AttributorNetwork, WhitenedEmbedding
from authentiscan.models.attributors import ATTRIBUTORS, create_attributor
from authentiscan.models.fingerprint import FingerprintNetwork
from authentiscan.models.patchgan import PatchDiscriminator, discriminator_loss, extractor_loss
from authentiscan.models.perceptual import PerceptualLoss
from authentiscan.models.perceptual.loss import FALLBACK
from authentiscan.models.single import FrozenSingleNetwork
from authentiscan.models.unet import ResidualExtractor, normalised

SMALL = {
    "fingerprint": {"backbone": "mobilenetv3_small_050", "width": 8, "channels": 4, "depth": 2},
    "single": {"backbone": "mobilenetv3_small_050", "width": 8},
    "single-frozen": {"width": 8},
}


@pytest.fixture(scope="module", params=sorted(ATTRIBUTORS))
def network(request: pytest.FixtureRequest) -> AttributorNetwork:
    torch.manual_seed(0)
    return create_attributor(request.param, 3, **SMALL[request.param]).eval()


def test_logits_come_from_the_embedding(network: AttributorNetwork) -> None:
    x = torch.randn(2, 3, 64, 64)
    assert network.embed(x).shape == (2, 8)
    assert torch.equal(network(x), network.classifier(network.embed(x)))
    assert network(x).shape == (2, 3)
    assert network.architecture[0] in ATTRIBUTORS


def test_all_that_learns_gets_a_gradient(network: AttributorNetwork) -> None:
    network.train()
    network(torch.randn(4, 3, 64, 64)).square().sum().backward()
    learning = {n for n, p in network.named_parameters() if p.requires_grad}
    without = {n for n, p in network.named_parameters() if p.grad is None}
    assert not learning & without
    network.eval().zero_grad()


def test_the_frozen_front_is_a_part_of_its_own() -> None:
    network = create_attributor("single-frozen", 2, width=8).eval()
    assert isinstance(network, FrozenSingleNetwork)
    x = torch.randn(2, 3, 64, 64)
    assert torch.allclose(network.embed(x), network.embed_averaged(network.averaged(x)))
    assert not list(network.front.parameters())


def test_arguments_and_names_that_are_wrong() -> None:
    with pytest.raises(UsageError, match="unknown attributor 'nothing'"):
        create_attributor("nothing", 3)
    with pytest.raises(UsageError, match="no argument 'wings'; it takes"):
        create_attributor("single", 3, wings=2)
    with pytest.raises(UsageError, match="2 generators apart or more, got 1"):
        create_attributor("single-frozen", 1)


def test_whitening_makes_distances_those_of_the_scatter() -> None:
    network = create_attributor("single-frozen", 2, width=8).eval()
    rng = np.random.default_rng(0)
    whitening, mean = rng.normal(size=(8, 8)), rng.normal(size=8)
    x = torch.randn(3, 3, 64, 64)
    found = WhitenedEmbedding(network, mean, whitening)(x).detach().numpy()
    wanted = (network.embed(x).detach().numpy() - mean) @ whitening
    assert found == pytest.approx(wanted, abs=1e-4)


def test_residuals_are_bounded_and_of_the_image_size() -> None:
    extractor = ResidualExtractor(channels=4, depth=2, limit=0.1)
    with torch.no_grad():
        extractor.out.weight.mul_(1e4)
    residual = extractor(torch.randn(2, 3, 32, 48))
    assert residual.shape == (2, 3, 32, 48)
    assert 0.05 < residual.abs().max() <= 0.1
    with pytest.raises(UsageError, match="depth is at least 1"):
        ResidualExtractor(depth=0)


def test_a_normalised_residual_has_neither_strength_nor_brightness() -> None:
    residual = torch.randn(2, 3, 32, 32)
    assert torch.allclose(normalised(residual), normalised(0.01 * residual + 5), atol=1e-2)
    assert normalised(residual).std(dim=(2, 3), correction=0) == pytest.approx(1, abs=1e-3)
    assert torch.isfinite(normalised(torch.zeros(1, 3, 8, 8))).all()


def test_fingerprint_reads_nothing_but_the_residual() -> None:
    network = FingerprintNetwork(3, **SMALL["fingerprint"]).eval()  # type: ignore[arg-type]
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(network.embed(x), network.embed_residual(network.residual(x)))
    with torch.no_grad():
        network.extractor.out.weight.zero_()
    assert torch.allclose(network.embed(x)[0], network.embed(x)[1])


def test_the_discriminator_judges_patches() -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(channels=4, layers=2).eval()
    x = torch.randn(1, 3, 96, 96)
    before = judge(x)
    changed = x.clone()
    changed[..., :8, :8] += 3
    moved = (judge(changed) - before).abs()[0, 0]
    assert before.shape[1] == 1
    assert moved[0, 0] > 0
    assert moved[-1, -1] == 0  # too far away for its patch
    with pytest.raises(UsageError, match="1 layer or more"):
        PatchDiscriminator(layers=0)


def test_the_game_has_the_right_direction() -> None:
    good, bad = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    assert discriminator_loss(good, bad) == 0
    assert discriminator_loss(bad, good) == 1
    assert extractor_loss(good) == 0
    assert extractor_loss(bad) == 1


def test_perceptual_distance_is_none_for_equal_images_and_learns_nothing() -> None:
    loss = PerceptualLoss(FALLBACK).train()
    assert loss.backbone == FALLBACK
    assert not loss.training
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    near, far = (x + 0.02 * torch.randn_like(x)).requires_grad_(), torch.rand_like(x)
    assert loss(x, x) == 0
    assert 0 < loss(near, x) < loss(far, x)
    loss(near, x).backward()
    assert near.grad is not None
    assert near.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in loss.parameters())
