"""What the double of ElevenLabs notes of a speech call, and what goes wrong with one on purpose."""

from __future__ import annotations

from typing import Any

import msgspec


class Fault(msgspec.Struct):
    """Something to go wrong `times` times, on a route ("speech", "voices", "models", "plan", "" any), for lines that
    contain `text`.

    kind: "status" (with `status`, `body` (str: HTML, else JSON; None: the service's form) and `headers`), "delay"
    (`delay_s` before the answer), "drip" (a few bytes every `delay_s`), "truncated" (ends early), "odd" (a byte
    missing), "disconnect" (mid-stream), "json" (200 with JSON), "html" (200 with a page), "empty" (200 with nothing),
    "silence" (200 with zeros).
    """

    kind: str
    times: int = 1
    route: str = "speech"
    text: str = ""
    status: int = 500
    body: Any = None
    headers: dict[str, str] = {}
    delay_s: float = 0.05


class Call(msgspec.Struct):
    """One speech call. `charged`: credits booked; `delivered`: the whole sound was handed over; `rules`: of the
    pronunciation dictionaries that it named."""

    number: int
    at: float
    voice: str
    model: str
    text: str
    body: dict[str, Any]
    status: int = 0
    fault: str = ""
    charged: float = 0.0
    delivered: bool = False
    rules: list[dict[str, Any]] = []
