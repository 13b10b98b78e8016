"""Names of metrics, parts and protocols as tables and pictures print them."""

WORDS = {
    "roc_auc": "ROC AUC",
    "partial_auc": "partial AUC (FPR ≤ 10 %)",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "real_accuracy": "real photos not flagged",
    "generated_accuracy": "generated found",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "tpr_at_fpr_1": "TPR at 1 % FPR",
    "tpr_at_fpr_5": "TPR at 5 % FPR",
    "brier": "Brier (lower is better)",
    "ece": "calibration error (lower is better)",
}
PARTS = {
    "dataset": "data set",
    "generator": "generator",
    "source": "source",
    "style": "style",
    "format": "format",
    "size_band": "shorter side in pixels",
    "jpeg_band": "JPEG quality",
}
PROTOCOLS = {
    "raw": "images as stored",
    "matched": "both classes re-saved as JPEG quality 90 and weighted to the same mix of sizes",
    "history": "as matched, after lossless images were given a first JPEG like that of the others, "
    "with every last JPEG on a shifted grid",
}
