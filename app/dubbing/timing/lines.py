"""The lines as the fit sees them: arrays sorted by start, and constraints between lines."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from app.dubbing.timing.weights import TOUCHING_S, Weights

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

_PAIRS_EACH = 64  # overlapping lines that are looked at from one line; order holds for all others
_SHORTEST_S = 1e-3
_EXACT = 1e-6


class FitLines(msgspec.Struct, frozen=True):
    """Arrays (n,), sorted by `start_s`. `natural_s` is the length at rate 1, or at its own rate where that is
    locked."""

    start_s: Doubles
    end_s: Doubles
    natural_s: Doubles
    voice: Indices
    start_locked: Booleans
    rate_locked: Booleans
    video_end_s: float

    def __len__(self) -> int:
        return len(self.start_s)

    def taken(self, places: slice | Indices) -> FitLines:
        """Some of them, in that order."""
        return FitLines(
            start_s=self.start_s[places],
            end_s=self.end_s[places],
            natural_s=self.natural_s[places],
            voice=self.voice[places],
            start_locked=self.start_locked[places],
            rate_locked=self.rate_locked[places],
            video_end_s=self.video_end_s,
        )


class PairValues(msgspec.Struct, frozen=True):
    """Lines i (`before`) and j (`after`), i < j, and a number for each pair; arrays (pairs,), sorted by i."""

    before: Indices
    after: Indices
    value: Doubles

    def between(self, first: int, end: int) -> PairValues:
        """The pairs of lines first..end-1, which become 0..end-first-1."""
        span = slice(*np.searchsorted(self.before, (first, end)))
        inside = self.after[span] < end
        return PairValues(self.before[span][inside] - first, self.after[span][inside] - first, self.value[span][inside])


class PairConstraints(msgspec.Struct, frozen=True):
    """What holds between lines.

    ends: i ends at most `value` seconds after j starts (negative: that long before). Enough of them for all lines.
    orders: i starts no later than j, where `ends` does not say so already.
    jumps: a difference of pace costs `value`; pairs of one voice only.
    fits: (n,) bool, the line fits its own slot, whatever the others do.
    """

    ends: PairValues
    orders: PairValues
    jumps: PairValues
    fits: Booleans

    def between(self, first: int, end: int) -> PairConstraints:
        """Those of lines first..end-1, which become 0..end-first-1."""
        return PairConstraints(
            self.ends.between(first, end),
            self.orders.between(first, end),
            self.jumps.between(first, end),
            self.fits[first:end],
        )


def sorted_lines(lines: FitLines, speakers: Sequence[str]) -> tuple[FitLines, Indices]:
    """The lines with a voice for each speaker, and where each of them stood (lines of equal start keep their order).

    An empty speaker is one speaker like any other. A line ends after it starts, nothing starts before 0, no clip is
    shorter than 1 ms.
    """
    voices = {name: index for index, name in enumerate(dict.fromkeys(speakers))}
    start_s = np.maximum(lines.start_s, 0.0)
    order = np.argsort(start_s, kind="stable")
    sound = msgspec.structs.replace(
        lines,
        start_s=start_s,
        end_s=np.maximum(lines.end_s, start_s),
        natural_s=np.maximum(lines.natural_s, _SHORTEST_S),
        voice=np.array([voices[name] for name in speakers], np.int64),
    )
    return sound.taken(order), order


def ties(lines: FitLines, weights: Weights) -> PairConstraints:
    """See `PairConstraints`."""
    starts, until, voices = lines.start_s.tolist(), lines.end_s.tolist(), lines.voice.tolist()
    ends: list[tuple[int, int, float]] = []
    orders: list[tuple[int, int, float]] = []
    chain: list[tuple[int, int, float]] = []
    latest: dict[int, int] = {}
    for i, voice in enumerate(voices):
        if voice in latest:
            ends.append((latest[voice], i, -weights.gap_s))
            chain.append((latest[voice], i, 0.0))
        latest[voice] = i
        for k in range(i + 1, min(i + 1 + _PAIRS_EACH, len(starts))):
            overlap_s = until[i] - starts[k]
            if voices[k] != voice:
                ends.append((i, k, overlap_s if overlap_s > TOUCHING_S else 0.0))
                if k == i + 1 and overlap_s > TOUCHING_S:
                    orders.append((i, k, 0.0))
            if overlap_s <= TOUCHING_S:
                break  # whatever starts later is kept apart by the order
    limits = _tied(ends)
    return PairConstraints(limits, _tied(orders), _jumps(lines, _tied(chain), weights), _fits(lines, limits))


def _jumps(lines: FitLines, chain: PairValues, weights: Weights) -> PairValues:
    before, after = chain.before, chain.after
    pause_s = np.maximum(lines.start_s[after] - lines.end_s[before], 0)
    price = weights.jump * np.maximum(1 - pause_s / weights.jump_fade_s, 0)
    heard = (price > 0) & ~lines.rate_locked[before] & ~lines.rate_locked[after]  # who locks a rate asks for the jump
    return PairValues(before[heard], after[heard], price[heard])


def _fits(lines: FitLines, ends: PairValues) -> Booleans:
    limit_s = np.minimum(lines.end_s, lines.video_end_s)
    later = lines.start_s[ends.after] > lines.start_s[ends.before]
    np.minimum.at(limit_s, ends.before[later], (lines.start_s[ends.after] + ends.value)[later])
    return np.asarray(lines.natural_s <= limit_s - lines.start_s + _EXACT, np.bool_)


def _tied(pairs: list[tuple[int, int, float]]) -> PairValues:
    pairs.sort()
    before, after, value = zip(*pairs, strict=True) if pairs else ((), (), ())
    return PairValues(np.array(before, np.int64), np.array(after, np.int64), np.array(value, np.float64))
