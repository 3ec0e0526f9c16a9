"""One log for everything: JSON lines (or coloured ones for people) with request id, job id and stage; secrets never reach it.

A leaf. `configure` once per process; `bound(job_id=..., stage=...)` around work, and every line within carries it, standard `logging` included.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.contextvars import bound_contextvars as bound

__all__ = ["bound", "configure", "redact"]

HIDDEN: Final = "[redacted]"
_SECRET_NAME: Final = re.compile(r"api[-_]?key|authorization|cookie|password|passwd|secret|token|credential|(^|_)key$", re.IGNORECASE)
# Values that look like keys: ElevenLabs' and OpenAI's `sk_...`/`sk-...`, bearer tokens, a named secret in free text, a password in an address.
_SECRET_VALUE: Final = re.compile(
    r"\b(?:sk|xi|pk|rk)[-_][A-Za-z0-9_-]{12,}"
    r"|(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"
    r"|(?<=basic )[A-Za-z0-9+/=]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    r"((?:xi-api-key|api[-_]?key|authorization|password|secret|token)[\"']?\s*[:=]\s*(?:b?[\"'])?)([^\s\"',;&}]{4,})", re.IGNORECASE
)
_PLAIN_KEYS: Final = frozenset({"key"})  # our own blobs' names travel under this one


def redact_text(text: str) -> str:
    """The text with everything that looks like a secret hidden."""
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
        case Exception():
            return redact_text(repr(value))
    return value


def configure(level: str = "info", style: str = "json", stream: TextIO | None = None) -> None:
    """Send structlog and standard logging through one pipeline to `stream` (standard error). `style` is json or console."""
    stamped: list[Callable[..., Any]] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]
    last: list[Callable[..., Any]] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "json":
        last += [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
    else:
        last += [structlog.processors.format_exc_info, redact, structlog.dev.ConsoleRenderer(colors=(stream or sys.stderr).isatty())]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *stamped, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=[*stamped, structlog.stdlib.ExtraAdder()]))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    logging.getLogger("dbos").addHandler(logging.NullHandler())  # a logger that has a handler gets no console of DBOS's own
    for noisy in ("httpx", "httpcore", "alembic", "sqlalchemy", "dbos", "litestar"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
