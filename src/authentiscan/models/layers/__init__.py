"""A frozen backbone read at all depths: see README.md."""

from authentiscan.models.layers.network import LayersClassifier

__all__ = ["LayersClassifier"]
