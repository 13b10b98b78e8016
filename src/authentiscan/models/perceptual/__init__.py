"""How different two images look to a network that knows images: see README.md."""

from authentiscan.models.perceptual.loss import PerceptualLoss

__all__ = ["PerceptualLoss"]
