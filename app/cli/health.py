"""`autodubber health`: asks a running server whether it can take work. The image runs it every 30 s, so it imports
almost nothing.

HTTP/1.0 over a socket: importing `http.client` and the log would take three times as long as the request.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Final
from urllib.parse import urlsplit

from app.system.console import say, say_json_text
from app.system.exit_status import INTERNAL, OK, UsageError

_TIMEOUT_S: Final = 5.0
_MOST_BYTES: Final = 1 << 20


def run(url: str) -> int:
    """Print the server's answer, and the failing checks in one line on stderr. Raises UsageError for a wrong
    address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is no address of a server; it looks like http://127.0.0.1:8000")
    try:
        status, body = _get(
            parts.scheme,
            parts.hostname,
            parts.port,
            parts.netloc.rpartition("@")[2],
            parts.path.rstrip("/") + "/health/ready",
        )
    except OSError as error:
        say(f"autodubber: no answer from {url}: {error}", to=sys.stderr)
        return INTERNAL
    say_json_text(body)
    if status == 200:
        return OK
    say(f"autodubber: not ready: {_failing(body) or f'status {status}'}", to=sys.stderr)
    return INTERNAL


def _get(scheme: str, host: str, port: int | None, name: str, path: str) -> tuple[int, str]:
    """Status and body. Raises OSError, also when the answer is not HTTP."""
    with socket.create_connection((host, port or (443 if scheme == "https" else 80)), timeout=_TIMEOUT_S) as plain:
        connection = plain
        if scheme == "https":
            import ssl

            connection = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {name}\r\nAccept: application/json\r\n\r\n".encode())
        answer = b""
        while len(answer) < _MOST_BYTES and (block := connection.recv(65536)):
            answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise OSError("what answers there speaks no HTTP")
    return int(words[1]), body.decode(errors="replace")


def _failing(body: str) -> str:
    """The failing checks with their details; "" when the answer is not AutoDubber's."""
    try:
        checks = json.loads(body)["checks"]
        return "; ".join(f"{check['name']}: {check['detail']}" for check in checks if not check["ok"])
    except (ValueError, KeyError, TypeError):
        return ""
