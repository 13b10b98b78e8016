"""Where a detector looks, how much that can be trusted, and pictures of it."""

from authentiscan.explain.base import Explainable, Heatmap, Target
from authentiscan.explain.gradcam import explain, heatmap

__all__ = ["Explainable", "Heatmap", "Target", "explain", "heatmap"]
