"""The voices of speakers that `autodubber dub --speaker-voice` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from app.domain.errors import DubError
from app.domain.problems.lines import SPEAKER_NOT_FOUND

if TYPE_CHECKING:
    from app.jobs.memory_store import MemoryStore
    from app.speech.registry import Registry


def wanted_voices(typed: Sequence[str], engines: Registry) -> dict[str, str]:
    """Voices by a speaker's name or number. Raises UsageError, engine_unknown, voice_unknown."""
    from app.system.exit_status import UsageError

    found: dict[str, str] = {}
    for text in typed:
        who, sign, voice = text.partition("=")
        if not sign or not who.strip():
            raise UsageError(f"--speaker-voice is WHO=ENGINE:VOICE, not {text}")
        engines.voice(voice)
        found[who.strip().casefold()] = voice
    return found


def cast(store: MemoryStore, voices: dict[str, str]) -> None:
    """Give the speakers their voices. Raises speaker_not_found for somebody who is not there."""
    job_id = store.job.id
    speakers = store.row(job_id).speakers
    order = dict.fromkeys(line.speaker for line in store.segments(job_id)[1] if line.speaker)
    number = {speaker_id: str(n) for n, speaker_id in enumerate(order, 1)}
    told = []
    for speaker in speakers:
        names = {speaker.name.casefold(), number.get(speaker.id, "")}
        voice = next((voice for who, voice in voices.items() if who in names), speaker.voice)
        told.append(msgspec.structs.replace(speaker, voice=voice))
    known = {speaker.name.casefold() for speaker in speakers} | set(number.values())
    if lacking := [who for who in voices if who not in known]:
        there = ", ".join(speaker.name for speaker in speakers) or "nobody"
        raise DubError(SPEAKER_NOT_FOUND, f"{', '.join(lacking)}; found: {there}.")
    store.replace_segments(job_id, (), told)
