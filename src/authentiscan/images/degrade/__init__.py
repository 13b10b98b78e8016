"""What happens to images on their way through the world, as named, seeded, recorded steps.

A chain is written as text, used alike by training augmentation, robustness evaluation and users:

    chain = degrade.parse("resize:scale=0.5..1,kernel=bicubic/lanczos | jpeg:quality=70..95 ?0.5")
    pixels, record = chain(pixels, degrade.image_rng(seed, "photo-17"))
    same = degrade.replay(original, record)          # the record alone brings the result back

``|`` puts steps one after another, ``or`` between steps draws one of them, ``?p`` after a step
does it with probability p. A value is exact (``90``), a range (``70..95``, ends included) or
alternatives (``nearest/lanczos``). Parameters left out take the defaults that `describe` lists.
"""

from __future__ import annotations

from authentiscan.images.degrade.chain import AppliedSteps, Chain, image_rng, parse, replay
from authentiscan.images.degrade.registry import Parameter, Step, describe, get, names

__all__ = [
    "AppliedSteps",
    "Chain",
    "Parameter",
    "Step",
    "describe",
    "get",
    "image_rng",
    "names",
    "parse",
    "replay",
]
