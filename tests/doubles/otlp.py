"""A receiver of traces, OTLP over HTTP as protobuf: strict in what it takes, and able to fail.

What a request must be: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
"""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Span(msgspec.Struct, frozen=True):
    """One span as it came; ids are hexadecimal, times Unix nanoseconds."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    links: tuple[tuple[str, str], ...]
    attributes: dict[str, Any]
    failed: bool
    began_ns: int
    ended_ns: int


class Receiver:
    """Takes traces at `url`. `mode`: "takes", "refuses" (503), or "silent" (it takes the connection and never
    answers)."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url, self.mode = url, "takes"
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.asked = 0
        self.raw = b""
        self._headers = headers
        self._came = threading.Condition()
        self.over = threading.Event()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def wait(self, count: int, name: str, within_s: float = 30.0) -> list[Span]:
        """The spans of that name as soon as there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.named(name)) >= count, within_s), [
                span.name for span in self.spans
            ]
        return self.named(name)

    def wait_asked(self, count: int, within_s: float = 30.0) -> None:
        with self._came:
            assert self._came.wait_for(lambda: self.asked >= count, within_s)

    def ask(self) -> None:
        with self._came:
            self.asked += 1
            self._came.notify_all()

    def take(self, path: str, headers: Any, body: bytes) -> int:
        """The status to answer; what is wrong is kept in `faults`."""
        wrong = []
        if path != "/v1/traces":
            wrong.append(f"path {path}")
        if headers.get("content-type") != "application/x-protobuf":
            wrong.append(f"content-type {headers.get('content-type')}")
        wrong += [f"header {name}" for name, value in self._headers.items() if headers.get_all(name) != [value]]
        body = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        with self._came:
            self.faults += wrong
            self.raw += body
            for resource in request.resource_spans:
                self.resources.append(_attributes(resource.resource.attributes))
                for scope in resource.scope_spans:
                    self.spans += [_span(span) for span in scope.spans]
            self._came.notify_all()
        return 400 if wrong else 200


def _span(span: Any) -> Span:
    return Span(
        span.name,
        span.kind,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        _attributes(span.attributes),
        span.status.code == 2,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextlib.contextmanager
def receiving(**headers: str) -> Iterator[Receiver]:
    """A receiver that wants exactly these headers (underscores are dashes)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            receiver.ask()
            if receiver.mode == "silent":
                receiver.over.wait()
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers["content-length"]))
            status = 503 if receiver.mode == "refuses" else receiver.take(self.path, self.headers, body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(
        f"http://127.0.0.1:{server.server_port}", {name.replace("_", "-"): value for name, value in headers.items()}
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
