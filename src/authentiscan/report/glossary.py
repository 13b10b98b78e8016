"""Words that pages use, explained in a sentence or two; docs/glossary.md shows the same."""

from __future__ import annotations

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "score",
        "The detector's estimate, from 0 to 1, that an image was made by a generative model: 0 "
        "speaks for a photograph, 1 for a generated image. It is an estimate, not proof.",
    ),
    (
        "threshold",
        "A score at which the verdict changes. From the upper one on the verdict is generated, "
        "below the lower one it is real.",
    ),
    (
        "verdict",
        "Generated, real or inconclusive: what score, stability, the file's own statements and "
        "warnings give together, by a fixed table of rules.",
    ),
    (
        "real",
        "The picture looks like a photograph taken by a camera. It does not mean that what it "
        "shows is true: a photograph can be staged, edited or put into a false context.",
    ),
    (
        "generated",
        "The picture looks as if a generative model made it, wholly or for the most part.",
    ),
    (
        "inconclusive",
        "The evidence does not decide it. This is an honest answer, not a failure, and speaks "
        "for neither side.",
    ),
    (
        "false-positive rate",
        "Of real photographs, the share that is wrongly called generated. A rate of 2 % means 2 "
        "of 100 photographs like those it was measured on.",
    ),
    (
        "miss rate",
        "Of generated images, the share that is wrongly called real.",
    ),
    (
        "interval",
        "Two figures between which the true one lies with the stated confidence, as a rule 95 %. "
        "The fewer images were measured, the wider it is.",
    ),
    (
        "crop, spread",
        "A detector reads squares cut from the image, its crops. Spread is the difference between "
        "the highest and the lowest score among them.",
    ),
    (
        "stability",
        "Whether the verdict stays when the image is saved or scaled differently, as messengers do "
        "to it. A change from real to generated, or back, is a flip.",
    ),
    (
        "heatmap",
        "A map of the places that speak most for one side, compared with the rest of the same "
        "image. It shows where, not how much, and proves nothing.",
    ),
    (
        "C2PA, content credentials",
        "A signed statement in a file on how it was made. It is trusted if the signature fits the "
        "file and the signer is on the trust list. Most files have none, which means nothing.",
    ),
    (
        "EXIF, XMP, IPTC",
        "Notes that cameras and programs write into files. Anyone can write, copy or remove them.",
    ),
    (
        "SHA-256",
        "A fingerprint of a file. If two files have the same one, they are the same, to the byte.",
    ),
    (
        "raw, matched",
        "Measured on images as stored, and after photographs and generated images were stored in "
        "the same way. The second is the honest figure, as file formats can give images away.",
    ),
    (
        "ROC AUC",
        "How often a generated image scores above a photograph: 0.5 is chance, 1 always.",
    ),
)
