"""What a batch is worth: the losses of both kinds of network, in one step each."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from authentiscan.models.fingerprint import FingerprintNetwork
from authentiscan.models.patchgan import PatchDiscriminator, discriminator_loss, extractor_loss
from authentiscan.models.perceptual import PerceptualLoss
from authentiscan.training.attribution.recipe import AttributionRecipe, LossWeights
from authentiscan.training.attribution.views import Views


def consistency(first: Tensor, second: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two views' answers, from logits (N, K); 0 for equal ones.

    Hendrycks et al., *AugMix*, ICLR 2020.
    """
    shares = functional.softmax(first, dim=1), functional.softmax(second, dim=1)
    middle = ((shares[0] + shares[1]) / 2).clamp(min=1e-7).log()
    parts = [functional.kl_div(middle, share, reduction="batchmean") for share in shares]
    return (parts[0] + parts[1]) / 2


class Objective:
    """The loss of a network that answers directly: cross-entropy of both views, consistency."""

    def __init__(self, network: nn.Module, recipe: AttributionRecipe) -> None:
        """network: maps inputs of two views to logits (N, K)."""
        self.network, self.recipe, self.weights = network, recipe, recipe.loss
        self.optimizer = torch.optim.AdamW(
            (p for p in network.parameters() if p.requires_grad),
            lr=recipe.lr, weight_decay=recipe.weight_decay,
        )  # fmt: skip

    def step(self, views: Views) -> dict[str, float]:
        """One step of all that learns; the parts of the loss."""
        logits = self.network(torch.cat([views.first, views.second]))
        parts = self.named(logits, views.codes)
        self.descend(parts)
        return {name: float(value.detach()) for name, value in parts.items()}

    def named(self, logits: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of logits (2N, K) of two views and their consistency, weighted."""
        entropy = functional.cross_entropy(
            logits, codes.repeat(2), label_smoothing=self.recipe.label_smoothing
        )
        parts = {"classification": entropy}
        if self.weights.consistency:
            parts["consistency"] = self.weights.consistency * consistency(*logits.chunk(2))
        return parts

    def descend(self, parts: dict[str, Tensor]) -> None:
        """One step of the network down the sum of ``parts``."""
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()

    def set_rate(self, lr: float) -> None:
        """Learn by ``lr`` from now on."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps beside the network."""
        return {"optimizer": self.optimizer.state_dict()}

    def load(self, state: dict[str, object]) -> None:
        """Put back what `state` gave."""
        self.optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]


class FingerprintObjective(Objective):
    """The loss of the residual network; see models/fingerprint/README.md.

    ``photographs`` is the code of the class of photographs, None where there is none: then nothing
    can play the real side, and the discriminator rests.
    """

    network: FingerprintNetwork

    def __init__(
        self, network: FingerprintNetwork, recipe: AttributionRecipe, photographs: int | None
    ) -> None:
        super().__init__(network, recipe)
        self.photographs = photographs
        weights: LossWeights = recipe.loss
        device = next(network.parameters()).device
        self.perceptual = (
            PerceptualLoss(recipe.perceptual_backbone).to(device) if weights.perceptual else None
        )
        self.discriminator = PatchDiscriminator(channels=32, layers=2).to(device)
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), lr=recipe.discriminator_lr, betas=(0.5, 0.999)
        )

    def step(self, views: Views) -> dict[str, float]:
        """One step of the discriminator, then one of extractor and reader."""
        x = torch.cat([views.first, views.second])
        codes = views.codes.repeat(2)
        residual = self.network.residual(x)
        parts = self.named(
            self.network.classifier(self.network.embed_residual(residual)), views.codes
        )
        cleaned = x - residual
        figures = {}
        made = codes != self.photographs if self.photographs is not None else codes >= 0
        real = ~made
        if self.weights.adversarial and real.any() and made.any():
            figures["discriminator"] = self._discriminate(x[real], cleaned[made].detach())
            parts["adversarial"] = self.weights.adversarial * self._fool(cleaned[made])
        if self.perceptual is not None:
            parts["perceptual"] = self.weights.perceptual * self.perceptual(cleaned, x)
        if self.weights.magnitude:
            parts["magnitude"] = self.weights.magnitude * (residual**2).mean()
        self.descend(parts)
        return {**{name: float(value.detach()) for name, value in parts.items()}, **figures}

    def _discriminate(self, photographs: Tensor, cleaned: Tensor) -> float:
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss = discriminator_loss(self.discriminator(photographs), self.discriminator(cleaned))
        loss.backward()  # type: ignore[no-untyped-call]
        self.discriminator_optimizer.step()
        return float(loss.detach())

    def _fool(self, cleaned: Tensor) -> Tensor:
        """The extractor's side; the discriminator itself stays as it is."""
        self.discriminator.requires_grad_(False)
        loss = extractor_loss(self.discriminator(cleaned))
        self.discriminator.requires_grad_(True)
        return loss

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps beside the network."""
        return {
            **super().state(),
            "discriminator": self.discriminator.state_dict(),
            "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
        }

    def load(self, state: dict[str, object]) -> None:
        """Put back what `state` gave."""
        super().load(state)
        self.discriminator.load_state_dict(state["discriminator"])  # type: ignore[arg-type]
        self.discriminator_optimizer.load_state_dict(
            state["discriminator_optimizer"]  # type: ignore[arg-type]
        )
