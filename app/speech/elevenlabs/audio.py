"""Whether what came back is the line's sound: a web page with status 200 is not, nor is half a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from app.domain import errors
from app.speech.elevenlabs.errors import Retry, Trouble
from app.speech.elevenlabs.models import SpeechModel

_FASTEST: Final = 60.0  # letters a second that nobody speaks
_SLOWEST_S: Final = 1.0  # seconds for a letter or sign that no voice takes on average: a number may be ten words
_REST_S: Final = 10.0
_HEADERS: Final = ("content-type", "character-cost")


class Received(msgspec.Struct, frozen=True):
    """An answer as it came: its headers that matter, and its bytes."""

    headers: dict[str, str]
    pcm: bytes

    @staticmethod
    def of(headers: Mapping[str, str], pcm: bytes) -> Received:
        return Received({name: headers[name] for name in _HEADERS if name in headers}, pcm)

    def packed(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @staticmethod
    def unpacked(data: bytes) -> Received:
        return msgspec.msgpack.decode(data, type=Received)


def most_bytes(text: str, rate_hz: int) -> int:
    """More PCM than this is not the line."""
    return int((len(text) * _SLOWEST_S + _REST_S) * rate_hz) * 2


def sound(pcm: bytes, headers: Mapping[str, str], text: str, rate_hz: int) -> bytes:
    """The PCM, if it can be the line. Raises Trouble: the call may have been billed, so there is only one more try."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith("audio/"):
        raise Trouble(errors.SPEECH_FAILED, f"It sent {media_type[:60] or 'something'} instead of sound.", Retry.ANSWER)
    if len(pcm) % 2:
        raise Trouble(errors.SPEECH_FAILED, "The sound was cut in the middle of a sample.", Retry.ANSWER)
    letters = sum(c.isalnum() for c in text)
    if len(pcm) / 2 / rate_hz < letters / _FASTEST or not any(pcm):
        raise Trouble(errors.SPEECH_FAILED, "There was no sound, or too little for the line.", Retry.ANSWER)
    return pcm


def cost_credits(headers: Mapping[str, str], text: str, model: SpeechModel) -> float:
    """What the service booked; where it does not tell, what its price list says."""
    try:
        return float(headers["character-cost"])
    except (KeyError, ValueError):
        return len(text) * model.credits_per_character
