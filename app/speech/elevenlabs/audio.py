"""Validates that a response of status 200 really is PCM of plausible length."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import msgspec

from app.domain.problems.voices import SPEECH_FAILED
from app.speech.elevenlabs.models import SpeechModel
from app.speech.failures import CallFailure, Retry

_FASTEST: Final = 60.0  # more letters a second than any voice speaks
_SLOWEST_S: Final = 1.0  # more seconds for a character than any voice takes on average: a number may be ten words
_REST_S: Final = 10.0
_HEADERS: Final = ("content-type", "character-cost", "request-id")


class Received(msgspec.Struct, frozen=True):
    """A response: its relevant headers, its bytes, and when it came (Unix time; 0: nobody knows)."""

    headers: dict[str, str]
    pcm: bytes
    at: float = 0.0

    @staticmethod
    def of(headers: Mapping[str, str], pcm: bytes) -> Received:
        return Received({name: headers[name] for name in _HEADERS if name in headers}, pcm, time.time())

    def packed(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @staticmethod
    def unpacked(data: bytes) -> Received:
        return msgspec.msgpack.decode(data, type=Received)


def most_bytes(text: str, rate_hz: int) -> int:
    """The most bytes of PCM that the line can plausibly have."""
    return int((len(text) * _SLOWEST_S + _REST_S) * rate_hz) * 2


def sound(pcm: bytes, headers: Mapping[str, str], text: str, rate_hz: int) -> bytes:
    """The PCM, if it is plausible. Raises Trouble: the call may have been billed, so there is only one more try."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith("audio/"):
        raise CallFailure(SPEECH_FAILED, f"It sent {media_type[:60] or 'something'} instead of sound.", Retry.ANSWER)
    if len(pcm) % 2:
        raise CallFailure(SPEECH_FAILED, "The sound was cut in the middle of a sample.", Retry.ANSWER)
    letters = sum(c.isalnum() for c in text)
    if len(pcm) / 2 / rate_hz < letters / _FASTEST or not any(pcm):
        raise CallFailure(SPEECH_FAILED, "There was no sound, or too little for the line.", Retry.ANSWER)
    return pcm


def cost_credits(headers: Mapping[str, str], text: str, model: SpeechModel) -> float:
    """The credits that the service charged; when it does not say, those of its price list."""
    try:
        return float(headers["character-cost"])
    except (KeyError, ValueError):
        return len(text) * model.credits_per_character
