"""Programs that sign their name into metadata, and what that says of a picture's origin."""

from __future__ import annotations

import re
from dataclasses import dataclass

from authentiscan.provenance.records import Claim

_AI = Claim.AI_GENERATED


@dataclass(frozen=True, slots=True)
class Program:
    """A program known by name. heavy: an editor made for changing what a picture shows."""

    name: str
    claim: Claim
    heavy: bool = False


# Looked for as whole words in fields that name a program, never in captions: the order decides.
_KNOWN: tuple[tuple[str, Program], ...] = (
    (r"midjourney", Program("Midjourney", _AI)),
    (r"dall[\W_]?e(?:[\W_]?[23])?", Program("DALL-E", _AI)),
    (r"chatgpt|gpt-4o|gpt-image-\d+|openai(?:[ -]api)?", Program("OpenAI image generation", _AI)),
    (r"(?:adobe[ _])?firefly", Program("Adobe Firefly", _AI)),
    (r"novelai", Program("NovelAI", _AI)),
    (r"invoke-?ai", Program("InvokeAI", _AI)),
    (r"comfy ?ui", Program("ComfyUI", _AI)),
    (r"fooocus", Program("Fooocus", _AI)),
    (r"draw ?things", Program("Draw Things", _AI)),
    (r"mflux", Program("mflux", _AI)),
    (r"diffusion ?bee", Program("DiffusionBee", _AI)),
    (r"easy ?diffusion", Program("Easy Diffusion", _AI)),
    (r"swarm ?ui|stableswarmui", Program("SwarmUI", _AI)),
    (r"stable[ -]diffusion(?:[ -]web ?ui)?", Program("Stable Diffusion", _AI)),
    (r"flux\.[12](?:[ -]\w+)?", Program("FLUX", _AI)),
    (
        r"bing image creator|image creator (?:from|by) (?:microsoft )?(?:bing|designer)",
        Program("Bing Image Creator", _AI),
    ),
    (r"microsoft responsible ai image provenance", Program("Microsoft image generation", _AI)),
    (r"made with google ai", Program("Google AI", _AI)),
    (r"imagined with ai", Program("Meta AI", _AI)),
    (r"leonardo\.ai", Program("Leonardo.Ai", _AI)),
    (r"ideogram(?:\.ai| ai)?", Program("Ideogram", _AI)),
    (r"nightcafe", Program("NightCafe", _AI)),
    (r"dreamstudio", Program("DreamStudio", _AI)),
    (r"dreamina|jimeng", Program("Dreamina", _AI)),
    (r"seaart(?:\.ai| ai)?", Program("SeaArt", _AI)),
    (r"civitai", Program("Civitai", _AI)),
    (r"tensor\.art", Program("Tensor.Art", _AI)),
    (r"playground ?ai", Program("Playground AI", _AI)),
    (r"recraft(?:\.ai| ai)?", Program("Recraft", _AI)),
    (r"grok image|xai grok", Program("Grok", _AI)),
    (r"edited with google ai", Program("Google AI", Claim.AI_EDITED)),
    (r"faceapp", Program("FaceApp", Claim.AI_EDITED, heavy=True)),
    (r"remini", Program("Remini", Claim.AI_EDITED, heavy=True)),
    (r"(?:adobe )?photoshop lightroom|lightroom", Program("Lightroom", Claim.EDITED)),
    (r"(?:adobe )?photoshop camera raw", Program("Camera Raw", Claim.EDITED)),
    (r"(?:adobe )?photoshop", Program("Photoshop", Claim.EDITED, heavy=True)),
    (r"gimp", Program("GIMP", Claim.EDITED, heavy=True)),
    (r"affinity photo", Program("Affinity Photo", Claim.EDITED, heavy=True)),
    (r"pixelmator", Program("Pixelmator", Claim.EDITED, heavy=True)),
    (r"picsart", Program("Picsart", Claim.EDITED, heavy=True)),
    (r"facetune\d?", Program("Facetune", Claim.EDITED, heavy=True)),
    (r"meitu|beautyplus|b612|faceu", Program("beauty editor", Claim.EDITED, heavy=True)),
    (r"canva", Program("Canva", Claim.EDITED, heavy=True)),
    (r"luminar", Program("Luminar", Claim.EDITED, heavy=True)),
    (r"topaz", Program("Topaz", Claim.EDITED, heavy=True)),
    (
        r"paint\.net|paintshop pro|paint shop pro|photopea|fotor|pixlr",
        Program("image editor", Claim.EDITED, heavy=True),
    ),
    (r"snapseed", Program("Snapseed", Claim.EDITED)),
    (r"vsco", Program("VSCO", Claim.EDITED)),
    (r"capture one", Program("Capture One", Claim.EDITED)),
    (r"darktable|rawtherapee|dxo photolab|on1 photo raw", Program("raw developer", Claim.EDITED)),
    (
        r"krita|procreate|clip studio|paint tool sai|medibang|ibispaint",
        Program("painting program", Claim.DIGITAL_ART),
    ),
    (
        r"blender|cinema 4d|unreal engine|unity 3d|daz studio",
        Program("renderer", Claim.DIGITAL_ART),
    ),
    (r"(?:adobe )?illustrator|inkscape|coreldraw", Program("drawing program", Claim.DIGITAL_ART)),
    (
        r"screenshot|greenshot|sharex|snagit|snipping tool",
        Program("screen capture", Claim.DIGITAL_ART),
    ),
)

_PATTERNS = tuple(
    (re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z])", re.IGNORECASE), program)
    for words, program in _KNOWN
)


def known(text: str) -> Program | None:
    """The program named in ``text``, a field for the file's maker; None if unknown."""
    head = text[:300].replace("_", " ")
    return next((program for pattern, program in _PATTERNS if pattern.search(head)), None)
