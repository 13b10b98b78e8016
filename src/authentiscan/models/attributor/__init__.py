"""Networks that name the generator of an image: see README.md."""

from authentiscan.models.attributor.base import AttributorNetwork
from authentiscan.models.attributor.whitened import WhitenedEmbedding

__all__ = ["AttributorNetwork", "WhitenedEmbedding"]
