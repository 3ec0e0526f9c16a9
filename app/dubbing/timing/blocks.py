"""Solves the schedule in blocks: lines that do not affect each other are solved separately, with the same exact result.

Leaving out what ties two pieces of the timeline together (a limit, the price of a jump) can only make the optimum
cheaper. So where the pieces' own optima, put side by side, keep every limit and pay nothing that was left out, they are
the optimum of the whole; where they do not, the two pieces become one and are solved again. This is faster, and an
edited line leaves distant lines' numbers as they were, to the last bit: their pieces are the same as before.
"""

from __future__ import annotations

import numpy as np

from app.dubbing.timing.linear_program import Solution, scattered, solve
from app.dubbing.timing.lines import Booleans, Doubles, FitLines, Indices, PairConstraints
from app.dubbing.timing.weights import Weights

_NEAR = 64  # a cut is the best of this many places before and after it: so it depends on nothing farther away
# lines that fit, before and after a cut: with 3 nearly every cut holds, with 2 eight of ten, with 1 one of three
_CALM = 4
_CALM_ENOUGH = 3
_EXACT = 1e-7


def solve_all(lines: FitLines, ties: PairConstraints, weights: Weights) -> Solution | None:
    """The cheapest schedule of all lines, or None when some voice does not fit the video."""
    shift_s, stretch = np.zeros(len(lines)), np.zeros(len(lines))
    cut = _cuts(lines, ties, weights)  # (n,) this line begins a piece
    dirty = cut.copy()
    while dirty.any():
        firsts = np.flatnonzero(cut)
        for first, end in zip(firsts.tolist(), [*firsts[1:].tolist(), len(lines)], strict=True):
            if not dirty[first]:
                continue
            piece, tied = lines.taken(slice(first, end)), ties.between(first, end)
            if tied.fits.all() and not _broken(piece, tied, np.zeros(len(piece)), np.zeros(len(piece)))[0].size:
                continue  # as it was: nothing costs less than nothing
            solved = solve(piece, tied, weights) or solve(piece, tied, weights, squeeze=True)
            if solved is None:
                return None
            shift_s[first:end], stretch[first:end] = solved.shift_s, solved.stretch
        dirty = _join(lines, ties, cut, shift_s, stretch)
    return Solution(shift_s, stretch)


def _cuts(lines: FitLines, ties: PairConstraints, weights: Weights) -> Booleans:
    """Where pieces may begin: in pauses so long that no pace is compared, and amid lines that all fit their slots."""
    silent_s = lines.start_s - np.maximum.accumulate(np.append(-np.inf, lines.end_s[:-1]))
    fits = np.pad(ties.fits, _CALM)
    here = np.arange(len(lines)) + _CALM
    calm = sum(
        np.logical_and.reduce([fits[here + k] for k in range(-far, far)]).astype(np.int64)
        for far in range(1, _CALM + 1)
    )
    worth = calm + _CALM * (silent_s >= weights.jump_fade_s) + 1e-3 * scattered(lines, 1)[:, 0]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(worth, _NEAR), 2 * _NEAR + 1)
    cut = np.asarray((worth >= around.max(axis=1)) & (worth >= _CALM_ENOUGH), np.bool_)
    cut[0] = True
    return cut


def _join(lines: FitLines, ties: PairConstraints, cut: Booleans, shift_s: Doubles, stretch: Doubles) -> Booleans:
    """Takes away the cuts between lines that do not get along; (n,) the pieces to be solved again, at their first
    line."""
    before, after = _broken(lines, ties, shift_s, stretch)
    piece = np.cumsum(cut) - 1
    apart = piece[before] != piece[after]
    firsts = np.flatnonzero(cut)
    joined = np.zeros(len(firsts) + 1, np.int64)
    np.add.at(joined, piece[before][apart] + 1, 1)
    np.add.at(joined, piece[after][apart] + 1, -1)
    again = np.cumsum(joined)[:-1] > 0  # this piece goes together with the one before it
    cut[firsts[again]] = False
    dirty = np.zeros(len(lines), np.bool_)
    dirty[firsts[np.append(again[1:], False) & ~again]] = True
    return dirty


def _broken(lines: FitLines, ties: PairConstraints, shift_s: Doubles, stretch: Doubles) -> tuple[Indices, Indices]:
    """The lines (i, j) between which a limit is broken or a jump is paid for."""
    start_s = lines.start_s + shift_s
    end_s = start_s + lines.natural_s * (1 + stretch)
    ends, orders, jumps = ties.ends, ties.orders, ties.jumps
    found = (
        (ends, end_s[ends.before] - start_s[ends.after] > ends.value + _EXACT),
        (orders, start_s[orders.before] > start_s[orders.after] + _EXACT),
        (jumps, np.abs(stretch[jumps.before] - stretch[jumps.after]) * jumps.value > _EXACT),
    )
    return np.concatenate([tied.before[bad] for tied, bad in found]), np.concatenate(
        [tied.after[bad] for tied, bad in found]
    )
