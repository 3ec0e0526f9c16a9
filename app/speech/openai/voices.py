"""The voices that a server with OpenAI's audio routes lists, in each of the forms that are in use."""

from __future__ import annotations

import re
from typing import Any, Final

from app.speech.openai.service import Kind
from app.speech.ports import VoiceInfo

# OpenAI has no route that lists them (November 2026)
OPENAI_VOICES: Final = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
)  # fmt: skip
NAME: Final = re.compile(r"[\w.+()/: -]{1,200}")
_KOKORO: Final = re.compile(r"([abefhijpz])([fm])_\w+")
_KOKORO_LANGUAGES: Final = {
    "a": "en", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt", "z": "zh",
}  # fmt: skip
_GENDERS: Final = {"f": "female", "m": "male", "female": "female", "male": "male"}


def listed(engine: str, kind: Kind, answer: Any) -> tuple[VoiceInfo, ...]:
    """The voices; every field may be missing or of a wrong type. None where the server has no list: OpenAI's known
    ones, else none (a name can be typed in)."""
    if answer is None:
        names = OPENAI_VOICES if kind is Kind.OPENAI else ()
        return tuple(VoiceInfo(engine, name, name.title(), None, None, "", None) for name in names)
    entries = answer.get("voices", answer.get("data")) if isinstance(answer, dict) else answer
    found = (_voice(engine, one) for one in (entries if isinstance(entries, list) else ()))
    return tuple({voice.id: voice for voice in found if voice is not None}.values())


def _voice(engine: str, entry: Any) -> VoiceInfo | None:
    told: dict[str, Any] = {"id": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
    voice_id = next((told[name] for name in ("id", "voice_id", "name") if isinstance(told.get(name), str)), "")
    if not NAME.fullmatch(voice_id):
        return None
    kokoro = _KOKORO.fullmatch(voice_id)
    language = _text(told, "language") or (_KOKORO_LANGUAGES[kokoro[1]] if kokoro else None)
    gender = _GENDERS.get((_text(told, "gender") or (kokoro[2] if kokoro else "")).lower())
    name = _text(told, "name") or voice_id
    return VoiceInfo(
        engine,
        voice_id,
        name if name != voice_id or not kokoro else voice_id.partition("_")[2].replace("_", " ").title(),
        language.lower().replace("_", "-").partition("-")[0][:3] if language else None,
        gender,
        _text(told, "model_id") or "",
        None,
    )


def _text(told: dict[str, Any], name: str) -> str | None:
    value = told.get(name)
    return " ".join(value.split())[:100] if isinstance(value, str) and value.strip() else None
