"""C2PA content credentials: who signed what about the file, and whether that still holds.

Checked by c2pa-python, with every way to the network shut: no remote manifest, no revocation
look-up, no foreign identity document. https://spec.c2pa.org/
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from authentiscan.provenance import programs, sources
from authentiscan.provenance.records import Claim, Finding, State, shorten
from authentiscan.provenance.trust import Pin, TrustList

if TYPE_CHECKING:
    import c2pa  # type: ignore[import-untyped]

    from authentiscan.core.types import JsonObject

MAX_MANIFEST = 64 * 2**20
"""Largest manifest store that is checked, in bytes."""

MAX_MANIFESTS = 200

_MIME = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heif",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "SVG": "image/svg+xml",
    "JXL": "image/jxl",
    "MP4": "video/mp4",
}

# Codes of the specification that say the bytes are not what was signed. All other failures
# concern the signer (not on a list, expired, revoked) or the manifest's form: no sign of tampering.
_TAMPERED_ENDINGS = (".mismatch", ".missing", ".inaccessible", ".undeclared", ".notRedacted")
_TAMPERED = frozenset({"claim.malformed", "claim.cbor.invalid", "claim.multiple", "general.error"})
_BOUND = frozenset(f"assertion.{kind}Hash.match" for kind in ("data", "boxes", "bmff"))


# Actions that begin a picture, or that leave it the picture that it is.
_MAKING = frozenset(
    ("created", "opened", "converted", "transcoded", "repackaged", "published", "watermarked")
)


def available() -> bool:
    """Whether the library that checks manifests is installed."""
    from importlib.util import find_spec

    return find_spec("c2pa") is not None


def check(data: bytes, container: str, manifest_bytes: int, trust: TrustList) -> list[Finding]:
    """Findings of the manifest store that a container walk found in ``data``; at least one.

    container: the format's name; manifest_bytes: the store's size. The first finding is the active
    manifest's and carries the state of the whole store.
    """
    if not available():
        return [
            _plain(
                State.UNCHECKED,
                "A C2PA manifest is present but was not checked: the library c2pa-python is "
                "missing, install authentiscan again",
                bytes=str(manifest_bytes),
            )
        ]
    if manifest_bytes > MAX_MANIFEST:
        limit = f"{MAX_MANIFEST // 2**20} MB"
        return [_plain(State.UNCHECKED, f"The C2PA manifest is over {limit} and was not checked")]
    try:
        store = _read(data, container, trust)
    except Exception as error:  # the library raises many kinds; all mean the same here
        return [_failed(error)]
    if store is None:
        return [_plain(State.UNREADABLE, "What marks itself as a C2PA manifest holds none")]
    return list(_findings(store))


def _read(data: bytes, container: str, trust: TrustList) -> JsonObject | None:
    store, listed = _ask(data, container, trust.anchors, trust.pins)
    if listed:
        store, _ = _ask(data, container, trust.anchors + listed, ())
    return store


def _ask(
    data: bytes, container: str, anchors: str, pins: tuple[Pin, ...]
) -> tuple[JsonObject | None, str]:
    """The library's report on the store, and those of its certificates that ``pins`` vouch for."""
    import c2pa

    stream = io.BytesIO(data)
    context = c2pa.Context(_settings_for(anchors))
    reader = c2pa.Reader.try_create(_MIME.get(container, ""), stream, None, context)
    if reader is None:
        return None, ""
    with reader:
        content = json.loads(reader.json())
        if not isinstance(content, dict):
            return None, ""
        return content, _listed(reader, content, pins) if pins else ""


def _listed(reader: c2pa.Reader, store: JsonObject, pins: tuple[Pin, ...]) -> str:
    """PEM text of the anchors among the certificates that the store's signatures carry."""
    from authentiscan.provenance.pins import anchors

    manifests = store.get("manifests")
    signatures = []
    for label in list(manifests)[:MAX_MANIFESTS] if isinstance(manifests, dict) else ():
        held = io.BytesIO()
        try:
            reader.resource_to_stream(f"self#jumbf=/c2pa/{label}/c2pa.signature", held)
        except Exception:  # noqa: S112 -- many kinds, all: this manifest has no signature to read
            continue
        signatures.append(held.getvalue())
    return anchors(signatures, pins)


@lru_cache(maxsize=64)
def _settings_for(anchors: str) -> c2pa.Settings:
    """The library's settings, made once a set of trusted certificates."""
    import c2pa

    config: JsonObject = {
        "verify": {
            "verify_after_reading": True,
            "verify_trust": True,
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
        },
        "core": {"allowed_network_hosts": []},
    }
    if anchors:
        config["trust"] = {"trust_anchors": anchors}
    return c2pa.Settings.from_dict(config)


def _failed(error: Exception) -> Finding:
    message = shorten(str(error), 200)
    if message.startswith("NotSupported"):
        return _plain(
            State.UNCHECKED,
            "A C2PA manifest is present but was not checked: c2pa-python does not read it in "
            "this kind of file",
        )
    # A damaged hash or box in some containers is raised instead of reported as a state.
    if any(word in message.lower() for word in ("mismatch", "hashes do not match")):
        return _plain(State.INVALID, f"The C2PA manifest does not fit the file: {message}")
    return _plain(State.UNREADABLE, f"The C2PA manifest cannot be read: {message}")


def _plain(state: State, summary: str, **details: str) -> Finding:
    return Finding(
        kind="c2pa", state=state, summary=summary, source="C2PA manifest", details=details
    )


def _findings(store: JsonObject) -> Iterator[Finding]:
    manifests = store.get("manifests")
    active = manifests.get(store.get("active_manifest")) if isinstance(manifests, dict) else None
    if not isinstance(active, dict) or not isinstance(manifests, dict):
        yield _plain(State.UNREADABLE, "The C2PA store has no active manifest")
        return
    results = store.get("validation_results")
    results = results if isinstance(results, dict) else {}
    failures = _codes(results.get("activeManifest"), "failure")
    state = _state(failures, _codes(results.get("activeManifest"), "success"))
    below = list(_ingredients(active, manifests))
    yield _finding(
        "active manifest",
        active,
        state,
        _origin(active),
        failures=failures,
        ingredients=len(below),
    )
    deltas = _deltas(results)
    # A picture opened from another one has that one's origin, if the manifest states none itself.
    for label, manifest, relation in below[:MAX_MANIFESTS]:
        inherited, named = _origin(manifest)
        if inherited is Claim.NONE:
            continue
        if relation == "componentOf" and not _wrapper(active, below):
            inherited = {Claim.AI_GENERATED: Claim.AI_EDITED, Claim.AI_EDITED: Claim.AI_EDITED}.get(
                inherited, Claim.NONE
            )
        if relation == "inputTo":
            inherited = Claim.NONE
        failed = _codes(deltas.get(label), "failure")
        own = _state(failed, ["signingCredential.trusted"] if state is State.TRUSTED else [])
        if state in (State.INVALID, State.UNTRUSTED) and own is not State.INVALID:
            own = state
        yield _finding(
            f"ingredient ({relation})", manifest, own, (inherited, named), failures=failed
        )


def _codes(results: object, kind: str) -> list[str]:
    listed = results.get(kind) if isinstance(results, dict) else None
    return [str(e.get("code", "")) for e in listed or [] if isinstance(e, dict)]


def _deltas(results: JsonObject) -> dict[str, dict[str, list[JsonObject]]]:
    """Failures of ingredients by the label of the manifest they concern."""
    found: dict[str, dict[str, list[JsonObject]]] = {}
    for delta in results.get("ingredientDeltas") or []:
        listed = delta.get("validationDeltas") if isinstance(delta, dict) else None
        for entry in (listed or {}).get("failure") or []:
            parts = str(entry.get("url", "")).partition("/c2pa/")[2].split("/")
            found.setdefault(parts[0], {"failure": []})["failure"].append(entry)
    return found


def _state(failures: list[str], successes: list[str]) -> State:
    # A claim of imperfect form whose signature and hash of the file hold was not changed since.
    bound = "claimSignature.validated" in successes and any(c in _BOUND for c in successes)
    if any(_tampered(code) for code in failures if not (bound and code == "claim.malformed")):
        return State.INVALID
    others = [c for c in failures if not c.startswith("cawg.")]
    return (
        State.TRUSTED
        if "signingCredential.trusted" in successes and not others
        else State.UNTRUSTED
    )


def _tampered(code: str) -> bool:
    if code.startswith(("cawg.", "signingCredential.", "timeStamp.", "assertion.action.")):
        return False
    return code in _TAMPERED or code.endswith(_TAMPERED_ENDINGS)


def _ingredients(
    active: JsonObject, manifests: JsonObject
) -> Iterator[tuple[str, JsonObject, str]]:
    """(label, manifest, relation) of every ingredient with credentials, at any depth, once."""
    seen = {str(active.get("label"))}
    todo = [(active, "")]
    while todo and len(seen) < MAX_MANIFESTS:
        manifest, over = todo.pop(0)
        for ingredient in manifest.get("ingredients") or []:
            label = str(ingredient.get("active_manifest"))
            below = manifests.get(label)
            if label in seen or not isinstance(below, dict):
                continue
            seen.add(label)
            own = str(ingredient.get("relationship", "parentOf"))
            # A component of a parent is still only a part.
            relation = own if over in ("", "parentOf") else over
            todo.append((below, relation))
            yield label, below, relation


def _wrapper(active: JsonObject, below: list[tuple[str, JsonObject, str]]) -> bool:
    """Whether the active manifest only wraps its single ingredient, telling of no action."""
    return len(active.get("ingredients") or []) == 1 and bool(below) and not list(_actions(active))


def _actions(manifest: JsonObject) -> Iterator[JsonObject]:
    for assertion in manifest.get("assertions") or []:
        if not str(assertion.get("label", "")).startswith("c2pa.actions"):
            continue
        content = assertion.get("data")
        listed = content.get("actions") if isinstance(content, dict) else None
        yield from (a for a in listed or [] if isinstance(a, dict))


def _origin(manifest: JsonObject) -> tuple[Claim, str | None]:
    """What a manifest claims of the picture's origin, and the digital source type behind it."""
    claims: list[tuple[Claim, str | None]] = []
    for action in _actions(manifest):
        kind = str(action.get("digitalSourceType") or "")
        parameters = action.get("parameters")
        if not kind and isinstance(parameters, dict):
            kind = str(parameters.get("digitalSourceType") or "")
        claim = sources.claim(kind) if kind else Claim.NONE
        made = str(action.get("action", "")).removeprefix("c2pa.") in _MAKING
        if not kind:
            claim = _by_ai(_agent(action))
        if claim is Claim.AI_GENERATED and not made:
            claim = Claim.AI_EDITED  # a model worked on it, it did not begin it
        if kind or claim is not Claim.NONE:
            claims.append((claim, sources.term(kind) if kind else None))
        elif not made:
            claims.append((Claim.EDITED, None))
    for kind in _stated(manifest):
        claims.append((sources.claim(kind), sources.term(kind)))
    program = programs.known(_generator(manifest))
    if program and program.claim is Claim.AI_GENERATED and not any(kind for _, kind in claims):
        claims.append((Claim.AI_GENERATED, None))
    return min(claims, key=lambda s: sources.ORDER.index(s[0]), default=(Claim.NONE, None))


def _stated(manifest: JsonObject) -> Iterator[str]:
    """Digital source types of the metadata assertions, whose keys may have a namespace before."""
    for assertion in manifest.get("assertions") or []:
        content = assertion.get("data") if isinstance(assertion, dict) else None
        for key, value in content.items() if isinstance(content, dict) else ():
            local = re.split(r"[:/#]", str(key))[-1]
            if local.lower() in sources.NAMES and value:
                yield from map(str, value if isinstance(value, list) else [value])


def _agent(action: JsonObject) -> str:
    """The program that an action names."""
    agent = action.get("softwareAgent")
    return str((agent.get("name") if isinstance(agent, dict) else agent) or "")


def _by_ai(agent: str) -> Claim:
    """What it says that this program did it; nothing of a program that is no AI system."""
    program = programs.known(agent)
    ai = program is not None and program.claim in (Claim.AI_GENERATED, Claim.AI_EDITED)
    return program.claim if program is not None and ai else Claim.NONE


def _generator(manifest: JsonObject) -> str:
    listed = manifest.get("claim_generator_info")
    if isinstance(listed, list) and listed and isinstance(listed[0], dict):
        return f"{listed[0].get('name', '')} {listed[0].get('version') or ''}".strip()
    return str(manifest.get("claim_generator") or "")


_STATES = {
    State.TRUSTED: "Valid content credentials by a trusted signer",
    State.UNTRUSTED: "Intact content credentials by a signer who is not on the trust list",
    State.INVALID: "Content credentials that do not fit the file: it was changed after signing",
}
CHANGED = (
    "an editor, a messenger or a website that saves the picture anew does that too, so it is no "
    "sign of forgery or of generation; what the credentials claim no longer holds for this file"
)
"""What a broken binding does and does not mean."""


def _finding(
    place: str,
    manifest: JsonObject,
    state: State,
    origin: tuple[Claim, str | None],
    *,
    failures: list[str],
    ingredients: int = 0,
) -> Finding:
    claim, source_type = origin
    signature = manifest.get("signature_info")
    signature = signature if isinstance(signature, dict) else {}
    named = [_agent(action) for action in _actions(manifest)]
    identity = [c for c in failures if c.startswith("cawg.")]
    details = {
        "digitalSourceType": source_type,
        "signer": signature.get("issuer"),
        "certificate": signature.get("common_name"),
        "signed": signature.get("time"),
        "actions": ", ".join(str(a.get("action", "")) for a in _actions(manifest)),
        "softwareAgent": ", ".join(sorted({n for n in named if n})),
        "ingredients": str(ingredients) if ingredients else None,
        "problems": ", ".join(c for c in failures if c not in identity),
        "identity": ", ".join(identity),
        "title": manifest.get("title"),
        "meaning": CHANGED if state is State.INVALID else None,
    }
    by = shorten(str(signature.get("issuer") or "an unnamed signer"), 80)
    return Finding(
        kind="c2pa",
        state=state,
        claim=claim,
        summary=f"{_STATES[state]} ({by})" + (f", {place}" if place != "active manifest" else ""),
        generator=shorten(_generator(manifest), 120) or None,
        source=f"C2PA {place}",
        details={k: shorten(str(v)) for k, v in details.items() if v},
    )
