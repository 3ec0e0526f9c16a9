"""Stands in for servers with OpenAI's audio API, as strict as the real ones: `Double("openai")`, "kokoro" (Kokoro-
FastAPI), "speaches" and "localai" differ in fields, lists, errors and WAV headers.

`python -m tests.doubles.openai_audio --kind kokoro` prints its address on the first line and serves until it is ended.
`GET /_journal` tells what was asked; `POST /_faults` makes answers wrong. What a real server would take silently but
never should have been sent stands in `violations`.

It speaks by espeak-ng, or in tones. What it recognises are tones: each burst is a word, named by its frequency.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.doubles.elevenlabs.sound import espeak, tone
from tests.doubles.heard_tones import heard
from tests.doubles.http import Reply, Request, Server
from tests.doubles.multipart import form_of

KEY = "sk-double-of-openai-0123456789"
RATE_HZ = 24_000
KOKORO_VOICES = ("af_bella", "af_sky", "bm_george", "ef_dora")
SPEECH_FIELDS = {
    "openai": {"model", "input", "voice", "response_format", "speed", "instructions", "stream_format"},
    "kokoro": {"model", "input", "voice", "response_format", "speed", "stream", "lang_code", "download_format"},
    "speaches": {"model", "input", "voice", "response_format", "speed", "stream_format", "sample_rate"},
    "localai": {"model", "input", "voice", "response_format", "language", "sample_rate", "backend"},
}
TRANSCRIPTION_FIELDS = {
    "openai": {"file", "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]"},
    "speaches": {"file", "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]"}
    | {"hotwords", "vad_filter", "stream"},
    "localai": {"file", "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]"}
    | {"diarize", "translate"},
    "kokoro": set(),
}
MODELS = {
    "openai": ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "whisper-1", "gpt-4o-transcribe", "gpt-5"),
    "kokoro": ("tts-1", "tts-1-hd", "kokoro"),
    "speaches": ("speaches-ai/Kokoro-82M-v1.0-ONNX", "Systran/faster-whisper-small"),
    "localai": ("piper-en", "whisper-1"),
}
SPEAKS = {
    "openai": MODELS["openai"][:3],
    "kokoro": MODELS["kokoro"],
    "speaches": ("tts-1", MODELS["speaches"][0]),
    "localai": ("piper-en",),
}
HEARS = {
    "openai": ("whisper-1",),
    "kokoro": (),
    "speaches": ("whisper-1", MODELS["speaches"][1]),
    "localai": ("whisper-1",),
}
MOST_UPLOAD_BYTES = 25 << 20


class Double:
    """`faults` are taken in order, one for each request of speech or recognition (or of "route"):

    {"status": 429, "body": {...}, "headers": {...}}, {"delay_s": 60}, {"location": "..."}, {"kind": "html"}, "json",
    "empty", "silence", "cut" (less sound than the header says), "truncated" (the connection ends early), "odd", "mp3",
    "short", "bad-times"; a fault with "match" waits for a request whose body has it.
    """

    def __init__(self, kind: str = "openai", *, port: int = 0, tones: bool = True, language: str = "english") -> None:
        self._server = Server(self._handle, port)
        self.kind, self.language = kind, language
        self.keys = [KEY]
        self.needs_key = kind == "openai"
        self.calls: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.faults: list[dict[str, Any]] = []
        self.called = asyncio.Event()
        self.inside = self.most_at_once = 0
        self._tones = tones

    async def __aenter__(self) -> Double:
        await self._server.__aenter__()
        self.url = f"{self._server.url}/v1"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.__aexit__(*error)

    def texts(self) -> list[str]:
        return [call["input"] for call in self.calls if call["delivered"] and "input" in call]

    async def _handle(self, request: Request, reply: Reply) -> None:
        if request.path == "/_journal":
            return await reply.whole(200, {"calls": self.calls, "violations": self.violations})
        if request.path == "/_faults":
            self.faults = request.json()
            return await reply.whole(200, {})
        if not self._authorized(request):
            message = f"Incorrect API key provided: {request.headers.get('authorization', '')[7:]}."
            return await self._error(reply, 401, message, "invalid_api_key")
        match request.method, request.path:
            case "GET", "/v1/models":
                await reply.whole(200, {"object": "list", "data": [self._model(one) for one in MODELS[self.kind]]})
            case "GET", "/v1/audio/voices" if self.kind in ("kokoro", "speaches"):
                await reply.whole(200, self._voices())
            case "GET", "/version" if self.kind == "localai":
                await reply.whole(200, {"version": "v3.1.1 (abcdef)"})
            case "POST", "/v1/audio/speech":
                await self._inside(self._speech, request, reply)
            case "POST", "/v1/audio/transcriptions" if TRANSCRIPTION_FIELDS[self.kind]:
                await self._inside(self._transcription, request, reply)
            case _:
                if request.path not in ("/v1/audio/voices", "/version"):
                    self.violations.append(f"{request.method} {request.path}")
                await self._error(reply, 404, "Not Found")

    def _authorized(self, request: Request) -> bool:
        given = request.headers.get("authorization")
        return not self.needs_key if given is None else given.removeprefix("Bearer ") in self.keys

    def _model(self, name: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"id": name, "object": "model"}
        if self.kind == "speaches":
            whisper = "whisper" in name
            entry |= {"owned_by": name.partition("/")[0], "created": 1}
            entry["task"] = "automatic-speech-recognition" if whisper else "text-to-speech"
        elif self.kind != "localai":
            entry |= {"owned_by": "kokoro" if self.kind == "kokoro" else "openai-internal", "created": 1}
        return entry

    def _voices(self) -> dict[str, Any]:
        if self.kind == "kokoro":
            return {"voices": [{"id": voice, "name": voice} for voice in KOKORO_VOICES]}
        voices = [{"name": voice, "language": "en-us", "gender": "female"} for voice in KOKORO_VOICES[:2]]
        return {"object": "list", "voices": voices}

    async def _error(self, reply: Reply, status: int, message: str, code: str | None = None) -> None:
        if self.kind == "openai":
            body: Any = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
        elif self.kind == "localai":
            body = {"error": {"code": status, "message": message, "type": ""}}
        elif self.kind == "kokoro" and status == 400:
            body = {
                "detail": {"error": code or "validation_error", "message": message, "type": "invalid_request_error"}
            }
        else:
            body = {"detail": message}
        await reply.whole(status, body)

    async def _refuse(self, reply: Reply, status: int, why: str, code: str | None = None) -> None:
        self.violations.append(why)
        await self._error(reply, status, why, code)

    async def _inside(self, serve: Any, request: Request, reply: Reply) -> None:
        self.inside += 1
        self.most_at_once = max(self.most_at_once, self.inside)
        try:
            await serve(request, reply)
        finally:
            self.inside -= 1

    async def _begin(self, request: Request, reply: Reply, call: dict[str, Any]) -> dict[str, Any] | None:
        """The fault, {} for none; None where it was the answer."""
        self.calls.append(call)
        self.called.set()
        sent = request.body.decode(errors="replace")
        at = next((n for n, one in enumerate(self.faults) if one.get("match", "") in sent), None)
        fault = self.faults.pop(at) if at is not None else {}
        if "delay_s" in fault:
            await asyncio.sleep(fault["delay_s"])
        if "location" in fault:
            await reply.whole(307, {}, {"location": fault["location"]})
        elif "status" in fault:
            await reply.whole(fault["status"], fault.get("body", {"error": {"message": "no"}}), fault.get("headers"))
        elif fault.get("kind") == "html":
            await reply.whole(200, b"<html>hello</html>", {"content-type": "text/html"})
        else:
            return fault
        return None

    # ---------------------------------------------------------------- speech

    async def _speech(self, request: Request, reply: Reply) -> None:
        body = request.json()
        if unknown := set(body) - SPEECH_FIELDS[self.kind]:
            return await self._refuse(reply, 400, f"Unrecognized request argument supplied: {sorted(unknown)}")
        if any(value is None for value in body.values()):
            return await self._refuse(reply, 400, "a null in the request")
        if body.get("model") not in SPEAKS[self.kind]:
            return await self._error(reply, 404, f"The model '{body.get('model')}' does not exist", "model_not_found")
        if not isinstance(body.get("input"), str) or not 1 <= len(body["input"]) <= 4096:
            return await self._refuse(reply, 400, "input: at most 4096 characters", "string_above_max_length")
        if body.get("response_format") != "wav" or not 0.25 <= body.get("speed", 1.0) <= 4.0:
            return await self._refuse(reply, 400, "no WAV was asked for, or a speed out of range")
        if self.kind == "kokoro" and body.get("stream", True):
            return await self._refuse(reply, 400, "streamed: the header of its WAV has no length")
        if self.kind in ("kokoro", "speaches") and body.get("voice") not in KOKORO_VOICES:
            return await self._error(reply, 400, f"Voice '{body.get('voice')}' not found.")
        call = {"path": request.path, **body, "delivered": False}
        fault = await self._begin(request, reply, call)
        if fault is None:
            return
        pcm = await self._say(body["input"], body.get("speed", 1.0))
        kind = fault.get("kind", "")
        if kind == "silence":
            pcm = bytes(len(pcm))
        elif kind == "short":
            pcm = pcm[:200]
        # OpenAI and Speaches send the header before the length is known
        data = wav(pcm, streamed=self.kind in ("openai", "speaches") and kind != "cut")
        if kind in ("cut", "odd"):
            data = data[:-1001]
        answers = {
            "json": ("application/json", b"{}"),
            "empty": ("audio/wav", b""),
            "mp3": ("audio/mpeg", b"ID3\x04" * 999),
        }
        media_type, data = answers.get(kind, ("audio/wav", data))
        await reply.start(200, {"content-type": media_type})
        if kind == "truncated":
            await reply.send(data[: len(data) // 2])
            reply.abort()
            raise ConnectionAbortedError
        for at in range(0, len(data), 16_384):
            await reply.send(data[at : at + 16_384])
        await reply.end()
        call["delivered"] = not kind

    async def _say(self, text: str, speed: float) -> bytes:
        if self._tones:
            return await asyncio.to_thread(tone, text, speed)
        return await espeak(text, "en-us", speed)

    # ---------------------------------------------------------------- recognition

    async def _transcription(self, request: Request, reply: Reply) -> None:
        form = form_of(request)
        if unknown := {name for name, _ in form.fields} - TRANSCRIPTION_FIELDS[self.kind]:
            return await self._refuse(reply, 400, f"Unrecognized request argument supplied: {sorted(unknown)}")
        fields = dict(form.fields)
        asked = [value for name, value in form.fields if name == "timestamp_granularities[]"]
        if form.file is None or len(form.file) > MOST_UPLOAD_BYTES:
            return await self._refuse(reply, 413, "Maximum content size limit (26214400) exceeded")
        if fields.get("model") not in HEARS[self.kind]:
            return await self._error(reply, 404, f"The model '{fields.get('model')}' does not exist", "model_not_found")
        if fields.get("response_format") != "verbose_json" or sorted(asked) != ["segment", "word"]:
            return await self._refuse(reply, 400, "no times of words were asked for")
        words, duration_s = heard(form.file)
        call = {"path": request.path, "fields": [list(field) for field in form.fields], "seconds": duration_s}
        call |= {"words": [word["word"] for word in words], "delivered": False}
        fault = await self._begin(request, reply, call)
        if fault is None:
            return
        if fault.get("kind") == "bad-times":
            words = [word | {"start": "x"} for word in words]
        text = " ".join(word["word"] for word in words)
        segments = [{"id": 0, "start": words[0]["start"], "end": words[-1]["end"], "text": f" {text}"}] if words else []
        body = {"task": "transcribe", "language": self.language, "duration": duration_s, "text": text}
        if self.kind == "speaches":
            segments = [segment | {"words": words} for segment in segments]
            body["language"] = fields.get("language", "en")
        await reply.whole(200, body | {"segments": segments, "words": words})
        call["delivered"] = True


def wav(pcm: bytes, *, streamed: bool = False) -> bytes:
    """16 bits, mono. Streamed: the lengths in the header were not known."""
    size = 0xFFFFFFFF if streamed else len(pcm)
    form = (1).to_bytes(2, "little") * 2 + RATE_HZ.to_bytes(4, "little") + (RATE_HZ * 2).to_bytes(4, "little")
    form += (2).to_bytes(2, "little") + (16).to_bytes(2, "little")
    riff = b"RIFF" + min(size + 36, 0xFFFFFFFF).to_bytes(4, "little") + b"WAVEfmt " + len(form).to_bytes(4, "little")
    return riff + form + b"LIST" + (4).to_bytes(4, "little") + b"INFO" + b"data" + size.to_bytes(4, "little") + pcm


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The double in a process of its own; gives its address up to /v1."""
    argv = [sys.executable, "-m", "tests.doubles.openai_audio", *arguments]
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
    async with Double(arguments.kind, port=arguments.port, tones=not arguments.speech) as double:
        double.needs_key = arguments.key
        print(double.url, flush=True)
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for servers with OpenAI's audio API.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--kind", default="kokoro", choices=SPEECH_FIELDS)
    parser.add_argument("--key", action="store_true", help="refuse requests without the key")
    parser.add_argument("--speech", action="store_true", help="speak by espeak-ng, not in tones")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
