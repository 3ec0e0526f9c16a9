"""The server of the double: its routes, keys, account and journal."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import msgspec

from tests.doubles.elevenlabs.calls import Call, Fault
from tests.doubles.elevenlabs.catalogue import LIBRARY_VOICE, MODELS, VOICES, VOICES_IN_ALL, listed, model
from tests.doubles.elevenlabs.dictionaries import PATH, Dictionary, dictionaries
from tests.doubles.elevenlabs.isolation import isolation
from tests.doubles.elevenlabs.library import library
from tests.doubles.elevenlabs.refusals import Refused, json_object, schema_refused
from tests.doubles.elevenlabs.scribe import scribe
from tests.doubles.elevenlabs.speech import speech
from tests.doubles.http import Reply, Request, Server

KEY = "sk_double_0123456789abcdef"


class Double(Server):
    def __init__(self, *, port: int = 0, tier: str = "creator", limit: int = 100_000, tones: bool = False) -> None:
        super().__init__(self._handle, port)
        self.tier, self.limit, self.used = tier, limit, 0.0
        self.keys = [KEY]
        self.scopes = ["speech", "voices", "models", "plan", "scribe", "dictionaries", "isolation"]
        self.heard: list[dict[str, Any]] = []
        self.added: list[dict[str, Any]] = []
        self.dictionaries: list[Dictionary] = []
        self.isolated: list[float] = []  # seconds of each piece
        self.makes_anew = False
        self.calls: list[Call] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.inside: dict[str, int] = {}
        self.most_at_once = 0
        self.called = asyncio.Event()
        self.extra_headers: dict[str, str] = {}
        self._tones = tones
        self._numbers = itertools.count(1)

    # ---- routing

    async def _handle(self, request: Request, reply: Reply) -> None:
        if request.path.startswith("/_"):
            await self._control(request, reply)
            return
        route = self._route(request)
        sent = request.body.decode(errors="replace")
        fault = next((one for one in self.faults if one.times and one.route in ("", route) and one.text in sent), None)
        if fault is not None:
            fault.times -= 1
        try:
            await self._serve(route, request, reply, fault)
        except Refused as refused:
            await reply.whole(refused.status, refused.body)

    def _route(self, request: Request) -> str:
        if request.method == "POST" and request.path.startswith("/v1/text-to-speech/"):
            return "speech"
        if (request.method, request.path) == ("POST", "/v1/speech-to-text"):
            return "scribe"
        if request.path == "/v1/shared-voices" or request.path.startswith(("/v1/voices/add", "/samples/")):
            return "library"
        if (request.method, request.path) == ("POST", "/v1/audio-isolation"):
            return "isolation"
        if request.path.startswith(PATH):
            return "dictionaries"
        known = {"/v2/voices": "voices", "/v1/models": "models", "/v1/user/subscription": "plan"}
        return "voice" if request.path.startswith("/v1/voices/") else known.get(request.path, "nothing")

    async def _serve(self, route: str, request: Request, reply: Reply, fault: Fault | None) -> None:
        call = self._journal(request) if route == "speech" else None
        if fault is not None and fault.kind == "status":
            if call is not None:
                call.status, call.fault = fault.status, "status"
            body = {"detail": {"status": "fault", "message": "ordered"}} if fault.body is None else fault.body
            await reply.whole(fault.status, body.encode() if isinstance(body, str) else body, fault.headers)
            return
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.delay_s)
        if fault is not None and fault.kind == "html" and call is None:
            await reply.whole(200, b"<html>hello</html>", {"content-type": "text/html"})
            return
        if call is not None:
            try:
                await speech(self, request, reply, call, fault)
            finally:
                call.status = call.status or reply.status
            return
        if route == "library":
            await library(self, request, reply)
            return
        if route == "dictionaries":
            await dictionaries(self, request, reply)
            return
        if route == "isolation":
            await isolation(self, request, reply, fault)
            return
        if route == "scribe":
            await scribe(self, request, reply, fault)
            return
        self._authorize(request, {"voice": "voices"}.get(route, route))
        match route:
            case "voices":
                await reply.whole(200, self._voices(request))
            case "voice":
                voice_id = request.path.rpartition("/")[2]
                if request.method == "DELETE" and self.knows(voice_id):
                    self.added = [one for one in self.added if one["voice_id"] != voice_id]
                    await reply.whole(200, {"status": "ok"})
                    return
                if not self.knows(voice_id):
                    raise Refused(400, "voice_not_found")
                await reply.whole(200, {"voice_id": voice_id, "name": "One voice"})
            case "models":
                await reply.whole(200, [model(model_id) for model_id in MODELS])
            case "plan":
                await reply.whole(
                    200, {"tier": self.tier, "character_count": round(self.used), "character_limit": self.limit}
                )
            case _:
                self.violations.append(f"{request.method} {request.path}")
                await reply.whole(404, {"detail": "Not Found"})

    async def _control(self, request: Request, reply: Reply) -> None:
        given = request.json() if request.body else None
        match request.path:
            case "/_faults":
                self.faults += msgspec.convert(given, list[Fault])
            case "/_account":
                for name in given.keys() & {"tier", "limit", "used", "scopes", "keys"}:
                    setattr(self, name, given[name])
            case "/_reset":
                self.calls.clear()
                self.violations.clear()
                self.faults.clear()
        await reply.whole(
            200,
            msgspec.to_builtins(
                {
                    "calls": self.calls,
                    "heard": self.heard,
                    "added": self.added,
                    "violations": self.violations,
                    "most_at_once": self.most_at_once,
                }
            ),
        )

    # ---- what the service checks

    def _authorize(self, request: Request, scope: str) -> None:
        key = request.headers.get("xi-api-key", "")
        if not key:
            raise Refused(401, "unauthorized", word="needs_authorization")
        if key not in self.keys:
            raise Refused(401, "unauthorized", f"Invalid API key {key}", "invalid_api_key")
        if scope not in self.scopes:
            raise Refused(
                401, "unauthorized", f"The API key is missing the permission {scope}_read.", "missing_permissions"
            )

    def _journal(self, request: Request) -> Call:
        body = json_object(request)
        voice = request.path.removeprefix("/v1/text-to-speech/")
        model = body.get("model_id", "eleven_multilingual_v2")
        call = Call(next(self._numbers), time.time(), voice, str(model), str(body.get("text", "")), body)
        self.calls.append(call)
        self.called.set()
        return call

    def knows(self, voice_id: str) -> bool:
        added = {one["voice_id"] for one in self.added}
        return voice_id in VOICES or voice_id == LIBRARY_VOICE or voice_id in added

    def _voices(self, request: Request) -> dict[str, Any]:
        self.violations += [
            f"unknown query key {name}"
            for name in request.query.keys() - {"page_size", "next_page_token", "search", "category"}
        ]
        size = int(request.query.get("page_size", 10))
        if size > 100:
            raise schema_refused("page_size")
        first = int(request.query.get("next_page_token", 0))
        own = [listed(number) for number in range(VOICES_IN_ALL)] + [
            {**one, "category": "cloned"} for one in self.added
        ]
        page = own[first : first + size]
        more = first + size < len(own)
        return {
            "voices": page,
            "has_more": more,
            "total_count": len(own),
            "next_page_token": str(first + size) if more else None,
        }
