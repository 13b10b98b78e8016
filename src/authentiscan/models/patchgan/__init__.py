"""A discriminator of patches: see README.md."""

from authentiscan.models.patchgan.losses import discriminator_loss, extractor_loss
from authentiscan.models.patchgan.network import PatchDiscriminator

__all__ = ["PatchDiscriminator", "discriminator_loss", "extractor_loss"]
