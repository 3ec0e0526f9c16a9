"""Reads a WAV file as a server sends it, also one whose header was written before its length was known."""

from __future__ import annotations

import array
import struct
import sys
from typing import Final

import msgspec

_UNKNOWN: Final = 0x7FFF_FFFF  # a length from here on, or of 0, was not known when the header was sent
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


class Sound(msgspec.Struct, frozen=True):
    """s16le mono PCM."""

    pcm: bytes
    rate_hz: int


class NotWav(Exception):
    """The message says what is wrong."""


def read(data: bytes) -> Sound:
    """The sound of a WAV file of 16 bits or float32, mixed down to one channel. Raises `NotWav`, also for a file that
    was cut."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise NotWav("It sent something else instead of WAV.")
    form: tuple[int, int, int, int] | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if name == b"fmt ":
            form = _form(data[at : at + size])
        elif name == b"data":
            if form is None:
                raise NotWav("The WAV has no format.")
            known = 0 < size < _UNKNOWN
            if known and at + size > len(data):
                raise NotWav("The sound was cut.")
            return _sound(data[at : at + size] if known else data[at:], form)
        at += size + size % 2
    raise NotWav("The WAV has no sound in it.")


def _form(chunk: bytes) -> tuple[int, int, int, int]:
    """Kind, channels, rate and bits."""
    if len(chunk) < 16:
        raise NotWav("The WAV has no format.")
    kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if kind == _EXTENSIBLE and len(chunk) >= 26:
        kind = int.from_bytes(chunk[24:26], "little")
    if (kind, bits) not in ((_PCM, 16), (_FLOAT, 32)) or not 1 <= channels <= 8 or not 8_000 <= rate_hz <= 192_000:
        raise NotWav(f"Its WAV has {bits} bits, {channels} channels and {rate_hz} Hz.")
    return kind, channels, rate_hz, bits


def _sound(data: bytes, form: tuple[int, int, int, int]) -> Sound:
    kind, channels, rate_hz, bits = form
    if len(data) % (channels * bits // 8):
        raise NotWav("The sound was cut in the middle of a sample.")
    samples = array.array("h" if kind == _PCM else "f", data)
    if sys.byteorder == "big":
        samples.byteswap()
    if channels > 1:
        each = [samples[n::channels] for n in range(channels)]
        mixed = [sum(frame) / channels for frame in zip(*each, strict=True)]
        samples = array.array(samples.typecode, [int(x) for x in mixed] if kind == _PCM else mixed)
    if kind == _FLOAT:
        if any(x != x for x in samples):
            raise NotWav("The sound has values that are no numbers.")
        samples = array.array("h", (round(max(-1.0, min(1.0, x)) * 32767) for x in samples))
    if sys.byteorder == "big":
        samples.byteswap()
    return Sound(samples.tobytes(), rate_hz)
