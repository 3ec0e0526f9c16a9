"""OpenTelemetry traces over HTTP (OTLP, protobuf). Nothing is imported or sent unless an address is set.

A request is a span. A phase of a job is a trace; its ids are derived from the phase's id in the durable queue, so that
stages after a restart belong to the same trace. The request that queued the phase links to it. No text, name or key is
ever an attribute. A failing receiver causes one warning every ten minutes and nothing else: spans are sent from a
thread, and dropped when too many wait.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as Recorded
    from opentelemetry.trace import SpanContext, Tracer

_SEND_WITHIN_S: Final = 5.0
_WARN_EVERY_S: Final = 600.0
_MOST_PHASES: Final = 1000  # the phase of a deleted job never ends
_TRACES: Final = "/v1/traces"  # of OTLP over HTTP, below the address that is set
_log = logging.getLogger("telemetry")
_forced: contextvars.ContextVar[tuple[int, int] | None] = contextvars.ContextVar("forced", default=None)
_began_ns: dict[str, int] = {}  # of running phases


class Span:
    """A span, or a no-op when tracing is off."""

    def __init__(self, recorded: Recorded | None = None) -> None:
        self._recorded = recorded

    def name(self, name: str) -> None:
        if self._recorded is not None:
            self._recorded.update_name(name)

    def set(self, **attributes: str | int | float | bool) -> None:
        """A double underscore in a name stands for a dot."""
        if self._recorded is not None:
            self._recorded.set_attributes(_dotted(attributes))

    def fail(self, code: str) -> None:
        """Mark the span as failed with an error code of the catalogue."""
        if self._recorded is not None:
            from opentelemetry.trace import StatusCode

            self._recorded.set_attribute("error.type", code)
            self._recorded.set_status(StatusCode.ERROR, code)


class _Tracing:
    """The state between `start` and `stop`."""

    def __init__(self, provider: TracerProvider, tracer: Tracer) -> None:
        self.provider, self.tracer = provider, tracer


_active: _Tracing | None = None


def check_endpoint(setting: str) -> None:
    """Raises ValueError when the text is not an HTTP address."""
    parts = urlsplit(setting)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected an address such as http://collector:4318")
    if parts.username or parts.password:
        raise ValueError("it holds a user or a password; those belong into OTEL_EXPORTER_OTLP_HEADERS")


def parse_headers(setting: str) -> dict[str, str]:
    """NAME=VALUE pairs, separated by commas, values percent-encoded as OpenTelemetry has it.

    Raises ValueError; its message shows none of the text.
    """
    found = {}
    for at, pair in enumerate((part.strip() for part in setting.split(",")), 1):
        name, equals, value = (part.strip() for part in pair.partition("="))
        value = unquote(value)
        if not pair:
            continue
        if not (
            equals
            and name
            and name.isascii()
            and name.replace("-", "").replace("_", "").isalnum()
            and value.isascii()
            and value.isprintable()
        ):
            raise ValueError(f"entry {at} is not NAME=VALUE")
        found[name.lower()] = value
    return found


def start(endpoint: str, headers: str, *, version: str) -> None:
    """Begin to record and send; without an address, nothing happens. Blocks for the import, about half a second."""
    global _active
    if not endpoint or _active is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it would log an error for every batch
    address = endpoint.rstrip("/") + _TRACES
    exporter = OTLPSpanExporter(endpoint=address, headers=parse_headers(headers), timeout=_SEND_WITHIN_S)
    about = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or "autodubber",
        "service.version": version,
        "service.instance.id": f"{socket.gethostname()}-{secrets.token_hex(4)}",
    }
    provider = TracerProvider(resource=Resource.create(about), id_generator=_ids(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_patient(exporter, urlsplit(endpoint).netloc)))
    _active = _Tracing(provider, provider.get_tracer("autodubber", version))
    _log.info("traces are sent", extra={"to": urlsplit(endpoint).netloc})


def stop(within_s: float = 2.0) -> None:
    """Send the remaining spans for at most `timeout_s`, then stop recording. Blocks."""
    global _active
    if _active is None:
        return
    provider, _active = _active.provider, None
    _began_ns.clear()
    last = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
    last.start()
    last.join(within_s)


@contextlib.contextmanager
def span(name: str, kind: str = "internal", **attributes: str | int | float | bool) -> Iterator[Span]:
    """Record the block as a child of the current span. `kind`: internal, server or client."""
    if _active is None:
        yield Span()
        return
    from opentelemetry.trace import SpanKind

    with _active.tracer.start_as_current_span(
        name,
        kind=SpanKind[kind.upper()],
        attributes=_dotted(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as recorded:
        yield Span(recorded)


# ---------------------------------------------------------------- the durable queue


def queued(workflow_id: str) -> None:
    """Link the current span, a request, to the phase of a job that it queued."""
    if _active is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().add_link(_context_of(workflow_id))


def begun(workflow_id: str) -> None:
    """The phase runs, for the first time or again after a restart."""
    if _active is not None:
        _began_ns.setdefault(workflow_id, time.time_ns())
        while len(_began_ns) > _MOST_PHASES:
            _began_ns.pop(next(iter(_began_ns)), None)


@contextlib.contextmanager
def stage(workflow_id: str, job_id: str, name: str) -> Iterator[Span]:
    """Record a stage of the phase."""
    if _active is None:
        yield Span()
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    begun(workflow_id)
    within = set_span_in_context(NonRecordingSpan(_context_of(workflow_id)), Context())
    attributes = {"autodubber.job_id": job_id, "autodubber.stage": name}
    with _active.tracer.start_as_current_span(
        f"stage {name}", context=within, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as recorded:
        yield Span(recorded)


def ended(workflow_id: str, job_id: str, phase: str, *, code: str = "", followed_by: str = "") -> None:
    """End the span of the phase, the parent of its stages' spans. `code` is the error's; `followed_by` the phase that
    it queued."""
    began_ns = _began_ns.pop(workflow_id, time.time_ns())
    if _active is None:
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import Link

    own = _context_of(workflow_id)
    forced = _forced.set((own.trace_id, own.span_id))
    try:
        recorded = _active.tracer.start_span(
            f"phase {phase}",
            context=Context(),
            start_time=began_ns,
            attributes={"autodubber.job_id": job_id, "autodubber.phase": phase},
            links=[Link(_context_of(followed_by))] if followed_by else None,
        )
    finally:
        _forced.reset(forced)
    if code:
        Span(recorded).fail(code)
    recorded.end()


# ---------------------------------------------------------------- parts of the library, created when it is imported


def _dotted(attributes: Mapping[str, str | int | float | bool]) -> dict[str, str | int | float | bool]:
    return {name.replace("__", "."): value for name, value in attributes.items()}


def _context_of(workflow_id: str) -> SpanContext:
    """The ids of a phase's span: the same ones in every process that works on it."""
    from opentelemetry.trace import SpanContext, TraceFlags

    digest = hashlib.sha256(f"autodubber {workflow_id}".encode()).digest()
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(
        int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1, is_remote=True, trace_flags=flags
    )


def _ids() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Random ids, except for the span of a phase."""

        def generate_trace_id(self) -> int:
            forced = _forced.get()
            return forced[0] if forced else super().generate_trace_id()

        def generate_span_id(self) -> int:
            forced = _forced.get()
            return forced[1] if forced else super().generate_span_id()

    return Ids()


def _patient(exporter: Any, where: str) -> Any:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Patient(SpanExporter):
        """Exports spans; logs now and then that exporting fails, and once when it works again."""

        _warned_at = -_WARN_EVERY_S
        _lost = 0

        def export(self, spans: Any) -> Any:
            result = exporter.export(spans)
            if result is SpanExportResult.SUCCESS:
                if self._lost:
                    _log.info("traces are taken again", extra={"to": where, "lost": self._lost})
                    self._lost = 0
                return result
            self._lost += len(spans)
            if time.monotonic() - self._warned_at >= _WARN_EVERY_S:
                self._warned_at = time.monotonic()
                _log.warning("traces are not taken", extra={"to": where, "lost": self._lost})
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Patient()
