"""The detectors of a server and the threads that judge: the analysis of ``authentiscan scan``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from authentiscan.analysis.report import Report
from authentiscan.attribution import AttributorSpec, load_attributor
from authentiscan.core.errors import NotThereError, ServiceError
from authentiscan.images.decode import DEFAULT_LIMITS
from authentiscan.inference.detector import Backend, Detector, load_detector
from authentiscan.inference.onnx_backend import OnnxBackend
from authentiscan.provenance import TrustList
from authentiscan.scan.engine import Options, judge
from authentiscan.scan.items import Item
from authentiscan.serving.api.batching import BatchingBackend, batched
from authentiscan.serving.api.limits import PixelRoom
from authentiscan.serving.api.schemas import Models, Namer, Served

P = ParamSpec("P")
T = TypeVar("T")

_THREADS_A_CORE = 4  # so that crops of several requests wait for the network together
_FEWEST_THREADS = 8


class Judges:
    """All detectors of a server, each behind batches that concurrent requests share.

    models: as `find_bundle` understands them; the first is the default. attributor: what names
    generators, ``none`` for nothing. workers: cores to use.
    most: crops in a call. seen: told crops and callers of each call.

    Raises a BundleError leaf where one cannot be loaded. Close it at the end.
    """

    def __init__(
        self,
        models: Sequence[str],
        *,
        attributor: str = "none",
        workers: int,
        most: int,
        max_pixels: int,
        seen: Callable[[int, int], None],
    ) -> None:
        self._backends: list[BatchingBackend] = []
        self._workers, self._most, self._seen = workers, most, seen
        self.limits = DEFAULT_LIMITS.model_copy(update={"pixels": max_pixels})
        self.trust = TrustList.chosen()
        nobody = attributor == "none"
        self._attributor = None if nobody else load_attributor(attributor, threads=1)
        self.detectors: dict[str, Detector] = {}
        self.pixels = PixelRoom(max_pixels)
        threads = max(_FEWEST_THREADS, _THREADS_A_CORE * workers)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="judge")
        for named in models:
            detector = batched(load_detector(named, threads=1), self._made)
            self.detectors[_name(detector.spec.name, self.detectors)] = detector

    def find(self, model: str | None) -> Detector:
        """The detector called ``model``, the first where it is None. Raises NotThereError."""
        if model is None:
            return next(iter(self.detectors.values()))
        if model not in self.detectors:
            known = ", ".join(self.detectors)
            raise NotThereError(f"there is no detector {model!r} here; known are: {known}")
        return self.detectors[model]

    def name(self, model: str | None) -> str:
        """The name of the detector that ``model`` means. Raises NotThereError."""
        self.find(model)
        return model or next(iter(self.detectors))

    def report(
        self, name: str, content: bytes, model: str | None, *, stability: bool, provenance: bool
    ) -> Report:
        """The report on one encoded image; what goes wrong becomes its error."""
        options = Options(
            stability,
            provenance,
            limits=self.limits,
            trust=self.trust,
            attributor=self._attributor,
        )
        detector = self.find(model)
        with self.pixels.of(content):
            return judge(Item(name, content=content), detector, options).report

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``work`` on a thread of the judges."""
        return self._threads.submit(work, *args, **kwargs)

    def served(self) -> Models:
        """What ``/v1/models`` shows."""
        first = next(iter(self.detectors))
        return Models(
            models=tuple(_served(name, one, name == first) for name, one in self.detectors.items()),
            attributor=None if self._attributor is None else _namer(self._attributor.spec),
        )

    def close(self) -> None:
        """Let what runs end, then end all threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for backend in self._backends:
            backend.close()

    def _made(self, backend: Backend, most: int) -> BatchingBackend:
        # On a GPU one caller fills the card; on a CPU one runner a core, each with one thread.
        fast = isinstance(backend, OnnxBackend) and "CPU" not in backend.provider
        runners = 1 if fast else self._workers
        made = BatchingBackend(
            backend, most=min(most, self._most), runners=runners, seen=self._seen
        )
        self._backends.append(made)
        return made


async def answers(futures: Sequence[Future[T]], deadline: float) -> list[T]:
    """What the futures give, in order. Raises ServiceError where that takes beyond ``deadline``.

    deadline: of the event loop's clock. What has not begun by then never does.
    """
    try:
        async with asyncio.timeout_at(deadline):
            return [await asyncio.shield(asyncio.wrap_future(future)) for future in futures]
    except TimeoutError as error:
        raise ServiceError(
            "judging took longer than this server allows; send smaller images, fewer at once, or "
            "make it a job: POST /v1/jobs"
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _name(name: str, taken: dict[str, Detector]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _namer(spec: AttributorSpec) -> Namer:
    return Namer(
        name=spec.name,
        version=spec.version,
        sha256=spec.identity,
        generators=spec.names,
        least_fit=spec.least_fit,
        limits=spec.limits,
    )


def _served(name: str, detector: Detector, first: bool) -> Served:
    spec = detector.spec
    return Served(
        name=name,
        version=spec.version,
        architecture=spec.architecture_name,
        sha256=spec.sha256,
        default=first,
        generated_from=spec.decision.generated.score,
        fpr=spec.decision.generated.fpr,
        real_below=spec.decision.real_below,
        miss=spec.decision.real.miss,
        parameters=sum(network.architecture.parameters for network in spec.networks),
        licence=spec.licence,
        summary=spec.summary,
        limits=spec.limits,
    )
