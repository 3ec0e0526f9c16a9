"""How loud everything is: each line, the original under and between the lines, and the whole.

Known from energies before anything is mixed (`loudness`). Every level is rounded: a small change of one line then leaves all others, and
with them every other chunk of the encoded track, bit for bit as they were.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from app.domain.job import Background
from app.dubbing.ducking import Gain, Spans, constant, only_in, under
from app.dubbing.loudness import ENERGY_N, ENERGY_S, SILENT_LUFS, Doubles, gain_to, integrated_lufs, linear, speech_lufs

VOICE_ABOVE_DUCKED_LU = 15.0  # a voice-over is followed without effort from about 12 on; at 20 the original is gone
VOICE_ABOVE_KEPT_LU = 5.0  # the original stays as it is: the voice must lead all the same
DEEPEST_DB = -30.0
_VOICE_UNDER_PROGRAMME_LU = 3.0  # the voice replaces speech that may be quieter than the film, but not by more than this
_FAINT_LUFS = -45.0  # below: hiss, no reference for a voice
_WITHOUT_REFERENCE_LUFS = -20.0
_MAX_CLIP_GAIN_DB = 24.0
_MAX_GAIN_DB = 30.0  # hiss alone stays hiss
_LEVEL_STEP_DB = 0.5
_GAIN_STEP_DB = 0.25  # the loudness misses its target by half of this at most


class Voice(msgspec.Struct, frozen=True):
    """A ready clip at its place, with its energies."""

    start_n: int
    length_n: int
    energies: Doubles


class Levels(msgspec.Struct, frozen=True):
    """`gain_db` applies to everything; `background` and `voices_db` (one per clip) come on top of it."""

    gain_db: float
    background: Gain
    voices_db: list[float]


def choose(background: Background, source: Doubles, voices: list[Voice], spans: Spans, kept: Spans, target_lufs: float | None) -> Levels:
    """Levels for a mix as long as `source` (its energies). `spans` is where lines are spoken, `kept` where a replaced original stays."""
    spans = list(spans)
    programme, under_voice = integrated_lufs(source), integrated_lufs(source[_inside(spans, len(source))])
    voice_lufs = _rounded(_voice_lufs(background, programme, under_voice), _LEVEL_STEP_DB)
    shape = constant(0.0)
    if background == Background.REPLACE:
        shape = only_in(kept)
    elif background == Background.DUCK and under_voice > SILENT_LUFS:
        depth_db = min(max(voice_lufs - VOICE_ABOVE_DUCKED_LU - under_voice, DEEPEST_DB), 0.0)
        shape = under(spans, _rounded(depth_db, _LEVEL_STEP_DB))
    voices_db = [_clip_gain_db(voice_lufs, voice) for voice in voices]
    gain_db = 0.0
    if target_lufs is not None:
        mixed = source * shape.per_energy(len(source)) ** 2 + _voice_energies(voices, voices_db, len(source))
        gain_db = _rounded(gain_to(target_lufs, mixed, max_gain_db=_MAX_GAIN_DB), _GAIN_STEP_DB)
    return Levels(gain_db, shape, voices_db)


def _voice_lufs(background: Background, programme: float, under_voice: float) -> float:
    """As loud as the speech that it replaces."""
    level = max(under_voice, programme - _VOICE_UNDER_PROGRAMME_LU)
    if level < _FAINT_LUFS:
        return _WITHOUT_REFERENCE_LUFS
    if background == Background.KEEP:
        return max(level, under_voice + VOICE_ABOVE_KEPT_LU)
    return level


def _clip_gain_db(voice_lufs: float, voice: Voice) -> float:
    measured = speech_lufs(voice.energies)
    if measured == SILENT_LUFS:
        return 0.0
    return min(max(voice_lufs - measured, -_MAX_CLIP_GAIN_DB), _MAX_CLIP_GAIN_DB)


def _voice_energies(voices: list[Voice], gains_db: list[float], count: int) -> Doubles:
    """The energies of all clips at their places; one that starts between two cells is divided between them."""
    total = np.zeros(count + 1)
    for voice, gain_db in zip(voices, gains_db, strict=True):
        cell, rest_n = divmod(voice.start_n, ENERGY_N)
        share = rest_n / ENERGY_N
        energies = np.concatenate([voice.energies * (1 - share), [0.0]]) + np.concatenate([[0.0], voice.energies * share])
        fitting = energies[: max(0, count - cell)]
        total[cell : cell + len(fitting)] += fitting * linear(gain_db) ** 2
    return total[:count]


def _inside(spans: Spans, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of `count` cells of 100 ms lie within a span."""
    inside = np.zeros(count, np.bool_)
    for start_s, end_s in spans:
        inside[max(0, math.floor(start_s / ENERGY_S)) : max(0, math.ceil(end_s / ENERGY_S))] = True
    return inside


def _rounded(value_db: float, step_db: float) -> float:
    return round(value_db / step_db) * step_db
