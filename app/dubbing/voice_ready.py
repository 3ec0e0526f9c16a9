"""Has the voice that the server chose on this machine before it speaks; where that fails, another one is chosen."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.dubbing.casting import VoiceChoice
from app.dubbing.context import Context, Report
from app.speech.ports import SpeechRequest

log: Final = logging.getLogger(__name__)


async def ready(context: Context, choice: VoiceChoice, report: Report) -> VoiceChoice:
    """The choice, its voice downloaded; or what is chosen instead, as that cannot be had now. A voice that a person
    named is left as it is. Raises nothing."""
    if choice.chosen is None:
        return choice
    local = context.engines.local
    voice_id = choice.voice.partition(":")[2]
    try:
        await local.ready(
            SpeechRequest(voice_id, "", "a", choice.language, 1.0, "", "", None),
            lambda message: report(0.0, message),
        )
    except DubError as error:
        local.gives_up(error)
    else:
        return choice
    chosen = await asyncio.to_thread(local.chosen, choice.language)
    log.warning("%s speaks instead of %s: %s", chosen.voice, choice.voice, chosen.reason)
    report(0.0, f"{chosen.name} speaks. {chosen.reason}")
    return msgspec.structs.replace(choice, voice=chosen.voice, chosen=chosen)
