"""Chooses all levels: of each line, of the background under and between lines, and of the whole.

Known from energies before anything is mixed (`loudness`). Every level is rounded: a small change of one line then
leaves all others, and with them every other chunk of the encoded track, bit for bit as they were. What a line's own
surroundings ask for changes only that line.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np

from app.domain.dub_options import Background
from app.dubbing.mixing import limiter_estimate
from app.dubbing.mixing.ducking import SILENCE_DB, DuckedSpan, Gain, Spans, but_in, constant, only_in, under
from app.dubbing.mixing.limiter_estimate import Envelope
from app.dubbing.mixing.loudness import (
    ENERGY_N,
    SAMPLE_RATE_HZ,
    SILENT_LUFS,
    Doubles,
    Floats,
    integrated_lufs,
    linear,
    speech_lufs,
)
from app.dubbing.worker.tasks import Ducking

VOICE_ABOVE_DUCKED_LU: Final = 15.0  # a voice-over is easy to follow from about 12 on; at 20 the original is inaudible
LEAST_ABOVE_DUCKED_LU: Final = 12.0  # over what is loud under one line only
# Over music whose old voice is gone nothing has to be drowned: it stays louder, and is only just lowered.
VOICE_ABOVE_MUSIC_LU: Final = 10.0
LEAST_ABOVE_MUSIC_LU: Final = 7.0
# where the person wants the background as it is, or sets its depth: the voice must lead all the same
LEAST_ABOVE_LU: Final = 5.0
DEEPEST_DB: Final = -30.0
_DEEPEST_OF_A_LINE_DB: Final = -60.0
# for a line over a kept background; above this it would shout, so the background is lowered instead
_MOST_RAISED_DB: Final = 6.0
# the voice replaces speech that may be quieter than the film, but not by more than this
_VOICE_UNDER_PROGRAMME_LU: Final = 3.0
_FAINT_LUFS: Final = -45.0  # quieter sound is hiss and no reference for a voice
_WITHOUT_REFERENCE_LUFS: Final = -20.0
_MAX_CLIP_GAIN_DB: Final = 24.0
MAX_GAIN_DB: Final = 30.0  # hiss alone is not raised further
_LEVEL_STEP_DB: Final = 0.5
GAIN_STEP_DB: Final = 0.25  # the loudness misses its target by half of this at most


class ClipLevels(msgspec.Struct, frozen=True):
    """A ready clip at its place, with its energies and the largest magnitudes of 5 ms each (`clip_cache`). Pieces
    of one `line` have one level. `level_db`
    is the person's wish, on top of what is found."""

    start_n: int
    length_n: int
    energies: Doubles
    peaks: Floats
    level_db: float = 0.0
    line: str = ""

    @property
    def span(self) -> tuple[float, float]:
        return self.start_n / SAMPLE_RATE_HZ, (self.start_n + self.length_n) / SAMPLE_RATE_HZ


class MixChoices(msgspec.Struct, frozen=True):
    """What the person has chosen; see `tasks.MixRequest`."""

    background: Background
    ducking: Ducking = Ducking()
    keep_db: float = 0.0
    original_spans: tuple[tuple[float, float], ...] = ()
    target_lufs: float | None = -16.0
    gentle: bool = False


class Levels(msgspec.Struct, frozen=True):
    """`gain_db` applies to everything, and no correction may go beyond `most_db`; `original`, `stem` and `voices_db`
    (one per clip) come on top."""

    gain_db: float
    most_db: float
    original: Gain
    stem: Gain
    voices_db: list[float]


def choose(
    wishes: MixChoices, original: Doubles, stem: Doubles | None, voices: list[ClipLevels], ceiling_dbtp: float
) -> Levels:
    """Levels for a mix as long as `original` (its energies). With `stem` (its energies, as many) that is the background
    instead."""
    bed = original if stem is None else stem
    voice_lufs, bed_under = _voice_lufs(wishes, original, bed, voices)
    voices_db = _gains_db(voice_lufs, voices)
    depth_db = _depth_db(wishes, voice_lufs, bed_under)
    least_lu = LEAST_ABOVE_MUSIC_LU if wishes.gentle else LEAST_ABOVE_DUCKED_LU
    if wishes.background == Background.KEEP or wishes.ducking.depth_db is not None:
        least_lu = LEAST_ABOVE_LU
    if wishes.background == Background.KEEP:
        voices_db = [
            db + _raised_db(voice, db, bed, wishes.keep_db) for voice, db in zip(voices, voices_db, strict=True)
        ]
    voices_db = [db + voice.level_db for voice, db in zip(voices, voices_db, strict=True)]
    lines = _lines(
        voices, voices_db, bed, wishes.keep_db if wishes.background == Background.KEEP else 0.0, depth_db, least_lu
    )
    shape = under(lines, wishes.ducking, wishes.original_spans)
    if wishes.background == Background.KEEP:
        shape += constant(wishes.keep_db)
    off = constant(SILENCE_DB)
    if wishes.background == Background.REPLACE or stem is not None:
        spans = wishes.original_spans
        over_original = under(_lines(voices, voices_db, original, 0.0, depth_db, least_lu), wishes.ducking, spans)
        heard = only_in(spans) + over_original if spans else off
        levels = Levels(
            0.0,
            0.0,
            heard,
            shape + but_in(spans) if wishes.background != Background.REPLACE else off,
            voices_db,
        )
    else:
        levels = Levels(0.0, 0.0, shape, off, voices_db)
    if wishes.target_lufs is None:
        return levels
    gain_db, most_db = _gain_db(wishes.target_lufs, levels, original, stem, voices, ceiling_dbtp)
    return msgspec.structs.replace(
        levels, gain_db=rounded(gain_db, GAIN_STEP_DB), most_db=rounded(most_db, GAIN_STEP_DB)
    )


def rounded(value_db: float, step_db: float) -> float:
    """To the nearest whole step."""
    return round(value_db / step_db) * step_db


def _voice_lufs(wishes: MixChoices, original: Doubles, bed: Doubles, voices: list[ClipLevels]) -> tuple[float, float]:
    """How loud every line is: as loud as the speech that it replaces; and how loud the background is under all of
    them."""
    spans = [voice.span for voice in voices]
    heard = original if original.any() else bed
    programme, under_voice = integrated_lufs(heard), integrated_lufs(heard[_inside(spans, len(heard))])
    bed_under = integrated_lufs(bed[_inside(spans, len(bed))])
    level = max(under_voice, programme - _VOICE_UNDER_PROGRAMME_LU)
    if level < _FAINT_LUFS:
        level = _WITHOUT_REFERENCE_LUFS
    if wishes.background == Background.KEEP:
        level = max(level, bed_under + wishes.keep_db + LEAST_ABOVE_LU)
    return rounded(level, _LEVEL_STEP_DB), bed_under


def _depth_db(wishes: MixChoices, voice_lufs: float, bed_under: float) -> float:
    """How far the background goes down under every line."""
    if wishes.background == Background.KEEP:
        return 0.0
    if wishes.background == Background.DUCK and wishes.ducking.depth_db is not None:
        return wishes.ducking.depth_db
    if bed_under == SILENT_LUFS:
        return 0.0
    above_lu = VOICE_ABOVE_MUSIC_LU if wishes.gentle else VOICE_ABOVE_DUCKED_LU
    return rounded(min(max(voice_lufs - above_lu - bed_under, DEEPEST_DB), 0.0), _LEVEL_STEP_DB)


def _gains_db(voice_lufs: float, voices: list[ClipLevels]) -> list[float]:
    whole: dict[str, list[Doubles]] = {}
    for voice in voices:
        whole.setdefault(voice.line, []).append(voice.energies)
    together = {line: np.concatenate(pieces) for line, pieces in whole.items() if line}
    return [_clip_gain_db(voice_lufs, together.get(voice.line, voice.energies)) for voice in voices]


def _clip_gain_db(voice_lufs: float, energies: Doubles) -> float:
    measured = speech_lufs(energies)
    if measured == SILENT_LUFS:
        return 0.0
    return min(max(voice_lufs - measured, -_MAX_CLIP_GAIN_DB), _MAX_CLIP_GAIN_DB)


def _lead_lu(voice: ClipLevels, voice_db: float, bed: Doubles) -> float:
    """How far the line is above what is under it: infinite where one of them is silent."""
    said = speech_lufs(voice.energies)
    beneath = speech_lufs(bed[_inside([voice.span], len(bed))])
    return math.inf if SILENT_LUFS in (said, beneath) else said + voice_db - beneath


def _raised_db(voice: ClipLevels, voice_db: float, bed: Doubles, bed_db: float) -> float:
    """What a line needs to lead over a background that stays."""
    missing = LEAST_ABOVE_LU - (_lead_lu(voice, voice_db, bed) - bed_db)
    return (
        min(max(math.ceil(missing / _LEVEL_STEP_DB) * _LEVEL_STEP_DB, 0.0), _MOST_RAISED_DB)
        if math.isfinite(missing)
        else 0.0
    )


def _lines(
    voices: list[ClipLevels], voices_db: list[float], bed: Doubles, bed_db: float, depth_db: float, least_lu: float
) -> list[DuckedSpan]:
    """Every line with the depth under it: everybody's, or deeper where the line would not lead by `least_lu`."""
    lines = []
    for voice, voice_db in zip(voices, voices_db, strict=True):
        spare = _lead_lu(voice, voice_db, bed) - bed_db - least_lu
        own_db = math.floor(spare / _LEVEL_STEP_DB) * _LEVEL_STEP_DB if math.isfinite(spare) else 0.0
        lines.append(DuckedSpan(*voice.span, max(min(depth_db, own_db), _DEEPEST_OF_A_LINE_DB)))
    return lines


def _gain_db(
    target_lufs: float,
    levels: Levels,
    original: Doubles,
    stem: Doubles | None,
    voices: list[ClipLevels],
    ceiling_dbtp: float,
) -> tuple[float, float]:
    """The gain that brings the whole to the target, what the limiter takes away included; and the largest that makes
    sense."""
    count = len(original)
    background = original * levels.original.per_energy(count) ** 2
    if stem is not None:
        background = background + stem * levels.stem.per_energy(count) ** 2
    mixed = background + _voice_energies(voices, levels.voices_db, count)
    if integrated_lufs(mixed) == SILENT_LUFS:
        return 0.0, 0.0
    envelope = Envelope(background)
    for voice, voice_db in zip(voices, levels.voices_db, strict=True):
        envelope.add(voice.start_n, voice.peaks * np.float32(linear(voice_db)))
    return limiter_estimate.gain_to(target_lufs, mixed, envelope, ceiling_dbtp, max_gain_db=MAX_GAIN_DB)


def _voice_energies(voices: list[ClipLevels], gains_db: list[float], count: int) -> Doubles:
    """The energies of all clips at their places; one that starts between two cells is divided between them."""
    total = np.zeros(count + 1)
    for voice, gain_db in zip(voices, gains_db, strict=True):
        cell, rest_n = divmod(voice.start_n, ENERGY_N)
        share = rest_n / ENERGY_N
        energies = np.concatenate([voice.energies * (1 - share), [0.0]]) + np.concatenate(
            [[0.0], voice.energies * share]
        )
        fitting = energies[: max(0, count - cell)]
        total[cell : cell + len(fitting)] += fitting * linear(gain_db) ** 2
    return total[:count]


def _inside(spans: Spans, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of `count` cells of 100 ms lie within a span."""
    inside = np.zeros(count, np.bool_)
    for start_s, end_s in spans:
        first_n, last_n = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)  # 0.3 / 0.1 is less than 3
        inside[max(0, first_n // ENERGY_N) : max(0, -(-last_n // ENERGY_N))] = True
    return inside
