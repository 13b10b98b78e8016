"""Where a detector looks, how much that can be trusted, and pictures of it."""

from authentiscan.explain.base import Explainable, Heatmap, Target
from authentiscan.explain.gradcam import explain, explain_leaning, heatmap

__all__ = ["Explainable", "Heatmap", "Target", "explain", "explain_leaning", "heatmap"]
