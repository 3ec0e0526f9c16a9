"""What is wrong with a request, or keeps the server from answering it."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

INVALID_REQUEST: Final = Problem(
    "invalid_request", 400, "The request is not valid.", "Correct the named field and send it again."
)
NOT_FOUND: Final = Problem(
    "not_found", 404, "There is nothing at this address.", "Check the address; /schema lists what exists."
)
METHOD_NOT_ALLOWED: Final = Problem(
    "method_not_allowed", 405, "This address does not accept that method.", "See /schema."
)
FORBIDDEN_ORIGIN: Final = Problem(
    "forbidden_origin",
    403,
    "The request comes from another web site.",
    "Open AutoDubber's own page, or add the site to AUTODUBBER_ALLOWED_ORIGINS.",
)
HOST_UNKNOWN: Final = Problem(
    "host_unknown",
    421,
    "The server does not know the name that it was opened under.",
    (
        "If the name is yours, add it to AUTODUBBER_ALLOWED_HOSTS and restart the server. Its IP address works without "
        "this setting."
    ),
)
METRICS_TOKEN: Final = Problem(
    "metrics_token",
    401,
    "The metrics need a token.",
    "Send AUTODUBBER_METRICS_TOKEN as a bearer token: Authorization: Bearer TOKEN.",
)
BODY_TOO_LARGE: Final = Problem(
    "body_too_large", 413, "The request's body is too large.", "Send a smaller body; media goes through /api/uploads."
)
HEADERS_TOO_LARGE: Final = Problem(
    "headers_too_large",
    431,
    "The request's address and headers are too large.",
    "Send less than 32 kB of them; delete the site's cookies.",
)
TOO_MANY_SOCKETS: Final = Problem(
    "too_many_sockets",
    503,
    "Too many live connections are open.",
    "Close other tabs, or wait: an open page retries by itself. AUTODUBBER_MAX_SOCKETS is the limit.",
)
UPGRADE_REQUIRED: Final = Problem(
    "upgrade_required",
    426,
    "This address accepts WebSocket connections only.",
    "Open it as a WebSocket; each message is one JSON object.",
)
INTERNAL: Final = Problem(
    "internal",
    500,
    "Something went wrong inside AutoDubber.",
    "Try again; if it happens again, look for the request id in the server's log and report it.",
)
DATABASE_BUSY: Final = Problem(
    "database_busy", 503, "The database is busy with other work.", "Try again in a few seconds; nothing was changed."
)
SHUTTING_DOWN: Final = Problem(
    "shutting_down", 503, "The server is stopping.", "Try again in a few seconds; nothing is lost."
)
