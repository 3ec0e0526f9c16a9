"""Spleeter's own weights tell a voice from music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.separation import pieces
from app.separation.spleeter.network import Spleeter
from bench.separate import KINDS, VOICES, espeak, left_db, sdr_db, speech


@pytest.mark.real
@pytest.mark.parametrize("kind", ["chords", "beat", "strings"])
def test_voice_and_music_come_apart(weights: Path, kind: str) -> None:
    model = Spleeter(weights / "spleeter" / "2stems" / "model", threads=2)
    voice = speech(espeak, VOICES["espeak"], 12.0)
    music = KINDS[kind](len(voice))
    music *= np.sqrt(np.mean(voice**2) / np.mean(music**2))
    mixture = voice + music
    heard = np.concatenate([*pieces.background(model, lambda a, b: mixture[a:b], len(mixture))])
    assert sdr_db(voice, mixture - heard) - sdr_db(voice, mixture) > 10
    assert left_db(voice, music, heard) < -15
