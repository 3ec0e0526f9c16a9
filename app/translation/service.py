"""HTTP to a translation service: time and size limits, no redirects, retries while it is busy, no key in any error."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from app.domain.errors import DubError, Problem
from app.domain.problems.translation import (
    TRANSLATION_BUSY,
    TRANSLATION_FAILED,
    TRANSLATION_REFUSED,
    TRANSLATOR_KEY_INVALID,
    TRANSLATOR_QUOTA,
)
from app.domain.spending import Charge
from app.spending.paying import paying

if TYPE_CHECKING:
    import httpx

MOST_TRIES: Final = 5
_MOST_PAUSE_S: Final = 60.0
_HASTY_S: Final = 5.0
_MOST_ANSWER_BYTES: Final = 8 << 20
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_BY_STATUS: Final[dict[int, Problem]] = {
    401: TRANSLATOR_KEY_INVALID,
    402: TRANSLATOR_QUOTA,
    403: TRANSLATOR_KEY_INVALID,
    456: TRANSLATOR_QUOTA,  # DeepL
}


class Refusal(Exception):
    """The service understood the request and refused it with this HTTP status."""

    def __init__(self, status: int, error: DubError) -> None:
        super().__init__(error.problem.code)
        self.status, self.error = status, error


class _Busy(Exception):
    """The service may answer another try. `after_s` is its Retry-After; `unbilled`: it refused this one, or was not
    reached."""

    def __init__(self, problem: Problem, detail: str, after_s: float = 0.0, *, unbilled: bool = False) -> None:
        super().__init__(problem.code)
        self.problem, self.detail, self.after_s, self.unbilled = problem, detail, after_s, unbilled


class Service:
    """The service at one address, which the operator has set. `deadline_s` bounds one try, `pause_s` is the first pause
    between tries."""

    def __init__(self, title: str, *, deadline_s: float, pause_s: float = 1.0) -> None:
        self._title, self._deadline_s, self._pause_s = title, deadline_s, pause_s

    async def post(
        self,
        url: str,
        body: Any,
        headers: Mapping[str, str],
        key: str | None,
        *,
        charge: Charge | None = None,
        cost: Callable[[Any], Charge | None] = lambda _: None,
    ) -> Any:
        """The decoded JSON answer. Raises `Refusal` for an HTTP status that another try would not change, else
        translation_busy or translation_failed, and what `paying` raises. Cancelling closes the connection. `charge` is
        what a try costs at most, `cost` what an answer says that it cost."""
        client = await asyncio.to_thread(_connections)
        async with client:
            for tries in range(1, MOST_TRIES + 1):
                async with paying(charge) as bill:
                    try:
                        found = await self._attempt(client, url, body, headers, key)
                    except Refusal:
                        bill.refused()
                        raise
                    if not isinstance(found, _Busy):
                        bill.answered(cost(found))
                    elif found.unbilled:
                        bill.refused()
                if not isinstance(found, _Busy):
                    return found
                if tries == MOST_TRIES:
                    raise DubError(found.problem, f"{self._title}: {found.detail}", retryable=True)
                wait_s = self._pause_s * 2.0 ** (tries - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter is no secret
                await asyncio.sleep(min(_MOST_PAUSE_S, max(found.after_s, wait_s)))
        raise AssertionError("unreachable")

    async def get(self, url: str, headers: Mapping[str, str]) -> Any:
        """The decoded JSON answer of one short try, for what a person waits for; None where it cannot be had now."""
        import httpx

        client = await asyncio.to_thread(_connections)
        try:
            async with asyncio.timeout(_HASTY_S), client:
                answer = await client.get(url, headers=dict(headers))
            return msgspec.json.decode(answer.content) if answer.status_code == 200 else None
        except (TimeoutError, httpx.HTTPError, msgspec.DecodeError):
            return None

    async def _attempt(
        self, client: httpx.AsyncClient, url: str, body: Any, headers: Mapping[str, str], key: str | None
    ) -> Any:
        """One try. A failure is returned, so that no exception with the request (and the key) in it hangs on ours."""
        import httpx

        try:
            async with (
                asyncio.timeout(self._deadline_s),
                client.stream("POST", url, content=msgspec.json.encode(body), headers=_json(headers)) as answer,
            ):
                raw = b""
                async for part in answer.aiter_bytes():
                    raw += part
                    if len(raw) > _MOST_ANSWER_BYTES:
                        return _Busy(TRANSLATION_FAILED, "Its answer is too long.")
        except (TimeoutError, httpx.TimeoutException):
            return _Busy(TRANSLATION_BUSY, "It did not answer in time.")
        except (httpx.ConnectError, httpx.UnsupportedProtocol):
            return _Busy(TRANSLATION_BUSY, "It cannot be reached.", unbilled=True)
        except (httpx.TransportError, httpx.StreamError, httpx.DecodingError):
            return _Busy(TRANSLATION_FAILED, "The connection was cut.")
        return self._read(answer.status_code, answer.headers, raw, key)

    def _read(self, status: int, headers: Mapping[str, str], raw: bytes, key: str | None) -> Any:
        if status in _BUSY:
            after_s = _seconds(headers.get("retry-after", ""))
            return _Busy(TRANSLATION_BUSY, f"It answered {status}.", after_s, unbilled=True)
        if 300 <= status < 400:
            raise Refusal(status, DubError(TRANSLATION_REFUSED, f"{self._title} redirects; correct its address."))
        if status >= 400:
            said = _message(raw, key) or f"It answered {status}."
            raise Refusal(status, DubError(_BY_STATUS.get(status, TRANSLATION_REFUSED), f"{self._title}: {said}"))
        try:
            return msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _Busy(TRANSLATION_FAILED, "Its answer is not JSON.")


def _connections() -> httpx.AsyncClient:
    """Costs 50 ms of processor time: not on the loop. No redirects: the key would be sent to their target."""
    import httpx

    return httpx.AsyncClient(timeout=httpx.Timeout(None, connect=10.0), follow_redirects=False)


def _json(headers: Mapping[str, str]) -> dict[str, str]:
    return {"Content-Type": "application/json", "Accept": "application/json", **headers}


def _message(raw: bytes, key: str | None) -> str:
    """The service's own words, fit to be shown: one line, bounded, without the key."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    found = body.get("error", body.get("message")) if isinstance(body, dict) else None
    if isinstance(found, dict):
        found = found.get("message")
    if not isinstance(found, str):
        return ""
    if key:
        found = found.replace(key, "[key]")
    return " ".join("".join(c if c.isprintable() else " " for c in found).split())[:200]


def _seconds(value: str) -> float:
    """Retry-After in seconds; a date is not worth parsing for at most a minute."""
    return float(value) if value.isdigit() else 0.0
