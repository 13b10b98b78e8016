"""The table of programs, and how names are looked for in a field for the file's maker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authentiscan.provenance import Claim, inspect, programs

AI, PART, EDITED = Claim.AI_GENERATED, Claim.AI_EDITED, Claim.EDITED


@pytest.mark.parametrize(
    "name",
    [
        *("Gemini", "Google Gemini", "Gemini 2.5 Flash Image", "Google Imagen", "Imagen 4 Ultra"),
        *("Nano Banana", "Nano Banana Pro", "Grok", "xAI Grok 4", "Sora", "Sora 2", "ChatGPT"),
        *("gpt-image-2", "GPT-4o", "OpenAI-API", "OpenAI", "DALL·E 3", "dalle3", "Dall-E-2"),
        *("Qwen-Image", "Qwen-Image-Edit", "Seedream 4.5", "ByteDance Seedream", "Krea", "Krea 1"),
        *("FLUX.2 [pro]", "flux2", "FLUX.1 Kontext [dev]", "Black Forest Labs API", "Flux"),
        *("Midjourney v7", "midjourney.com", "Ideogram 3.0", "Recraft V3", "HunyuanImage 3.0"),
        *("Z-Image-Turbo", "Reve Image 1.0", "Runway Gen-4", "Luma Photon", "Kling AI", "Veo 3"),
        *("Meta AI", "Imagine with Meta AI", "Bing Image Creator", "Microsoft Designer"),
        *("Leonardo.Ai", "DreamStudio", "Stability AI", "Stable Diffusion XL", "ComfyUI 0.3"),
        *("InvokeAI", "Fooocus v2.5", "SwarmUI", "Draw Things 1.2", "SD.Next", "sdnext", "即梦AI"),
        *(
            "Higgsfield Soul",
            "NAI Diffusion V4",
            "Шедеврум",
            "YandexART 2.0",
            "可图",
            "Pixel Studio",
        ),
        *("Mochi Diffusion 5", "PixAI", "Hotpot.ai", "getimg.ai", "Google Mixboard"),
        *("Adobe Firefly", "Adobe_Firefly", "Firefly Image 4", "Microsoft_Responsible_AI/1.0"),
    ],
)
def test_generators_are_known(name: str, make: Callable[..., bytes]) -> None:
    assert inspect(make("PNG", texts={"Software": name})).claim is AI
    if all(ord(letter) < 256 for letter in name):  # Pillow writes no other text into EXIF
        assert inspect(make("JPEG", exif={305: name})).claim is AI


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("Adobe Photoshop 26.1 (Windows)", EDITED),
        ("Adobe_Photoshop/26.1.0 adobe_c2pa/0.12", EDITED),
        ("Adobe Photoshop Lightroom Classic 13.2", EDITED),
        ("Picsart", EDITED),
        ("Canva", EDITED),
        ("Remini", PART),
        ("FaceApp 11.2", PART),
        ("Edited with Google AI", PART),
        ("Krita 5", Claim.DIGITAL_ART),
        ("HDR+ 1.0.5", Claim.NONE),
    ],
)
def test_other_kinds(name: str, claim: Claim, make: Callable[..., bytes]) -> None:
    assert inspect(make("JPEG", exif={305: name})).claim is claim


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "17.4.1", "canvas 2.0", "Gimplike", "Firefly Aerospace", "Gemini Observatory"),
        *("Sora Yamada", "Ana Remini", "Luma Pictures", "Leonardo da Vinci", "Flux Capacitor"),
        *("Luma Photo", "Sora Photo", "Reve Studio", "Imagen Photo", "Kling Art", "Pixel Studios"),
        *("Runway Magazine", "Reve de nuit", "Grokster", "Krealab", "Microsoft Windows", "paint"),
        *(
            "Imagenomic Portraiture",
            "Meta Quest 3",
            "Google Pixel 8",
            "Samsung SM-S921B",
            "ILCE-7M4",
        ),
        *("Apple", "Wanda", "NIKON Z 8 Ver.02.00", "Veolia", "Klingon", "Pixel 9 Pro", "Qwentin"),
    ],
)
def test_names_that_only_resemble_one(name: str) -> None:
    assert programs.known(name) is None


def test_every_entry_is_found_by_each_of_its_spellings() -> None:
    for program in programs.table().programs:
        for words in program.words:
            found = programs.known(words)
            assert found is not None, words
            assert found.claim is program.claim, words


def test_every_entry_states_year_and_source() -> None:
    listed = programs.table().programs
    assert all(1985 <= program.year <= 2026 and program.source for program in listed)
    assert {p.kind for p in listed} == {"generates", "edits with AI", "editor", "draws", "camera"}


def test_a_finding_can_be_looked_up_again() -> None:
    """`analysis.warnings` asks by the name that a finding carries."""
    for program in programs.table().programs:
        again = programs.known(program.name)
        assert again is not None, program.name


def test_phrases_are_whole_lines() -> None:
    found = programs.phrase("Made with Google AI")
    assert found is not None
    assert found.claim is AI
    assert programs.phrase("Photo made with Google AI by NASA") is None
    assert programs.phrase("Midjourney") is None
