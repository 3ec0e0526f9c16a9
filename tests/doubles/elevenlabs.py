"""Stands in for ElevenLabs: a strict HTTP server that the real SDK is pointed at by its base_url.

`python -m tests.doubles.elevenlabs --port 0` prints its address on the first line and serves until it is ended;
`running()` does that for a test; `async with Double() as double` serves inside the test. What it knows is told over
HTTP:

GET  /_journal   {"calls": [...], "violations": [...], "most_at_once": n}: every speech call with text, voice, status,
charged, delivered POST /_faults    [{"kind", "times", "route", "text", "status", "body", "headers", "delay_s"}, ...]:
see `Fault` POST /_account   {"tier", "limit", "used", "scopes", "keys"}: any of them
POST /_reset     forget journal and faults

Order of checks and forms of errors: as the service's published API has them, November 2026. Strictness: what the
service would take silently but never should have been sent is noted in "violations", which a test asserts to be empty.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.doubles.elevenlabs_calls import Call, Fault
from tests.doubles.elevenlabs_catalogue import LIBRARY_VOICE, MODELS, VOICES, VOICES_IN_ALL, listed, model
from tests.doubles.elevenlabs_library import library
from tests.doubles.elevenlabs_refusals import BODY_KEYS, SETTING_KEYS, Refused, json_object, schema_refused
from tests.doubles.elevenlabs_scribe import scribe
from tests.doubles.elevenlabs_sound import espeak, tone
from tests.doubles.http import Reply, Request, Server

KEY = "sk_double_0123456789abcdef"

SPEED_IGNORED = ("eleven_v3", "eleven_v4")
AT_ONCE = {"free": (2, 4), "starter": (3, 6), "creator": (5, 10), "pro": (10, 20), "scale": (15, 30)}


class Double(Server):
    def __init__(self, *, port: int = 0, tier: str = "creator", limit: int = 100_000, tones: bool = False) -> None:
        super().__init__(self._handle, port)
        self.tier, self.limit, self.used = tier, limit, 0.0
        self.keys = [KEY]
        self.scopes = ["speech", "voices", "models", "plan", "scribe"]
        self.heard: list[dict[str, Any]] = []
        self.added: list[dict[str, Any]] = []
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
                await self._speech(request, reply, call, fault)
            finally:
                call.status = call.status or reply.status
            return
        if route == "library":
            await library(self, request, reply)
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

    def _schema(self, request: Request, body: dict[str, Any]) -> None:
        self.violations += [f"null in {name}" for name, value in body.items() if value is None]
        self.violations += [f"unknown body key {name}" for name in body.keys() - BODY_KEYS.keys()]
        self.violations += [
            f"unknown query key {name}" for name in request.query.keys() - {"output_format", "enable_logging"}
        ]
        settings = body.get("voice_settings") or {}
        self.violations += [
            f"voice_settings.{name} is {settings[name]}"
            for name in settings
            if name not in SETTING_KEYS or settings[name] is None
        ]
        wrong = [name for name, kind in BODY_KEYS.items() if name in body and not isinstance(body[name], kind)]
        if not isinstance(body.get("text"), str) or wrong:
            name = wrong[0] if wrong else "text"
            raise schema_refused(name)

    def _check(self, request: Request, call: Call) -> None:
        body, model_id = call.body, call.model
        self._schema(request, body)
        self._authorize(request, "speech")
        if call.voice == LIBRARY_VOICE and self.tier == "free":
            raise Refused(402, "paid_plan_required")
        if not self.knows(call.voice):
            raise Refused(404, "voice_not_found", f"A voice with voice_id {call.voice} was not found.")
        if model_id not in MODELS:
            raise Refused(400, "", f"A model with model ID {model_id} does not exist", "model_not_found")
        if request.query.get("output_format") in ("pcm_44100", "pcm_48000") and self.tier not in ("pro", "scale"):
            raise Refused(403, "subscription_required", word="output_format_not_allowed")
        speed = (body.get("voice_settings") or {}).get("speed", 1.0)
        if model_id in SPEED_IGNORED and "speed" in (body.get("voice_settings") or {}):
            self.violations.append(f"speed sent to {model_id}")
        if model_id not in SPEED_IGNORED and not 0.7 <= speed <= 1.2:
            raise Refused(400, "invalid_voice_settings")
        stitched = {"previous_text", "next_text", "previous_request_ids", "next_request_ids"}
        if model_id == "eleven_v3" and body.keys() & stitched:
            raise Refused(400, "unsupported_model")
        for side in ("previous", "next"):
            ids = body.get(f"{side}_request_ids", [])
            if len(ids) > 3:
                raise schema_refused(f"{side}_request_ids")
            known = {f"request{one.number}": one for one in self.calls if one.delivered}
            self.violations += [f"{side}: no request {one}" for one in ids if one not in known]
            if ids and f"{side}_text" in body:
                self.violations.append(f"{side}: the text beside the ids is ignored")
        settings = body.get("voice_settings") or {}
        if any(not 0 <= settings.get(name, 0) <= 1 for name in ("stability", "similarity_boost", "style")):
            raise Refused(400, "invalid_voice_settings")
        if not 0 <= body.get("seed", 0) <= 4_294_967_295:
            raise schema_refused("seed")
        if not model_id.startswith(SPEED_IGNORED) and "[" in call.text:
            self.violations.append(f"a tag that {model_id} would read out: {call.text}")
        if model_id == "eleven_multilingual_v2" and "language_code" in body:
            self.violations.append("language_code sent to eleven_multilingual_v2")
        if len(call.text) > math.floor(1.1 * MODELS[model_id][0]):
            raise Refused(400, "text_too_long", word="max_character_limit_exceeded")
        if not call.text and model_id in SPEED_IGNORED:
            raise Refused(400, "input_text_empty")
        if self.used + _cost(call) > self.limit:
            raise Refused(401, "quota_exceeded", f"This request exceeds your quota of {self.limit}.")

    async def _speech(self, request: Request, reply: Reply, call: Call, fault: Fault | None) -> None:
        self._check(request, call)
        group = MODELS[call.model][2]
        if self.inside.get(group, 0) >= AT_ONCE[self.tier][group == "turbo"]:
            raise Refused(429, "concurrent_limit_exceeded", word="too_many_concurrent_requests")
        self.inside[group] = self.inside.get(group, 0) + 1
        self.most_at_once = max(self.most_at_once, self.inside[group])
        try:
            await self._sound(request, reply, call, fault)
        finally:
            self.inside[group] -= 1

    async def _sound(self, request: Request, reply: Reply, call: Call, fault: Fault | None) -> None:
        call.fault = fault.kind if fault else ""
        if fault is not None and fault.kind in ("json", "html", "empty"):
            kinds = {
                "json": ("application/json", b'{"detail": "ok"}'),
                "html": ("text/html", b"<html>hello</html>"),
                "empty": ("audio/pcm", b""),
            }
            kind, page = kinds[fault.kind]
            await reply.whole(200, page, {"content-type": kind})
            return
        pcm = await self._speak(call)
        cost = _cost(call)
        call.charged, self.used = cost, self.used + cost
        headers = {
            "content-type": "audio/pcm",
            "character-cost": f"{cost:g}",
            "request-id": f"request{call.number}",
        } | self.extra_headers
        if fault is not None and fault.kind == "silence":
            pcm = bytes(len(pcm))
        elif fault is not None and fault.kind == "odd":
            pcm = pcm[:-1]
        await reply.start(200, headers | {"current-concurrent-requests": str(self.inside[MODELS[call.model][2]])})
        if fault is not None and fault.kind in ("truncated", "disconnect"):
            await reply.send(pcm[: len(pcm) // 2])
            reply.abort()
            raise ConnectionAbortedError
        step = 64 if fault is not None and fault.kind == "drip" else 16_384
        for at in range(0, len(pcm), step):
            await reply.send(pcm[at : at + step])
            if fault is not None and fault.kind == "drip":
                await asyncio.sleep(fault.delay_s)
        await reply.end()
        call.delivered = call.fault in ("", "delay", "drip")

    async def _speak(self, call: Call) -> bytes:
        speed = 1.0 if call.model in SPEED_IGNORED else (call.body.get("voice_settings") or {}).get("speed", 1.0)
        spoken = VOICES.get(call.voice, ("", "", "", "en-us"))[3]
        if self._tones or not any(c.isalnum() for c in call.text):
            return await asyncio.to_thread(tone, call.text, speed)
        return await espeak(call.text, spoken, speed)

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


def _cost(call: Call) -> float:
    return math.ceil(len(call.text) * MODELS[call.model][1])


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The double in a process of its own; gives its address."""
    argv = [sys.executable, "-m", "tests.doubles.elevenlabs", "--port", "0", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def serve(arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Double(port=arguments.port, tier=arguments.tier, limit=arguments.limit, tones=arguments.tones) as double:
        print(double.url, flush=True)
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for ElevenLabs.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tier", default="creator", choices=AT_ONCE)
    parser.add_argument("--limit", type=int, default=100_000, help="credits")
    parser.add_argument("--tones", action="store_true", help="tones instead of speech")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
