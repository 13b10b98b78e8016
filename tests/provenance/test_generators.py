"""Generator parameters, layout by layout, in the containers their programs write."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from authentiscan.provenance import Claim, Finding, State, inspect

A1111 = (
    "a lighthouse, <lora:x:0.7>\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: DPM++ 2M, CFG scale: 7, Seed: 12, Size: 512x768, "
    "Model hash: 6ce0161689, Model: v1-5-pruned, Version: v1.9.4"
)
GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "model": ["4", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd.safetensors"}},
}
WORKFLOW = {"nodes": [{"id": 3, "type": "KSampler"}], "links": [], "version": 0.4}


def only(data: bytes) -> Finding:
    found = inspect(data)
    kept = [f for f in found.findings if f.kind == "generator"]
    assert kept, found
    assert all(f.state is State.UNSIGNED for f in kept)
    return kept[0]


@pytest.mark.parametrize(
    ("texts", "generator"),
    [
        ({"parameters": A1111}, "AUTOMATIC1111"),
        ({"parameters": A1111.replace("v1.9.4", "f2.0.1")}, "Forge"),
        ({"parameters": A1111 + ", App: SD.Next"}, "SD.Next"),
        ({"parameters": A1111.replace("v1.9.4", "Fooocus v2.1.8")}, "Fooocus"),
        ({"prompt": json.dumps(GRAPH), "workflow": json.dumps(WORKFLOW)}, "ComfyUI"),
        ({"prompt": json.dumps(GRAPH)}, "ComfyUI"),
        (
            {
                "fooocus_scheme": "fooocus",
                "parameters": json.dumps({"prompt": "x", "base_model": "jugg", "version": "2.3"}),
            },
            "Fooocus",
        ),
        ({"Dream": '"a cat" -s50 -S3247 -W512 -H512 -C7.5 -A k_lms'}, "InvokeAI"),
        ({"sd-metadata": json.dumps({"app_id": "invoke-ai/InvokeAI", "image": {}})}, "InvokeAI"),
        ({"invokeai_metadata": json.dumps({"positive_prompt": "x", "seed": 1})}, "InvokeAI"),
        (
            {
                "Title": "AI generated image",
                "Software": "NovelAI",
                "Source": "Stable Diffusion F1022D28",
                "Comment": json.dumps({"steps": 28, "sampler": "k_euler", "seed": 1}),
            },
            "NovelAI",
        ),
        (
            {"Description": "a fox --v 6 Job ID: 0a1b2c3d-1111-2222-3333-444455556666"},
            "Midjourney",
        ),
        ({"Description": "portrait of a fox --ar 16:9 --v 6.1"}, "Midjourney"),
        ({"sui": "", "parameters": json.dumps({"sui_image_params": {"model": "flux"}})}, "SwarmUI"),
        (
            {"use_stable_diffusion_model": "sd-v1-4", "guidance_scale": "7.5"},
            "Easy Diffusion",
        ),
        ({"Software": "DALL·E 3"}, "DALL-E"),
        ({"Software": "Adobe Firefly 2"}, "Adobe Firefly"),
        ({"AIGC": json.dumps({"Label": "1", "ContentProducer": "some service"})}, "some service"),
        ({"comment": json.dumps({"mflux_version": "0.7", "model": "dev", "prompt": "x"})}, "mflux"),
        (
            {"comment": json.dumps({"c": "x", "uc": "", "sampler": "Euler", "scale": 4})},
            "Draw Things",
        ),
    ],
)
def test_png_texts(texts: dict[str, str], generator: str, make: Callable[..., bytes]) -> None:
    finding = only(make("PNG", texts=texts))
    assert generator in str(finding.generator)
    assert finding.claim is Claim.AI_GENERATED


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("code", [b"UNICODE\0", b"ASCII\0\0\0"])
def test_user_comment_of_the_web_ui(kind: str, code: bytes, make: Callable[..., bytes]) -> None:
    body = A1111.encode("utf-16-be" if code.startswith(b"U") else "ascii")
    finding = only(make(kind, exif={37510: code + body}))
    assert finding.generator == "AUTOMATIC1111 Stable Diffusion web UI"
    assert finding.details["model"] == "v1-5-pruned"
    assert finding.details["prompt"].startswith("a lighthouse")


def test_mflux_writes_json_into_exif(make: Callable[..., bytes]) -> None:
    body = json.dumps({"mflux_version": "0.9.1", "model": "schnell", "seed": 3}).encode()
    finding = only(make("JPEG", exif={37510: b"ASCII\0\0\0" + body}))
    assert (finding.generator, finding.details["model"]) == ("mflux", "schnell")


def test_comfyui_webp_keeps_its_graph_in_camera_fields(make: Callable[..., bytes]) -> None:
    found = inspect(
        make(
            "WEBP",
            exif={271: f"workflow:{json.dumps(WORKFLOW)}", 272: f"prompt:{json.dumps(GRAPH)}"},
        )
    )
    assert found.claim is Claim.AI_GENERATED
    assert not found.of(Claim.CAMERA), "a graph in the Make field is no camera"
    assert found.findings[0].details["models"] == "sd.safetensors"


def test_draw_things_writes_xmp(make: Callable[..., bytes]) -> None:
    inner = json.dumps({"c": "x", "uc": "", "sampler": "Euler", "scale": 4}).replace('"', "&quot;")
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/"><exif:UserComment>'
        f"<rdf:Alt><rdf:li>{inner}</rdf:li></rdf:Alt></exif:UserComment></rdf:Description>"
        "</rdf:RDF></x:xmpmeta>"
    )
    assert only(make("JPEG", xmp=packet)).generator == "Draw Things"


def test_workflow_alone_claims_nothing(make: Callable[..., bytes]) -> None:
    found = inspect(make("PNG", texts={"workflow": json.dumps(WORKFLOW)}))
    assert found.claim is Claim.NONE
    assert found.findings[0].generator == "ComfyUI"
    assert "screenshot" in found.findings[0].summary


@pytest.mark.parametrize(
    "texts",
    [
        {"Software": "paint program"},
        {"Comment": "Steps: many, but no sampler"},
        {"parameters": "{}"},
        {"prompt": "{broken"},
        {"prompt": "[" * 100_000},
        {"prompt": json.dumps({"a": {"class": "x"}})},
        {"Description": "my holiday in Rome"},
        {"Comment": "a talk on midjourney and DALL-E"},
        {"Dream": "I had a dream"},
        {"AIGC": json.dumps({"Label": "no"})},
    ],
)
def test_other_texts_claim_nothing(texts: dict[str, str], make: Callable[..., bytes]) -> None:
    assert inspect(make("PNG", texts=texts)).claim is Claim.NONE


ONE_LINE = A1111.replace("\n", " ")


@pytest.mark.parametrize(
    "text",
    [
        ONE_LINE,
        A1111.replace("\n", "\r\n"),
        A1111.replace("\n", "\\n"),
        ONE_LINE.replace("blurry Steps", "blurry. Steps"),
        ONE_LINE.partition("prompt: blurry ")[2],
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_parameters_squeezed_to_one_line(text: str, kind: str, make: Callable[..., bytes]) -> None:
    data = (
        make("PNG", texts={"parameters": text})
        if kind == "PNG"
        else make("JPEG", exif={37510: b"ASCII\0\0\0" + text.encode()})
    )
    finding = only(data)
    assert finding.details["seed"] == "12"
    assert finding.details["model"] == "v1-5-pruned"


@pytest.mark.parametrize(
    "text",
    [
        "Our method. Steps: 3, Tools: hammer and nails",
        "Steps: 3, Seed: tomatoes",
        "Dance class Steps: 12, Size: small room",
    ],
)
def test_sentences_with_steps_claim_nothing(text: str, make: Callable[..., bytes]) -> None:
    assert inspect(make("PNG", texts={"parameters": text})).claim is Claim.NONE
