"""Where a run stands, and checkpoints that a kill at any moment cannot spoil."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from authentiscan.core.errors import OutputError, TrainingError
from authentiscan.core.files import write_bytes
from authentiscan.core.types import JsonObject

LAST = "last.ckpt"
BEST = "best.ckpt"
FORMAT = 1
_SEAL = 64  # characters of a SHA-256


@dataclass
class Progress:
    """Where a run stands; plain values only.

    phase, epoch, step: running phase, epochs done in it, batches done in the running epoch.
    total_epochs, total_steps: over all phases. waited: epochs without a better figure.
    phase_best, best: best monitored figure of the phase and of the run. loss_sum, hits, seen: of
    the running epoch. unreadable: row and reason. history: one record an epoch.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    total_epochs: int = 0
    total_steps: int = 0
    waited: int = 0
    phase_best: float | None = None
    best: float | None = None
    best_epoch: int = 0
    loss_sum: float = 0.0
    hits: int = 0
    seen: int = 0
    finished: bool = False
    unreadable: dict[int, str] = field(default_factory=dict)
    history: list[JsonObject] = field(default_factory=list)

    def start_epoch(self) -> None:
        """Forget the sums of the epoch before."""
        self.step, self.loss_sum, self.hits, self.seen = 0, 0.0, 0, 0

    def judge(self, value: float, sign: int, margin: float) -> bool:
        """Count an epoch's monitored figure; whether it is the run's best so far.

        sign: -1 where small is good, else 1. margin: what the phase must gain to go on waiting.
        """
        if self.phase_best is None or sign * (value - self.phase_best) > margin:
            self.phase_best, self.waited = value, 0
        else:
            self.waited += 1
        if self.best is not None and sign * (value - self.best) <= 0:
            return False
        self.best, self.best_epoch = value, self.total_epochs
        return True

    def start_phase(self, phase: int) -> None:
        """Go to another phase."""
        self.phase, self.epoch, self.waited, self.phase_best = phase, 0, 0, None
        self.start_epoch()


def save_checkpoint(path: Path, content: JsonObject) -> None:
    """Write ``content`` (tensors and plain values) so that ``path`` is always a whole checkpoint.

    Written beside it, flushed to the disk, then renamed. Raises OutputError where it cannot be
    written; the checkpoint that was there before stays.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **content}, buffer)
    try:
        write_bytes(path, _sealed(buffer.getvalue()))
    except OutputError as error:
        raise OutputError(
            f"{error} ({buffer.tell() / 1e6:.0f} MB are needed, {_free(path)} free there). "
            f"Earlier checkpoints are whole: go on later with --resume {path.parent.parent}"
        ) from error


def load_checkpoint(path: Path) -> JsonObject:
    """Read a checkpoint; only tensors and plain values are accepted, never code.

    Raises TrainingError where it is missing, damaged or of another format.
    """
    if not path.is_file():
        raise TrainingError(f"no checkpoint {path}; start the run anew without --resume")
    _check_whole(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many unrelated types for damaged files
        reason = str(error).partition("\n")[0][:200]
        raise TrainingError(f"the checkpoint {path} is damaged: {reason}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise TrainingError(f"the checkpoint {path} was not written by this release")
    return content


def _check_whole(path: Path) -> None:
    """Raise TrainingError where a byte of the checkpoint is not what was written.

    torch reads tensors without looking at the archive's checksums. Those cover the content; the
    digest that `save_checkpoint` appends covers the rest, and is absent in older checkpoints.
    """
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            broken, comment = archive.testzip(), archive.comment
        body, tail = content[:-_SEAL], content[-_SEAL:]
        sealed = comment or body.endswith(_SEAL.to_bytes(2, "little")) or tail.isalnum()
        if sealed and tail != _digest(body):
            broken = "a byte of it"
    except Exception as error:  # zipfile raises many unrelated types for damaged archives
        raise TrainingError(f"the checkpoint {path} is damaged: {error}") from error
    if broken is not None:
        raise TrainingError(
            f"the checkpoint {path} is damaged: {broken} is not what was written; go on from "
            "another checkpoint, or start the run anew"
        )


def _digest(archive: bytes) -> bytes:
    return hashlib.sha256(archive).hexdigest().encode()


def _sealed(archive: bytes) -> bytes:
    """A zip archive whose comment is the digest of all before it."""
    # An archive without a comment ends with the comment's length.
    body = archive[:-2] + _SEAL.to_bytes(2, "little")
    return body + _digest(body)


def progress_record(progress: Progress) -> JsonObject:
    """``progress`` as plain values for a checkpoint."""
    return asdict(progress)


def progress_from(record: JsonObject) -> Progress:
    """The inverse of `progress_record`."""
    return Progress(**record)


def _free(path: Path) -> str:
    try:
        return f"{shutil.disk_usage(path.parent).free / 1e6:.0f} MB are"
    except OSError:
        return "an unknown amount is"
