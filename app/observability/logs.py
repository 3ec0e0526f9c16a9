"""Configures the log: JSON lines (or coloured lines for people) with request id, job id and stage. Secrets are removed
from every line.

Call `configure` once per process. Within `bound(job_id=..., stage=...)` every line carries these fields, those of
standard `logging` too. One event is one line: line breaks and control characters in its text are escaped in both
formats.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO

import app.observability.bare_structlog  # noqa: F401 - before structlog

# isort: split
import structlog
from structlog.contextvars import bound_contextvars as bound

from app.observability import metrics
from app.observability.log_file import LogFile

__all__ = ["bound", "configure", "hide", "redact"]

Processor = Callable[..., Any]

HIDDEN: Final = "[redacted]"
_SECRET_NAME: Final = re.compile(
    r"api[-_]?key|autodubber[-_]key|authorization|cookie|password|passwd|secret|token|credential|(^|_)key$",
    re.IGNORECASE,
)
# Values that look like keys: ElevenLabs' and OpenAI's `sk_...`/`sk-...`, bearer tokens, a named secret in free text, a
# password in an address.
_SECRET_VALUE: Final = re.compile(
    r"\b(?:sk|xi|pk|rk)[-_][A-Za-z0-9_-]{12,}"
    r"|(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"
    r"|(?<=basic )[A-Za-z0-9+/=]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    r"((?:xi-api-key|autodubber[-_]key|api[-_]?key|authorization|password|secret|token)[\"']?\s*[:=]\s*(?:b?[\"'])?)([^\s\"',;&}]{4,})",
    re.IGNORECASE,
)
_FIRST: Final = ("timestamp", "level", "logger", "event", "request_id", "job_id", "stage")
_SHORTEST_SECRET: Final = 8
_own: re.Pattern[str] | None = None  # secrets from the settings
_PLAIN_KEYS: Final = frozenset({"key"})  # names of blobs use this field


def hide(secrets: Iterable[str]) -> None:
    """Remove these texts from every later line, wherever they occur. Short texts are ignored: they would remove common
    words."""
    global _own
    known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True)
    _own = re.compile("|".join(map(re.escape, known))) if known else None


def redact_text(text: str) -> str:
    """The text with everything that looks like a secret removed."""
    if _own is not None:
        text = _own.sub(HIDDEN, text)
    return _NAMED.sub(rf"\1{HIDDEN}", _SECRET_VALUE.sub(HIDDEN, text))


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: hides secrets by the name of a field and by the look of a value, at any depth."""
    for name in list(event):
        event[name] = _clean(name, event[name])
    return event


def _clean(name: str, value: Any) -> Any:
    if name not in _PLAIN_KEYS and _SECRET_NAME.search(name) and value is not None and not isinstance(value, bool):
        return HIDDEN
    match value:
        case str():
            return redact_text(value)
        case bytes():
            return redact_text(value.decode("utf-8", "replace"))
        case dict():
            return {k: _clean(str(k), v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean("", v) for v in value]
        case None | bool() | int() | float():
            return value
        case BaseException():
            return redact_text(repr(value))
    return redact_text(str(value))  # the text as the log would show it


def configure(
    level: str = "info", style: str = "json", stream: TextIO | None = None, file: LogFile | None = None
) -> None:
    """Send structlog and standard logging through one pipeline to `stream` (standard error), and to `file` too. `style`
    is json or console.

    Uncaught exceptions of any thread are logged as well.
    """
    stream = stream or sys.stderr
    stamped: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _stamp,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *stamped, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handlers: list[logging.Handler] = [_Lines(stream, counts=True)]
    handlers[0].setFormatter(_formatter(style, stamped, colors=stream.isatty()))
    if file is not None:
        handlers.append(_Filed(file))
        handlers[1].setFormatter(_formatter(style, stamped, colors=False))
    root = logging.getLogger()
    root.handlers = handlers
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    # DBOS adds no console handler to a logger that has a handler
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    logging.getLogger("dbos").addFilter(_is_no_cancellation)
    for noisy in ("httpx", "httpcore", "alembic", "sqlalchemy", "dbos", "litestar", "urllib3"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """DBOS logs a cancelled workflow as an error with a traceback. It is none; the job's own log tells of it."""
    return not (record.exc_info and record.exc_info[0] and "Cancelled" in record.exc_info[0].__name__)


def _formatter(style: str, stamped: Sequence[Processor], *, colors: bool) -> logging.Formatter:
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
    ]
    if style == "json":
        last += [_in_order, structlog.processors.JSONRenderer(default=str)]
    else:
        last += [_on_one_line, structlog.dev.ConsoleRenderer(colors=colors)]
    return structlog.stdlib.ProcessorFormatter(
        processors=last, foreign_pre_chain=[*stamped, structlog.stdlib.ExtraAdder()]
    )


def _stamp(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: adds the time, the same for every output."""
    record = event.get("_record")
    at = datetime.fromtimestamp(record.created if record is not None else time.time(), UTC)
    event["timestamp"] = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return event


def _in_order(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: moves the fields that every line has to the front."""
    return {**{name: event[name] for name in _FIRST if name in event}, **event}


def _on_one_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor of the format for people: escapes control characters, so that no text moves the cursor or
    looks like another line.

    A traceback keeps its line breaks. Its lines are indented, which lines of the log never are.
    """
    for name, value in event.items():
        if name in ("exception", "stack") and isinstance(value, str):
            event[name] = "\n".join(f"    {_printable(line)}" for line in value.splitlines())
        elif isinstance(value, str):
            event[name] = _printable(value)
        elif not isinstance(value, bool | int | float | None):
            event[name] = _printable(str(value))
    return event


def _printable(text: str) -> str:
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    )


class _Lines(logging.StreamHandler[TextIO]):
    """Writes each line with one call, because another process writes to the same output. A failed write is reported on
    standard error, once."""

    def __init__(self, stream: TextIO, *, counts: bool = False) -> None:
        super().__init__(stream)
        self._counts = counts

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record) + "\n")
            self.stream.flush()
        except Exception:  # as in logging: a line that cannot be written raises nothing
            self.handleError(record)
        if self._counts:
            metrics.LOG_LINES.add(record.levelname.lower())

    def handleError(self, record: logging.LogRecord) -> None:
        _complain(f"a line of the log could not be written: {sys.exc_info()[1]!r}")


class _Filed(logging.Handler):
    """Writes the same lines to the log file."""

    def __init__(self, file: LogFile) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._file.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        _complain(f"the log file takes nothing: {sys.exc_info()[1]!r}")


def _complain(text: str) -> None:
    if sys.stderr is not None:
        try:
            sys.stderr.write(f"autodubber: {_printable(redact_text(text))}\n")
        except (OSError, ValueError):  # standard error is closed too: there is nowhere left to report it
            return


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger("process").critical("uncaught", exc_info=(kind, error, trace))


def _uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None:
        trace = (given.exc_type, given.exc_value, given.exc_traceback)
        logging.getLogger("process").critical(
            "uncaught in a thread", exc_info=trace, extra={"thread_name": given.thread.name if given.thread else ""}
        )
