"""Parameters that image generators write beside their pictures.

One small reader a layout. A reader gets all named texts of a file and gives findings; the claim
is the
file's own. A screenshot of a node graph, say, may carry the whole workflow and be no generated
picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from authentiscan.images.walk import Text
from authentiscan.provenance import programs
from authentiscan.provenance.records import Claim, Finding, State, shorten
from authentiscan.provenance.xmp import aigc

if TYPE_CHECKING:
    from authentiscan.core.types import JsonObject

MAX_JSON = 4 * 2**20
Texts: TypeAlias = Sequence[Text]
Size: TypeAlias = "tuple[int, int] | None"


def findings(texts: Texts, size: Size = None) -> list[Finding]:
    """Findings of every reader; ``size`` is the file's (width, height) where known.

    A file of one generator may satisfy a more general reader too; only the first is kept a place.
    """
    found: list[Finding] = []
    taken: set[str] = set()
    for reader in _READERS:
        for finding in reader(texts, size):
            if finding.source not in taken:
                taken.add(finding.source)
                found.append(finding)
    return found


def _made(
    generator: str,
    text: Text,
    /,
    *,
    claim: Claim = Claim.AI_GENERATED,
    summary: str = "",
    confidence: str = "certain",
    **details: object,
) -> Finding:
    return Finding.model_validate(
        {
            "kind": "generator",
            "state": State.UNSIGNED,
            "claim": claim,
            "summary": summary or f"The file carries generation parameters of {generator}",
            "generator": generator,
            "source": text.where,
            "confidence": confidence,
            "details": {k: shorten(str(v)) for k, v in details.items() if v not in (None, "", [])},
        }
    )


def _json(value: str) -> object:
    """The JSON in ``value``, None where it is none, too long or nested beyond reason."""
    if len(value) > MAX_JSON or value.lstrip()[:1] not in ("{", "[", '"'):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _object(value: str) -> JsonObject:
    content = _json(value)
    return content if isinstance(content, dict) else {}


def _named(texts: Texts, *keys: str) -> Iterator[Text]:
    """The texts of these keys, however they are capitalised."""
    wanted = {key.lower() for key in keys}
    return (t for t in texts if t.key.lower() in wanted)


def _fooocus(texts: Texts, _: Size) -> Iterator[Finding]:
    scheme = next((t.value for t in _named(texts, "fooocus_scheme")), None)
    for text in _named(texts, "parameters", "UserComment", "comment", "description"):
        content = _object(text.value)
        named = str(content.get("version") or content.get("software") or "")
        version = re.search(r"Version: ((?:Ruined)?Fooocus[^,\n]{0,40})", text.value[-4000:])
        if version:
            named = version.group(1)
        if (
            (scheme and content)
            or "fooocus" in named.lower()
            or {
                "base_model",
                "sharpness",
            }
            <= content.keys()
        ):
            name = "RuinedFooocus" if "ruined" in named.lower() else "Fooocus"
            model = content.get("base_model") or content.get("base_model_name")
            yield _made(
                name,
                text,
                version=named,
                model=model,
                prompt=content.get("prompt") or content.get("Prompt"),
                sampler=content.get("sampler"),
                seed=content.get("seed"),
            )


# At the start of a line; or, in a text squeezed to one line, after a space or an escaped line end.
_STEPS = re.compile(r"(?:^|[\s,.;]|\\n)Steps: \d+,? ?")
_PAIR = re.compile(r"(?:^|, )\s*([A-Z][\w /+-]{1,30}): (\"[^\"]{0,400}\"|[^,\n]{1,200})")


def _a1111(texts: Texts, _: Size) -> Iterator[Finding]:
    """The text of the AUTOMATIC1111 web UI, and of the many programs that write the same."""
    # Programs write it under many keys, and nothing else has that form but a workflow's notes.
    for text in (text for text in texts if text.key.lower() != "workflow"):
        match = _STEPS.search(text.value[:MAX_JSON])
        facts = (
            dict(_PAIR.findall(text.value[match.start() : match.start() + 8000])) if match else {}
        )
        if len({"Sampler", "Seed", "CFG scale", "Size", "Model"} & facts.keys()) < 2:
            continue  # a sentence may hold "Steps: 3, ", the parameters hold more
        head = text.value[: match.start() if match else 0]
        prompt = head.partition("Negative prompt:")[0]
        yield _made(
            _a1111_family(facts),
            text,
            prompt=prompt,
            model=facts.get("Model"),
            model_hash=facts.get("Model hash"),
            sampler=facts.get("Sampler"),
            seed=facts.get("Seed"),
            size=facts.get("Size"),
            version=facts.get("Version"),
        )


def _a1111_family(facts: dict[str, str]) -> str:
    app, version = facts.get("App", ""), facts.get("Version", "")
    if "SD.Next" in app:
        return "SD.Next"
    if version.startswith("ComfyUI") or facts.get("Civitai resources"):
        return "Stable Diffusion (A1111 parameters, written by another program)"
    if re.match(r"f\d|forge|neo", version, re.IGNORECASE):
        return "Stable Diffusion WebUI Forge"
    return "AUTOMATIC1111 Stable Diffusion web UI"


def _comfyui(texts: Texts, size: Size) -> Iterator[Finding]:
    """ComfyUI: ``prompt`` is the graph that was run, ``workflow`` the editor's drawing of it."""
    run = None
    for text in texts:
        graph = _object(text.value)
        graph = graph.get("prompt", graph) if isinstance(graph.get("prompt"), dict) else graph
        nodes = [n for n in graph.values() if isinstance(n, dict) and "class_type" in n]
        if nodes and text.key.lower() != "workflow":
            run = _comfyui_run(text, nodes, size)
            yield run
            break
    for text in _named(texts, "workflow"):
        content = _object(text.value)
        if isinstance(content.get("nodes"), list):
            yield _made(
                "ComfyUI",
                text,
                claim=Claim.AI_GENERATED if run else Claim.NONE,
                summary="The file carries an editable ComfyUI workflow"
                + ("" if run else ", but no graph that was run: often a screenshot of the graph"),
                confidence="certain" if run else "weak",
                nodes=len(content["nodes"]),
                version=content.get("version"),
            )


def _comfyui_run(text: Text, nodes: list[JsonObject], size: Size) -> Finding:
    inputs = [n["inputs"] for n in nodes if isinstance(n.get("inputs"), dict)]
    models = sorted(
        {
            str(values[key])
            for values in inputs
            for key in ("ckpt_name", "unet_name", "model_name", "lora_name")
            if isinstance(values.get(key), str)
        }
    )
    summary = "The file carries a ComfyUI graph that was run"
    doubt = _odd_size(size)
    if doubt:
        summary += f"; {doubt}"
    return _made(
        "ComfyUI",
        text,
        summary=summary,
        nodes=len(nodes),
        models="; ".join(models[:8]),
        size_note=doubt,
    )


def _odd_size(size: Size) -> str:
    """A remark on sizes no diffusion model gives: their sides are multiples of 8."""
    if size is None or min(size) < 64 or not (size[0] % 8 or size[1] % 8):
        return ""
    return (
        f"{size[0]}×{size[1]} is no size a diffusion model gives, so the picture was cropped, "
        "scaled, or is a screenshot of the graph"
    )


def _invokeai(texts: Texts, _: Size) -> Iterator[Finding]:
    for text in _named(texts, "invokeai_metadata", "invokeai_graph", "invokeai_workflow"):
        content = _object(text.value)
        model = content.get("model")
        name = model.get("model_name") or model.get("name") if isinstance(model, dict) else None
        yield _made(
            "InvokeAI",
            text,
            confidence="certain" if content else "likely",
            model=name,
            prompt=content.get("positive_prompt"),
            seed=content.get("seed"),
            version=content.get("app_version"),
        )
    for text in _named(texts, "sd-metadata"):
        content = _object(text.value)
        image = content.get("image")
        yield _made(
            "InvokeAI",
            text,
            confidence="certain" if "app_id" in content or image else "likely",
            model=content.get("model_weights"),
            version=content.get("app_version"),
        )
    for text in _named(texts, "Dream"):
        if re.search(r"(?:^|\s)-[sSWHCA]\s?[\w.]+", text.value[:20_000]):
            yield _made("InvokeAI", text, prompt=text.value.strip('"').partition('"')[0])


def _novelai(texts: Texts, _: Size) -> Iterator[Finding]:
    fields = {t.key: t for t in texts if t.key in ("Software", "Title", "Source", "Comment")}
    for text in _named(texts, "stealth"):
        content = _object(text.value)
        if str(content.get("Software", "")).lower() == "novelai":
            yield _made(
                "NovelAI", text, model=content.get("Source"), prompt=content.get("Description")
            )
    software = fields.get("Software")
    if software and software.value.strip().lower() == "novelai":
        facts = _object(fields["Comment"].value) if "Comment" in fields else {}
        yield _made(
            "NovelAI",
            software,
            model=fields["Source"].value if "Source" in fields else None,
            prompt=facts.get("prompt"),
            sampler=facts.get("sampler"),
            seed=facts.get("seed"),
        )


_JOB = re.compile(r"Job ID: [0-9a-f]{8}-[0-9a-f-]{27}", re.IGNORECASE)
_FLAGS = re.compile(r"\s--(?:v|ar|niji|s|stylize|chaos|style|q|raw|profile|sref) ?[\w.:]+")


def _midjourney(texts: Texts, _: Size) -> Iterator[Finding]:
    for text in _named(texts, "Description", "ImageDescription", "comment"):
        job, flags = _JOB.search(text.value[:20_000]), _FLAGS.search(text.value[:20_000])
        if job:
            yield _made("Midjourney", text, prompt=text.value[: job.start()], job=job.group()[8:])
        elif flags:
            yield _made("Midjourney", text, confidence="likely", prompt=text.value)


# Programs that write one JSON object: the keys that only it has, its name, and where the model
# stands.
_OBJECTS: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset({"mflux_version"}), "mflux", "model"),
    (frozenset({"sui_image_params"}), "SwarmUI", "model"),
    (frozenset({"c", "uc", "sampler", "scale"}), "Draw Things", "model"),
    (frozenset({"c", "v2", "model"}), "Draw Things", "model"),
    (frozenset({"use_stable_diffusion_model"}), "Easy Diffusion", "use_stable_diffusion_model"),
    (
        frozenset({"stable_diffusion_model", "guidance_scale"}),
        "Easy Diffusion",
        "stable_diffusion_model",
    ),
    (frozenset({"baseModel", "samplerName"}), "Tensor.Art or SeaArt", "baseModel"),
    (frozenset({"models", "prompt", "cfgScale"}), "Civitai generator", "baseModel"),
    (frozenset({"extraMetadata", "resource-stack"}), "Civitai generator", "baseModel"),
)


def _objects(texts: Texts, _: Size) -> Iterator[Finding]:
    for text in texts:
        content = _object(text.value)
        for keys, name, model in _OBJECTS:
            if keys <= content.keys():
                inner = content.get("sui_image_params")
                facts = inner if isinstance(inner, dict) else content
                yield _made(
                    name,
                    text,
                    model=facts.get(model),
                    prompt=facts.get("prompt") or facts.get("c"),
                    seed=facts.get("seed"),
                    version=facts.get("mflux_version"),
                )
                break


def _easy_diffusion(texts: Texts, _: Size) -> Iterator[Finding]:
    """Easy Diffusion writes one PNG text a setting."""
    keys = {t.key for t in texts}
    if {"use_stable_diffusion_model", "guidance_scale"} <= keys or {
        "Stable Diffusion model",
        "Guidance Scale",
    } <= keys:
        marked = _named(texts, "use_stable_diffusion_model", "Stable Diffusion model")
        for text in marked:
            yield _made("Easy Diffusion", text, model=text.value)


def _label(texts: Texts, _: Size) -> Iterator[Finding]:
    """The ``AIGC`` label of Chinese services (GB 45438-2025) in a text of its own or a comment."""
    for text in texts:
        named = text.key == "AIGC" or "AIGC" in _object(text.value)
        finding = aigc(text.value, text.where) if named else None
        if finding:
            yield finding


_SIGNED_IN = frozenset({"software", "generator", "creatortool", "creator tool", "creator_tool"})
_CREDITS = frozenset(
    {"author", "comment", "copyright", "credit", "description", "disclaimer", "source", "title"}
)


def _signed(texts: Texts, _: Size) -> Iterator[Finding]:
    """Programs that leave no parameters, but their name in a text made for it, or a set phrase."""
    for text in _named(texts, *_SIGNED_IN, *_CREDITS):
        look_up = programs.known if text.key.lower() in _SIGNED_IN else programs.phrase
        program = look_up(text.value)
        if program and program.claim is not Claim.NONE:
            yield _made(
                program.name,
                text,
                claim=program.claim,
                summary=f"{text.where} names {program.name}",
                confidence="likely",
                text=text.value,
            )


_READERS: tuple[Callable[[Texts, Size], Iterator[Finding]], ...] = (
    _fooocus,
    _a1111,
    _comfyui,
    _invokeai,
    _novelai,
    _midjourney,
    _objects,
    _easy_diffusion,
    _label,
    _signed,
)
