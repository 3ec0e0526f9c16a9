"""What a job has chosen, in another language: options and speakers."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET

from app.domain.dub_options import DubOptions, changed
from app.domain.speaker import Speaker, without_voice
from app.jobs.language_schemas import LanguageNew
from app.speech.registry import engine_of

_EVERY_LANGUAGE: Final = frozenset({"elevenlabs", "openai"})  # engines whose voices speak any
_AUTO: Final = frozenset({"espeak:auto", "local:auto"})
_LOCAL: Final = "local:auto"


def options_in(options: DubOptions, new: LanguageNew) -> DubOptions:
    """The options of a job in another language."""
    fields: dict[str, Any] = {"target_language": new.language}
    if new.translator is not UNSET:
        fields["translator"] = new.translator
    voice = options.voices.voice
    wanted = new.voice if new.voice is not UNSET else voice if _speaks_any(voice) else _LOCAL
    if engine_of(wanted) != engine_of(voice):
        fields["voice_model"] = ""
    # how a term is written in the first language says nothing of another
    terms = tuple(msgspec.structs.replace(term, translation="") for term in options.glossary.terms)
    return changed(options, **fields, voice=wanted, terms=terms)


def _speaks_any(voice: str) -> bool:
    return voice in _AUTO or engine_of(voice) in _EVERY_LANGUAGE


def speaker_in(speaker: Speaker) -> Speaker:
    """The speaker in another language: with the same voice where that speaks any."""
    if speaker.voice is None or not _speaks_any(speaker.voice):
        return without_voice(speaker)
    return speaker
