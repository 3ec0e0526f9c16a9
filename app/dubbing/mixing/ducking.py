"""Computes the gain of a background over time: lowered under the voice, from the list of spoken spans alone.

No detector listens to the voice: the spans are known, so the gain is down when a line starts, does not pump in pauses,
and comes back smoothly. Gains are linear in dB between break points, and two of them one after the other are the sum of
their dB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from app.dubbing.mixing.loudness import ENERGY_N, SAMPLE_RATE_HZ, Doubles, Floats
from app.dubbing.worker.tasks import Ducking

SILENCE_DB: Final = -120.0  # what counts as off: 10^-6 of full scale, below 16 bits
_SHORT_S: Final = 0.05  # a ramp that may not be longer, but must not click
_CROSSFADE_S: Final = 0.03
_GRID_N: Final = 48  # the gain is computed every millisecond and drawn straight between
# Where a fade that is straight in amplitude has its break points: it and its reverse add up to 1 within 2 %.
_FADE: Final = (0.0, 0.01, 0.03, 0.06, 0.1, 0.17, 0.25, 0.37, 0.5, 0.63, 0.75, 0.83, 0.9, 0.94, 0.97, 0.99, 1.0)

Spans = Iterable[tuple[float, float]]


class DuckedSpan(msgspec.Struct, frozen=True, order=True):
    """A spoken span and how far the background goes down in it (dB <= 0)."""

    start_s: float
    end_s: float
    depth_db: float


class Gain:
    """A gain over time that can be asked for any block of samples, always with the same answer."""

    def __init__(self, at_n: npt.ArrayLike, gain_db: npt.ArrayLike) -> None:
        """Break points in samples, ascending, with their gains in dB; before the first and after the last the gain
        stays."""
        self._at_n = np.asarray(at_n, np.float64)
        self._db = np.asarray(gain_db, np.float64)

    def __add__(self, other: Gain) -> Gain:
        """Both, one after the other. What one of them has off stays off, however loud the other is."""
        at_n = np.union1d(self._at_n, other._at_n)
        own_db, other_db = self._at(at_n), other._at(at_n)
        return Gain(
            at_n,
            np.where(np.minimum(own_db, other_db) <= SILENCE_DB, SILENCE_DB, np.maximum(own_db + other_db, SILENCE_DB)),
        )

    def block(self, first_n: int, count_n: int) -> Floats | np.float32:
        """The factor for `count_n` samples from `first_n` on: float32 (n, 1), or one number where it does not
        change."""
        if self._still(first_n, count_n):
            return np.float32(self._factor(np.array([first_n]))[0])
        start = first_n // _GRID_N * _GRID_N
        grid = np.arange(start, first_n + count_n + _GRID_N, _GRID_N)
        drawn = np.interp(np.arange(first_n, first_n + count_n), grid, self._factor(grid))
        return drawn.astype(np.float32)[:, None]

    def silent(self, first_n: int, count_n: int) -> bool:
        """Whether nothing at all is heard in these samples."""
        return self._still(first_n, count_n) and float(self._at(np.array([first_n]))[0]) <= SILENCE_DB

    def facts(self, first_n: int, count_n: int) -> bytes:
        """Everything that `block` depends on for these samples, as bytes: equal bytes, equal factors."""
        if self._still(first_n, count_n):
            return self._at(np.array([first_n])).tobytes()
        before = max(int(np.searchsorted(self._at_n, first_n - _GRID_N, "right")) - 1, 0)
        after = int(np.searchsorted(self._at_n, first_n + count_n + _GRID_N, "left")) + 1
        return (
            (self._at_n[before:after] - first_n).tobytes()
            + self._db[before:after].tobytes()
            + str(first_n % _GRID_N).encode()
        )

    def per_energy(self, count: int) -> Doubles:
        """The factor in the middle of each of the first `count` cells of 100 ms: float64 (count,)."""
        return self._factor((np.arange(count) + 0.5) * ENERGY_N)

    def _still(self, first_n: int, count_n: int) -> bool:
        """Whether the gain is the same throughout, the grid's neighbours included."""
        from_n, until_n = first_n - _GRID_N, first_n + count_n + _GRID_N
        inside = self._at_n[np.searchsorted(self._at_n, from_n, "left") : np.searchsorted(self._at_n, until_n, "right")]
        values = self._at(np.concatenate([[from_n], inside, [until_n]]))
        return bool((values == values[0]).all())

    def _at(self, at_n: npt.NDArray[np.floating | np.signedinteger]) -> Doubles:
        return np.asarray(np.interp(at_n, self._at_n, self._db), np.float64)

    def _factor(self, at_n: npt.NDArray[np.floating | np.signedinteger]) -> Doubles:
        db = self._at(at_n)
        return np.asarray(np.where(db <= SILENCE_DB, 0.0, 10 ** (db / 20)), np.float64)


def constant(gain_db: float) -> Gain:
    """The same gain from beginning to end."""
    return Gain([0.0], [gain_db])


def under(lines: Sequence[DuckedSpan], shape: Ducking, original_spans: Spans = ()) -> Gain:
    """Lowered under the lines, each by its own depth, untouched elsewhere: down `attack_s` before a line, up
    `release_s` after it.

    A pause shorter than hold, attack and release stays lowered. Where lines overlap the deepest counts. In
    `original_spans` the background is what the listener wants to hear: it is up there, with short ramps, unless a
    line is spoken in them.
    """
    lines = _joined([line for line in sorted(lines) if line.end_s > line.start_s])
    if not lines:
        return constant(0.0)
    wanted = _merged(original_spans)
    points: list[tuple[float, float]] = []
    fall_s = _ramp_s(shape.attack_s, lines[0].start_s - _last_end(wanted, lines[0].start_s))
    points += [(lines[0].start_s - fall_s, 0.0), (lines[0].start_s, lines[0].depth_db)]
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        points.append((line.end_s, line.depth_db))
        until_s = following.start_s if following is not None else float("inf")
        wishes = [(start_s, end_s) for start_s, end_s in wanted if end_s > line.end_s and start_s < until_s]
        if (
            following is not None
            and not wishes
            and until_s - line.end_s < shape.hold_s + shape.attack_s + shape.release_s
        ):
            points.append((until_s, following.depth_db))  # straight from one depth to the other
            continue
        rise_s = _ramp_s(shape.release_s, wishes[0][0] - line.end_s if wishes else shape.release_s)
        fall_s = _ramp_s(shape.attack_s, until_s - wishes[-1][1] if wishes else shape.attack_s)
        if following is None:
            points.append((line.end_s + rise_s, 0.0))
        elif rise_s + fall_s < until_s - line.end_s:
            points += [(line.end_s + rise_s, 0.0), (until_s - fall_s, 0.0), (until_s, following.depth_db)]
        else:
            points.append((until_s, following.depth_db))
    at_s, gain_db = np.array(points).T
    return Gain(at_s * SAMPLE_RATE_HZ, gain_db)


def only_in(spans: Spans) -> Gain:
    """Silent but for the spans, with short fades outside them, straight in amplitude."""
    return _faded(spans, inside=True)


def but_in(spans: Spans) -> Gain:
    """What `only_in` is not: with the same sound under both, their sum is that sound."""
    return _faded(spans, inside=False)


def _faded(spans: Spans, *, inside: bool) -> Gain:
    shares = np.array(_FADE)
    coming = np.maximum(20 * np.log10(np.maximum(shares, 1e-9)), SILENCE_DB)
    going = coming[::-1]
    at_s, gain_db = [], []
    for start_s, end_s in _merged(spans, 2 * _CROSSFADE_S):
        at_s += [start_s - _CROSSFADE_S + shares * _CROSSFADE_S, end_s + shares * _CROSSFADE_S]
        gain_db += [coming, going] if inside else [going, coming]
    if not at_s:
        return constant(SILENCE_DB if inside else 0.0)
    return Gain(np.concatenate(at_s) * SAMPLE_RATE_HZ, np.concatenate(gain_db))


def _ramp_s(wished_s: float, room_s: float) -> float:
    """As long as wished, shorter where the room ends, but never a click."""
    return max(min(wished_s, room_s), min(wished_s, _SHORT_S), 1e-3)


def _last_end(spans: list[tuple[float, float]], before_s: float) -> float:
    """When the last span that begins before has ended."""
    return max((end_s for start_s, end_s in spans if start_s < before_s), default=-float("inf"))


def _joined(lines: list[DuckedSpan]) -> list[DuckedSpan]:
    """Lines that overlap or touch as one, with the deepest depth."""
    joined: list[DuckedSpan] = []
    for line in lines:
        if joined and line.start_s <= joined[-1].end_s:
            last = joined[-1]
            joined[-1] = DuckedSpan(last.start_s, max(last.end_s, line.end_s), min(last.depth_db, line.depth_db))
        else:
            joined.append(line)
    return joined


def _merged(spans: Spans, apart_s: float = 0.0) -> list[tuple[float, float]]:
    """In order, without overlaps, at least `apart_s` apart."""
    merged: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if merged and start_s - merged[-1][1] <= apart_s:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        elif end_s > start_s:
            merged.append((start_s, end_s))
    return merged
