"""The JSON file beside a Piper model: its language, sample rate and phonemes."""

from __future__ import annotations

from pathlib import Path

import msgspec


class _Audio(msgspec.Struct, frozen=True):
    sample_rate: int


class _Espeak(msgspec.Struct, frozen=True):
    voice: str


class _Language(msgspec.Struct, frozen=True):
    code: str = ""
    family: str = ""


class Config(msgspec.Struct, frozen=True):
    """What is used of `NAME.onnx.json`."""

    audio: _Audio
    espeak: _Espeak
    phoneme_id_map: dict[str, list[int]]
    num_speakers: int = 1
    language: _Language = _Language()


def config_of(path: Path) -> Config:
    """Raises OSError, msgspec.DecodeError, msgspec.ValidationError."""
    return msgspec.json.decode(path.read_bytes(), type=Config)
