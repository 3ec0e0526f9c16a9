"""HTTP to a server with OpenAI's audio routes: time and size limits, the only retry layer, no key in any error.

Which server it is decides which fields it knows: OpenAI refuses a field that it does not know, Kokoro-FastAPI streams
unless it is told not to, LocalAI takes a language.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from app.domain.errors import DubError
from app.domain.spending import Charge
from app.observability import metrics
from app.speech.connections import Connections
from app.speech.engine_info import Availability
from app.speech.failures import CallFailure, Retry, retry_after_s, shown
from app.speech.service_problems import ServiceProblems
from app.spending.paying import paying
from app.spending.prices import is_local

if TYPE_CHECKING:
    import httpx

_HASTY_S: Final = 8.0
_KNOWN_S: Final = 600.0  # how long models and voices are cached
_TROUBLE_S: Final = 30.0
_MOST_LIST_BYTES: Final = 8 << 20
_BUSY: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_SPENT: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class Kind(StrEnum):
    """The servers whose differences matter."""

    OPENAI = "openai"
    KOKORO = "kokoro"
    SPEACHES = "speaches"
    LOCALAI = "localai"
    OTHER = ""


class Listed(msgspec.Struct, frozen=True):
    """What a server says of itself: which one it is, and its models with their tasks ("" where it tells none)."""

    kind: Kind
    models: tuple[tuple[str, str], ...]


class Answered(msgspec.Struct, frozen=True):
    """A response of status 200."""

    content_type: str
    body: bytes


class Service:
    """The server at `url`, which ends where "/audio/speech" begins. `pause_s` is the first pause between tries."""

    def __init__(
        self, name: str, url: str, problems: ServiceProblems, own_key: Callable[[], str | None], *, pause_s: float
    ) -> None:
        self.url = url.rstrip("/")
        self._name, self._problems, self._own_key, self._pause_s = name, problems, own_key, pause_s
        self._connections = Connections()

    @property
    def paid(self) -> bool:
        """Whether it is on the internet: what it does is taken to cost money."""
        return not is_local(self.url)

    @property
    def is_openai(self) -> bool:
        return (urlsplit(self.url).hostname or "").endswith("openai.com")

    def key(self, given: str | None) -> str:
        """The key that is sent, "" for none. Raises key_missing, key_invalid."""
        key = (given or self._own_key() or "").strip()
        if not key and self.is_openai:
            raise DubError(self._problems.key_missing)
        if not key.isascii() or not key.isprintable() or " " in key or len(key) > 400:
            raise DubError(self._problems.key_invalid, "It has characters that no key has.")
        return key

    async def listed(self, key: str, *, hasty: bool = False) -> Listed:
        """Its models; cached."""

        async def fetch() -> Listed:
            body = await self._get("/models", key, hasty=hasty)
            entries = body.get("data") if isinstance(body, dict) else None
            if not isinstance(entries, list):
                raise DubError(self._problems.failed, "Its list of models was not understood.", retryable=True)
            models = [one for one in entries if isinstance(one, dict) and isinstance(one.get("id"), str)]
            kind = Kind.OPENAI if self.is_openai else _kind(models)
            if kind is Kind.OTHER and not any(one.get("owned_by") for one in models) and await self._tells_version(key):
                kind = Kind.LOCALAI
            return Listed(kind, tuple((one["id"], str(one.get("task") or "")) for one in models))

        found: Listed = await self._connections.cached("models", key, _KNOWN_S, fetch)
        return found

    async def trouble(self, key: str) -> DubError | None:
        """Whether it can be reached with this key, by one short try; cached for half a minute."""

        async def fetch() -> DubError | None:
            try:
                await self.listed(key, hasty=True)
            except DubError as error:
                return error
            return None

        found: DubError | None = await self._connections.cached("trouble", key, _TROUBLE_S, fetch)
        return found

    async def state(
        self, given: str | None, usual: str, pick: Callable[[Listed, str], tuple[str, ...]], remedy: str
    ) -> tuple[Availability, tuple[str, ...]]:
        """Whether it can be used, and the models that `pick` finds among those it lists; `usual` where none are known.
        `remedy` is for a server whose operator set no address. Raises nothing."""
        if not self.url:
            return Availability(False, "No address is set.", remedy), (usual,)
        try:
            own = self.key(given)
            if (trouble := await self.trouble(own)) is not None:
                raise trouble
            return Availability(True, "", ""), pick(await self.listed(own), usual)
        except DubError as error:
            return Availability(False, error.message, error.problem.hint), (usual,)

    async def voices(self, key: str) -> Any:
        """The decoded answer of `GET /audio/voices`; None where there is no such route. Cached."""

        async def fetch() -> Any:
            try:
                return await self._get("/audio/voices", key)
            except DubError as error:
                if error.extra.get("upstream") in (404, 405, 501):
                    return None
                raise

        return await self._connections.cached("voices", key, _KNOWN_S, fetch)

    async def post(
        self,
        path: str,
        key: str,
        *,
        deadline_s: float,
        most_bytes: int,
        check: Callable[[Answered], Any],
        content: Callable[[], Mapping[str, Any]],
        charge: Charge | None = None,
    ) -> Any:
        """`check` of the response, with retries: it is called as soon as the last byte has come, and raises
        `CallFailure` for what cannot be used. `content` is made anew for each try, and `charge` is what it costs.
        Raises the catalogue error of the last failure, and what `paying` raises."""
        url = f"{self.url}{path}"
        return await self._call("POST", url, key, deadline_s, most_bytes, check, content, charge=charge)

    async def close(self) -> None:
        await self._connections.close()

    async def _tells_version(self, key: str) -> bool:
        """LocalAI's `GET /version`, beside /v1."""
        root = self.url.removesuffix("/v1")
        try:
            found = await self._call("GET", f"{root}/version", key, _HASTY_S, 1 << 16, self._json, dict, hasty=True)
        except DubError:
            return False
        return isinstance(found, dict) and isinstance(found.get("version"), str)

    async def _get(self, path: str, key: str, *, hasty: bool = False) -> Any:
        return await self._call(
            "GET",
            f"{self.url}{path}",
            key,
            _HASTY_S if hasty else 30.0,
            _MOST_LIST_BYTES,
            self._json,
            dict,
            hasty=hasty,
        )

    def _json(self, answered: Answered) -> Any:
        try:
            return msgspec.json.decode(answered.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise CallFailure(self._problems.failed, "Its answer is not JSON.", Retry.ANSWER) from None

    async def _call(
        self,
        method: str,
        url: str,
        key: str,
        deadline_s: float,
        most_bytes: int,
        check: Callable[[Answered], Any],
        content: Callable[[], Mapping[str, Any]],
        *,
        hasty: bool = False,
        charge: Charge | None = None,
    ) -> Any:
        if not self.url:
            raise DubError(self._problems.busy, "The operator has set no address.")
        client = await self._connections.http()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        tries = 0
        while True:
            try:
                async with paying(charge) as bill:
                    found = await self._attempt(client, method, url, headers, deadline_s, most_bytes, key, content())
                    if isinstance(found, CallFailure):
                        if found.unbilled:
                            bill.refused()
                        raise found
                    bill.answered()
                    made = check(found)
                    return await made if asyncio.iscoroutine(made) else made
            except CallFailure as failure:
                tries += 1
                pause_s = None if hasty else failure.pause_s(tries, self._pause_s)
                if pause_s is None:
                    raise failure.error() from None
                metrics.SPEECH_RETRIES.add(self._name, failure.problem.code)
            await asyncio.sleep(pause_s)

    async def _attempt(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        headers: Mapping[str, str],
        deadline_s: float,
        most_bytes: int,
        key: str,
        content: Mapping[str, Any],
    ) -> Answered | CallFailure:
        """One try. A failure is returned, so that no exception with the request (and the key) in it hangs on ours."""
        import httpx

        problems = self._problems
        try:
            within = httpx.Timeout(deadline_s, connect=10.0)
            async with (
                asyncio.timeout(deadline_s),
                client.stream(method, url, headers=dict(headers), timeout=within, **content) as answer,
            ):
                body = bytearray()
                async for block in answer.aiter_bytes():
                    body += block
                    if len(body) > most_bytes:
                        return CallFailure(problems.failed, "It sent far more than was asked for.", Retry.ANSWER)
        except (TimeoutError, httpx.TimeoutException):
            return CallFailure(problems.busy, "It did not answer in time.", Retry.BUSY)
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL):
            failure = CallFailure(problems.busy, "It cannot be reached.", Retry.BUSY)
            failure.unbilled = True
            return failure
        except (httpx.TransportError, httpx.StreamError, httpx.DecodingError):
            return CallFailure(problems.failed, "The connection was cut.", Retry.BUSY)
        if answer.status_code == 200:
            return Answered(answer.headers.get("content-type", "").partition(";")[0].strip().lower(), bytes(body))
        return self._refused(answer.status_code, answer.headers, bytes(body), key)

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes, key: str) -> CallFailure:
        problems = self._problems
        words, message = _told(body)
        message = shown(message, key) or f"It answered {status}."
        if 200 <= status < 400:
            failure = CallFailure(problems.refused, "It redirects, or answers without sound; correct its address.")
        elif words & _SPENT or status == 402:  # OpenAI: 429, which no other try changes
            failure = CallFailure(problems.quota, message)
        elif status in _BUSY:
            failure = CallFailure(problems.busy, message, Retry.BUSY, retry_after_s(headers.get("retry-after", "")))
        elif status in (401, 403):
            failure = CallFailure(problems.key_invalid, message)
        elif words & {"model_not_found", "invalid_model"} or (status == 404 and "model" in message.lower()):
            failure = CallFailure(problems.model_unknown, message)
        else:
            failure = CallFailure(problems.refused, message)
        failure.status, failure.unbilled = status, True
        return failure


def _kind(models: list[dict[str, Any]]) -> Kind:
    if any(one.get("owned_by") == "kokoro" for one in models):
        return Kind.KOKORO
    return Kind.SPEACHES if any(isinstance(one.get("task"), str) for one in models) else Kind.OTHER


def _told(body: bytes) -> tuple[frozenset[str], str]:
    """The words (code, type) and the message of an error, in the forms of OpenAI, LocalAI and FastAPI."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return frozenset(), ""
    detail = found.get("error", found.get("detail", found)) if isinstance(found, dict) else found
    if isinstance(detail, list):  # FastAPI's complaints about the request's form
        detail = next((one for one in detail if isinstance(one, dict)), {})
    if isinstance(detail, str):
        return frozenset(), detail
    if not isinstance(detail, dict):
        return frozenset(), ""
    words = {str(detail[name]).lower() for name in ("code", "type", "error") if isinstance(detail.get(name), str)}
    return frozenset(words), str(detail.get("message") or detail.get("msg") or "")
