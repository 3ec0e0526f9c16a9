"""The voice that was chosen for a language where the person left it to the server, and why."""

from __future__ import annotations

import msgspec


class VoiceChosen(msgspec.Struct, frozen=True):
    """`voice` is "ENGINE:VOICE", `name` for people, `language` ISO 639. `reason` says why it is this one. `licence` is
    the voice's ("": none is told, or none is needed); `download_bytes` are still to be downloaded before it speaks."""

    voice: str
    name: str
    language: str
    reason: str
    licence: str = ""
    download_bytes: int = 0
