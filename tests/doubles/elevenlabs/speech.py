"""Speech of the double of ElevenLabs: what is checked, in the service's order, and what is sent."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from tests.doubles.elevenlabs.calls import Call, Fault
from tests.doubles.elevenlabs.catalogue import LIBRARY_VOICE, MODELS, VOICES
from tests.doubles.elevenlabs.dictionaries import known as known_dictionaries
from tests.doubles.elevenlabs.dictionaries import said
from tests.doubles.elevenlabs.refusals import BODY_KEYS, SETTING_KEYS, Refused, schema_refused
from tests.doubles.elevenlabs.sound import espeak, tone
from tests.doubles.http import Reply, Request

if TYPE_CHECKING:
    from tests.doubles.elevenlabs.server import Double

SPEED_IGNORED = ("eleven_v3", "eleven_v4")
AT_ONCE = {"free": (2, 4), "starter": (3, 6), "creator": (5, 10), "pro": (10, 20), "scale": (15, 30)}


def _schema(double: Double, request: Request, body: dict[str, Any]) -> None:
    double.violations += [f"null in {name}" for name, value in body.items() if value is None]
    double.violations += [f"unknown body key {name}" for name in body.keys() - BODY_KEYS.keys()]
    double.violations += [
        f"unknown query key {name}" for name in request.query.keys() - {"output_format", "enable_logging"}
    ]
    settings = body.get("voice_settings") or {}
    double.violations += [
        f"voice_settings.{name} is {settings[name]}"
        for name in settings
        if name not in SETTING_KEYS or settings[name] is None
    ]
    wrong = [name for name, kind in BODY_KEYS.items() if name in body and not isinstance(body[name], kind)]
    if not isinstance(body.get("text"), str) or wrong:
        name = wrong[0] if wrong else "text"
        raise schema_refused(name)


def _check(double: Double, request: Request, call: Call) -> None:
    body, model_id = call.body, call.model
    _schema(double, request, body)
    double._authorize(request, "speech")
    if call.voice == LIBRARY_VOICE and double.tier == "free":
        raise Refused(402, "paid_plan_required")
    if not double.knows(call.voice):
        raise Refused(404, "voice_not_found", f"A voice with voice_id {call.voice} was not found.")
    if model_id not in MODELS:
        raise Refused(400, "", f"A model with model ID {model_id} does not exist", "model_not_found")
    if request.query.get("output_format") in ("pcm_44100", "pcm_48000") and double.tier not in ("pro", "scale"):
        raise Refused(403, "subscription_required", word="output_format_not_allowed")
    speed = (body.get("voice_settings") or {}).get("speed", 1.0)
    if model_id in SPEED_IGNORED and "speed" in (body.get("voice_settings") or {}):
        double.violations.append(f"speed sent to {model_id}")
    if model_id not in SPEED_IGNORED and not 0.7 <= speed <= 1.2:
        raise Refused(400, "invalid_voice_settings")
    stitched = {"previous_text", "next_text", "previous_request_ids", "next_request_ids"}
    if model_id == "eleven_v3" and body.keys() & stitched:
        raise Refused(400, "unsupported_model")
    for side in ("previous", "next"):
        ids = body.get(f"{side}_request_ids", [])
        if len(ids) > 3:
            raise schema_refused(f"{side}_request_ids")
        known = {f"request{one.number}": one for one in double.calls if one.delivered}
        double.violations += [f"{side}: no request {one}" for one in ids if one not in known]
        if ids and f"{side}_text" in body:
            double.violations.append(f"{side}: the text beside the ids is ignored")
    dictionaries = known_dictionaries(double, body.get("pronunciation_dictionary_locators", []))
    call.rules = [rule for one in dictionaries for rule in one.rules]
    settings = body.get("voice_settings") or {}
    if any(not 0 <= settings.get(name, 0) <= 1 for name in ("stability", "similarity_boost", "style")):
        raise Refused(400, "invalid_voice_settings")
    if not 0 <= body.get("seed", 0) <= 4_294_967_295:
        raise schema_refused("seed")
    if not model_id.startswith(SPEED_IGNORED) and "[" in call.text:
        double.violations.append(f"a tag that {model_id} would read out: {call.text}")
    if model_id == "eleven_multilingual_v2" and "language_code" in body:
        double.violations.append("language_code sent to eleven_multilingual_v2")
    if len(call.text) > math.floor(1.1 * MODELS[model_id][0]):
        raise Refused(400, "text_too_long", word="max_character_limit_exceeded")
    if not call.text and model_id in SPEED_IGNORED:
        raise Refused(400, "input_text_empty")
    if double.used + _cost(call) > double.limit:
        raise Refused(401, "quota_exceeded", f"This request exceeds your quota of {double.limit}.")


async def speech(double: Double, request: Request, reply: Reply, call: Call, fault: Fault | None) -> None:
    _check(double, request, call)
    group = MODELS[call.model][2]
    if double.inside.get(group, 0) >= AT_ONCE[double.tier][group == "turbo"]:
        raise Refused(429, "concurrent_limit_exceeded", word="too_many_concurrent_requests")
    double.inside[group] = double.inside.get(group, 0) + 1
    double.most_at_once = max(double.most_at_once, double.inside[group])
    try:
        await _sound(double, request, reply, call, fault)
    finally:
        double.inside[group] -= 1


async def _sound(double: Double, request: Request, reply: Reply, call: Call, fault: Fault | None) -> None:
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
    pcm = await _speak(double, call)
    cost = _cost(call)
    call.charged, double.used = cost, double.used + cost
    headers = {
        "content-type": "audio/pcm",
        "character-cost": f"{cost:g}",
        "request-id": f"request{call.number}",
    } | double.extra_headers
    if fault is not None and fault.kind == "silence":
        pcm = bytes(len(pcm))
    elif fault is not None and fault.kind == "odd":
        pcm = pcm[:-1]
    await reply.start(200, headers | {"current-concurrent-requests": str(double.inside[MODELS[call.model][2]])})
    if fault is not None and fault.kind in ("truncated", "disconnect"):
        await reply.send(pcm[: len(pcm) // 2])
        reply.abort()
        raise ConnectionAbortedError
    step = 64 if fault is not None and fault.kind == "drip" else 16_384
    for at in range(0, len(pcm), step):
        await reply.send(pcm[at : at + step])
        if fault is not None and fault.kind == "drip":
            await asyncio.sleep(fault.delay_s)
    # before the last bytes: the client may name it in its next request before this task goes on
    call.delivered = call.fault in ("", "delay", "drip")
    try:
        await reply.end()
    except BaseException:
        call.delivered = False
        raise


async def _speak(double: Double, call: Call) -> bytes:
    speed = 1.0 if call.model in SPEED_IGNORED else (call.body.get("voice_settings") or {}).get("speed", 1.0)
    spoken = VOICES.get(call.voice, ("", "", "", "en-us"))[3]
    text = said(call.text, call.rules)
    if double._tones or not any(c.isalnum() for c in text):
        return await asyncio.to_thread(tone, text, speed)
    return await espeak(text, spoken, speed)


def _cost(call: Call) -> float:
    return math.ceil(len(call.text) * MODELS[call.model][1])
