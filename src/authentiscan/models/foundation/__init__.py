"""A linear layer on a vision foundation model: see README.md."""

from authentiscan.models.foundation.network import FoundationClassifier

__all__ = ["FoundationClassifier"]
