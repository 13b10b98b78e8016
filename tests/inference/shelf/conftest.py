"""Small detectors of every contract, a shelf of the test's own, and a server that misbehaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

SIZE = 32


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTHENTISCAN_SHELF", str(tmp_path / "shelf"))
    return tmp_path / "shelf"


def write_onnx(
    path: Path,
    tail: list[Any],
    result: str = "logit",
    shape: tuple[Any, ...] = ("n", 1),
    *,
    classes: int = 1,
    kind: int = TensorProto.FLOAT,
    size: int = SIZE,
    batch: Any = "n",
    more: tuple[Any, ...] = (),
    opset: int = 17,
) -> Path:
    """A graph: mean of each colour -> (N, classes) linear ``z`` -> ``tail`` -> ``result``."""
    weights = np.linspace(-2, 3, 3 * classes).reshape(3, classes).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["input"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["m"]),
        helper.make_node("MatMul", ["m", "w"], ["z"]),
        *tail,
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", kind, [batch, 3, size, size])],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, list(shape)), *more],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    onnx.save(model, path)
    return path


class Server:
    """Files by path, over HTTP; what it did is in ``asked``.

    cut: bytes after which the next answer breaks off. loops: addresses that lead to each other.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.cut: int | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_ref: ClassVar[Any] = outer

            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.asked.append((handler.path, wanted))
        if handler.path in self.moved:
            handler.send_response(302)
            handler.send_header("Location", self.moved[handler.path])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        content = self.files.get(handler.path)
        if content is None:
            handler.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        if start >= len(content) and wanted:
            handler.send_error(416)
            return
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        rest = content[start:]
        if self.cut is not None:
            rest, self.cut = rest[: self.cut], None
            handler.close_connection = True
        handler.wfile.write(rest)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()
