"""The espeak-ng engine: voices for more than a hundred languages, without key, network or model."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from app.domain.errors import DubError
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.problems.lines import TEXT_INVALID
from app.domain.problems.voices import ENGINE_UNAVAILABLE, SPEECH_FAILED, VOICE_UNKNOWN
from app.speech.concurrency import Gate
from app.speech.ports import (
    Answer,
    Availability,
    CostUnit,
    EngineInfo,
    ModelInfo,
    SpeechRequest,
    SpeedLimits,
    Spoken,
    VoiceInfo,
)
from app.speech.spoken_text import clean, speakable, with_phonemes
from app.system.children import child

AUTO: Final = "auto"
WORDS_PER_MINUTE: Final = 165  # at speed 1.0
_CHILD: Final = str(Path(__file__).with_name("child.py"))
_SYSTEM_LIBRARIES: Final = (
    "libespeak-ng.so.1",
    "libespeak-ng.so",
    "libespeak-ng.dylib",
    "/opt/homebrew/lib/libespeak-ng.dylib",
)
_AUTO_VARIANTS: Final = ("f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8")
_FEMALE: Final = "f3"
# by "auto"; where espeak-ng's own order is not the common wish
_VOICE_FOR: Final = {"en": "en-us", "zh": "cmn", "jw": "jv"}
_ISO: Final = {"cmn": "zh", "yue": "zh", "hak": "zh", "nb": "no"}
_REMEDY: Final = "Run `make setup`, or install the system's espeak-ng package."


class _Catalogue(msgspec.Struct, frozen=True):
    """What the library offers: voices by id (the file's name in lower case), ids by language tag, variants' genders by
    name."""

    version: str
    voices: dict[str, dict[str, Any]]
    by_tag: dict[str, str]
    variants: dict[str, str | None]


class EspeakVoice:
    """Speaks in child processes. A voice is "es", "en-us", "auto" (the request's language, else English), with or
    without a variant ("es+f3")."""

    name = "espeak"
    needs_key = False
    takes_phonemes = True
    speeds = SpeedLimits(0.7, 1.2)  # it could go further: 80 to 450 words a minute
    paces = SpeedLimits(0.7, 1.6)
    cost_unit: CostUnit | None = None

    def __init__(self, *, libraries: list[tuple[str, str]] | None = None, at_once: int = 0) -> None:
        """`libraries` are (library, data folder or "") in the order to try; None: the wheel's, then the system's."""
        self._libraries = found_libraries() if libraries is None else libraries
        self._gate = Gate(at_once or os.cpu_count() or 1)
        self._known: _Catalogue | None = None

    async def info(self, key: str | None = None) -> EngineInfo:
        try:
            version = (await self._catalogue()).version.split()[0]
        except DubError as error:
            return EngineInfo(
                self.name,
                "voice",
                "espeak-ng",
                self.needs_key,
                Availability(False, error.message, _REMEDY),
                (),
                self.speeds,
            )
        model = ModelInfo("", f"espeak-ng {version}", True, 0, MAX_TEXT_CHARACTERS, (), 0.0)
        return EngineInfo(
            self.name,
            "voice",
            "espeak-ng",
            self.needs_key,
            Availability(True, "", ""),
            (model,),
            self.speeds,
            licence="GPL-3.0-or-later",
        )

    async def voices(self, key: str | None = None) -> tuple[VoiceInfo, ...]:
        known = await self._catalogue()
        auto = "Speaks the video's language."
        found = [VoiceInfo(self.name, AUTO, "The video's language", None, "male", auto, None)]
        for variant in _AUTO_VARIANTS:
            if variant in known.variants:
                title = f"The video's language ({variant})"
                found.append(
                    VoiceInfo(self.name, f"{AUTO}+{variant}", title, None, known.variants[variant], auto, None)
                )
        for voice_id, voice in known.voices.items():
            language, title = _language(voice), voice["name"].strip()
            found.append(VoiceInfo(self.name, voice_id, title, language, "male", "", None))
            if _FEMALE in known.variants:
                found.append(
                    VoiceInfo(self.name, f"{voice_id}+{_FEMALE}", f"{title}, female", language, "female", "", None)
                )
        return tuple(found)

    async def check(self, request: SpeechRequest) -> None:
        _resolve(await self._catalogue(), request)
        speakable(request.text)

    async def prepare(self, request: SpeechRequest, on_progress: Callable[[str], None]) -> None:
        """Nothing has to be there."""

    def fingerprint(self, request: SpeechRequest) -> str:
        language = (request.language or "") if request.voice.startswith(AUTO) else ""
        library = Path(os.path.realpath(self._libraries[0][0])).name if self._libraries else ""
        text = with_phonemes(clean(request.text), request.phonemes)
        signs = ["signs"] if request.phonemes else []
        return json.dumps([self.name, library, request.voice, language, _rate(request.speed), text, *signs])

    async def limit(self, request: SpeechRequest) -> int:
        return self._gate.width

    async def speak(self, request: SpeechRequest, answer: Answer | None = None) -> Spoken:
        voice = _resolve(await self._catalogue(), request)
        text = with_phonemes(speakable(request.text), request.phonemes)
        async with self._gate.hold():
            told, pcm = await self._ask(
                {
                    "do": "speak",
                    "voice": voice,
                    "text": text,
                    "rate": _rate(request.speed),
                    "phonemes": bool(request.phonemes),
                },
                limit_s=30 + len(text) / 20,
            )
        return Spoken(pcm, told["rate_hz"], request.speed, 0.0)

    async def close(self) -> None:
        """Nothing to close."""

    async def _catalogue(self) -> _Catalogue:
        if self._known is None:
            answer, _ = await self._ask({"do": "list"}, limit_s=30)
            self._known = _read(answer)
        return self._known

    async def _ask(self, request: dict[str, Any], *, limit_s: float) -> tuple[dict[str, Any], bytes]:
        """Run the child once: its answer, and the sound that follows it."""
        asked = json.dumps({"libraries": self._libraries, **request}).encode() + b"\n"
        try:
            async with (
                asyncio.timeout(limit_s),
                child([sys.executable, "-I", "-S", _CHILD], stdin=asyncio.subprocess.PIPE) as process,
            ):
                said, _ = await process.communicate(asked)
                code = process.returncode
        except TimeoutError:
            raise DubError(SPEECH_FAILED, "espeak-ng did not end in time.", retryable=True) from None
        head, _, pcm = said.partition(b"\n")
        if code != 0 or not head:
            raise DubError(SPEECH_FAILED, f"espeak-ng ended with code {code}.", retryable=True)
        answer: dict[str, Any] = json.loads(head)
        match answer.get("error"):
            case None:
                return answer, pcm
            case "no_library":
                raise DubError(ENGINE_UNAVAILABLE, "No espeak-ng library was found.")
            case "no_voice":
                raise DubError(VOICE_UNKNOWN, f'espeak-ng cannot load "{request["voice"]}".')
            case "no_sound":
                raise DubError(TEXT_INVALID, "espeak-ng finds nothing to speak in it.")
        raise DubError(SPEECH_FAILED, "espeak-ng failed.", retryable=True)


def found_libraries() -> list[tuple[str, str]]:
    """(library, data folder) pairs that may work here, the wheel's first. The child finds out which one does."""
    found = []
    spec = importlib.util.find_spec("espeakng_loader")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for name in ("libespeak-ng.so", "libespeak-ng.dylib"):
            if Path(folder, name).is_file():
                found.append((str(Path(folder, name)), str(Path(folder, "espeak-ng-data"))))
    return [*found, *((name, "") for name in _SYSTEM_LIBRARIES)]


def _read(answer: dict[str, Any]) -> _Catalogue:
    voices: dict[str, dict[str, Any]] = {}
    ranked: dict[str, list[tuple[int, str]]] = {}
    for voice in answer["voices"]:
        if voice["identifier"].startswith(("mb/", "!v/")):  # mbrola needs files of its own
            continue
        voice_id = voice["identifier"].rpartition("/")[2].lower()
        voices[voice_id] = voice
        for priority, tag in voice["languages"]:
            ranked.setdefault(tag.lower(), []).append((priority, voice_id))
    by_tag = {tag: min(candidates)[1] for tag, candidates in ranked.items()}
    variants = {voice["identifier"].rpartition("/")[2]: voice["gender"] for voice in answer["variants"]}
    return _Catalogue(
        answer["version"], voices, by_tag, {name: gender for name, gender in variants.items() if name.isalnum()}
    )


def _language(voice: dict[str, Any]) -> str:
    primary: str = voice["languages"][0][1].lower().partition("-")[0]
    return _ISO.get(primary, primary)


def _resolve(known: _Catalogue, request: SpeechRequest) -> str:
    """espeak-ng's own name for the wished voice. Raises voice_unknown."""
    wished, _, variant = request.voice.partition("+")
    tag = wished.lower().replace("_", "-")
    if tag == AUTO:
        language = (request.language or "en").lower().replace("_", "-")
        tag = _VOICE_FOR.get(language, language)
    voice_id = tag if tag in known.voices else known.by_tag.get(tag)
    if voice_id is None and wished == AUTO:
        primary = tag.partition("-")[0]
        voice_id = primary if primary in known.voices else known.by_tag.get(primary)
    if voice_id is None:
        raise DubError(VOICE_UNKNOWN, f'espeak-ng has no voice for "{tag[:40]}".')
    if variant and variant not in known.variants:
        raise DubError(VOICE_UNKNOWN, f'espeak-ng has no variant "{variant[:40]}".')
    return str(known.voices[voice_id]["identifier"]) + (f"+{variant}" if variant else "")


def _rate(speed: float) -> int:
    return min(450, max(80, round(WORDS_PER_MINUTE * speed)))
