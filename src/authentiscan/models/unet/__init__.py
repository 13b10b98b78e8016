"""A U-Net that extracts an image's residual: see README.md."""

from authentiscan.models.unet.network import ResidualExtractor, normalised

__all__ = ["ResidualExtractor", "normalised"]
