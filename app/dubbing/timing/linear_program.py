"""Builds the linear program of a block of lines as arrays; HiGHS solves it exactly.

A line's start is its original start + shift, its length its natural length x (1 + stretch). Both are sums of tiers,
columns between 0 and their width whose prices grow, so the cost is convex and needs no rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from app.dubbing.timing import highs
from app.dubbing.timing.lines import Doubles, FitLines, Indices, PairConstraints
from app.dubbing.timing.weights import ON_TIME_S, Tiers, Weights

# prices differ by up to this share from line to line: one optimum, whoever else is solved with a line
_TIE_BREAK = 1e-5
_MINUS = np.array(-1.0)


class Solution(msgspec.Struct, frozen=True):
    """Float64 (n,): seconds after the original start, and length / natural length - 1."""

    shift_s: Doubles
    stretch: Doubles


class _Tiers(msgspec.Struct, frozen=True):
    """The columns of every line. `pace` and `moves` (k,): what a column adds to the stretch and to the shift; the rest
    (n, k)."""

    pace: Doubles
    moves: Doubles
    widths: Doubles
    prices: Doubles


class _ConstraintRows:
    """A sparse matrix and its right side, collected row by row."""

    def __init__(self) -> None:
        self._rows: list[Indices] = []
        self._columns: list[Indices] = []
        self._values: list[Doubles] = []
        self._limits: list[Doubles] = []
        self._count = 0

    def add(self, limits: Doubles, *parts: tuple[Indices, Doubles]) -> None:
        """A row for every limit; a part is its columns, (rows,) or (rows, k), and their values."""
        if not len(limits):
            return
        rows = np.arange(self._count, self._count + len(limits))
        for columns, values in parts:
            wide = columns.reshape(len(rows), -1)
            self._rows.append(np.repeat(rows, wide.shape[1]))
            self._columns.append(wide.ravel())
            self._values.append(np.broadcast_to(values, columns.shape).ravel())
        self._limits.append(limits)
        self._count += len(limits)

    def entries(self) -> tuple[Indices, Indices, Doubles, Doubles]:
        """Rows, columns and values, and the right side."""
        if not self._count:
            return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0), np.zeros(0)
        rows, columns = np.concatenate(self._rows), np.concatenate(self._columns)
        return rows, columns, np.concatenate(self._values), np.concatenate(self._limits)


def solve(lines: FitLines, ties: PairConstraints, weights: Weights, *, squeeze: bool = False) -> Solution | None:
    """The cheapest schedule, or None when there is none.

    With `squeeze`, the breath between lines, the order of voices and the silence between them may be given up at a
    price.
    """
    n, tiers = len(lines), _tiers(lines, ties, weights)
    ends, orders, jumps = ties.ends, ties.orders, ties.jumps
    columns = np.arange(n * (len(tiers.pace) + 1)).reshape(n, -1)
    tier, overrun = columns[:, :-1], columns[:, -1]
    up, down, late_end, late_start = _numbered(
        columns.size, len(jumps.value), len(jumps.value), len(ends.value), len(orders.value)
    )
    end_of = lines.natural_s[:, None] * tiers.pace + tiers.moves  # what the columns add to a line's end
    end_s = lines.start_s + lines.natural_s
    one_voice = lines.voice[ends.before] == lines.voice[ends.after]
    last = np.ones(n, np.bool_)
    last[ends.before[one_voice]] = False  # the next line of the voice ends later

    rows = _ConstraintRows()
    rows.add(lines.end_s - end_s, (tier, end_of), (overrun, _MINUS))
    room_s = lines.start_s[ends.after] - end_s[ends.before] + ends.value
    rows.add(room_s, (tier[ends.before], end_of[ends.before]), (tier[ends.after], -tiers.moves), (late_end, _MINUS))
    room_s = lines.start_s[orders.after] - lines.start_s[orders.before]
    rows.add(room_s, (tier[orders.before], tiers.moves), (tier[orders.after], -tiers.moves), (late_start, _MINUS))
    if np.isfinite(lines.video_end_s):
        rows.add(lines.video_end_s - end_s[last], (tier[last], end_of[last]))
    same = _ConstraintRows()
    same.add(
        np.zeros(len(up)),
        (tier[jumps.before], tiers.pace),
        (tier[jumps.after], -tiers.pace),
        (up, _MINUS),
        (down, -_MINUS),
    )

    own_widths, own_prices = (
        np.column_stack([tiers.widths, np.full(n, np.inf)]),
        np.column_stack([tiers.prices, np.full(n, weights.overrun)]),
    )
    squeezed = (
        [np.where(one_voice, weights.gap_s, np.inf), np.full(len(late_start), np.inf)]
        if squeeze
        else [np.zeros(len(late_end) + len(late_start))]
    )
    widths = np.concatenate([own_widths.ravel(), np.full(len(up) + len(down), np.inf), *squeezed])
    prices = np.concatenate(
        [own_prices.ravel(), jumps.value, jumps.value, np.full(len(late_end) + len(late_start), weights.squeezed)]
    )

    used = widths > 0
    solved = highs.solve(_program(prices, widths, rows, same, used))
    if solved is None:
        return None
    values = np.zeros(len(widths))
    values[used] = solved
    return Solution(values[tier] @ tiers.moves, values[tier] @ tiers.pace)


def _program(
    prices: Doubles, widths: Doubles, rows: _ConstraintRows, same: _ConstraintRows, used: npt.NDArray[np.bool_]
) -> highs.Program:
    """Of the columns, those that are used."""
    (own_rows, own_columns, own_values, limits), (more_rows, more_columns, more_values, zeros) = (
        rows.entries(),
        same.entries(),
    )
    at, columns = np.concatenate([own_rows, more_rows + len(limits)]), np.concatenate([own_columns, more_columns])
    columns_used = used[columns]
    place = np.cumsum(used) - 1
    values = np.concatenate([own_values, more_values])[columns_used]
    return highs.Program(
        prices[used],
        widths[used],
        at[columns_used],
        place[columns[columns_used]],
        values,
        np.concatenate([limits, zeros]),
        len(zeros),
    )


def _tiers(lines: FitLines, ties: PairConstraints, w: Weights) -> _Tiers:
    """Rates cost by the second of speech, starts by the second of shift."""
    fast, slow = _widths(w.fast, lambda rate: 1 - 1 / rate), _widths(w.slow, lambda rate: 1 / rate - 1)
    late, early = _widths(w.late, float), _widths(w.early, float)
    # never before 0
    early_room = np.clip(lines.start_s[:, None] - np.concatenate([[0.0], np.cumsum(early[:-1])]), 0, early)
    paces = np.where(lines.rate_locked[:, None], 0.0, np.concatenate([fast, slow]))
    moves = np.where(lines.start_locked[:, None], 0.0, np.column_stack([np.tile(late, (len(lines), 1)), early_room]))
    pace_price = lines.natural_s[:, None] * np.array([price for _, price in (*w.fast, *w.slow)])
    up_to, price = np.array([*w.late, *w.early]).T
    moved = ties.fits[:, None] & (up_to > ON_TIME_S)
    prices = np.hstack([pace_price, np.where(moved, np.maximum(price, w.moved), price)])
    return _Tiers(
        pace=np.repeat([-1.0, 1.0, 0.0], (len(fast), len(slow), len(late) + len(early))),
        moves=np.repeat([0.0, 1.0, -1.0], (len(fast) + len(slow), len(late), len(early))),
        widths=np.hstack([paces, moves]),
        prices=prices * (1 + _TIE_BREAK * scattered(lines, prices.shape[1])),
    )


def _numbered(first: int, *counts: int) -> list[Indices]:
    """Columns from `first` on, so many of each kind."""
    ends = np.cumsum([first, *counts])
    return [np.arange(start, end) for start, end in itertools.pairwise(ends)]


def _widths(tiers: Tiers, value: Callable[[float], float]) -> Doubles:
    return np.diff(np.array([0.0] + [value(up_to) for up_to, _ in tiers]))


def scattered(lines: FitLines, columns: int) -> Doubles:
    """(n, columns) numbers in 0..1 that depend on nothing but the line itself (splitmix64 of its times)."""
    seed = np.ascontiguousarray(lines.start_s).view(np.uint64) * np.uint64(3) + np.ascontiguousarray(
        lines.natural_s
    ).view(np.uint64)
    mixed = seed[:, None] + np.arange(1, columns + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11), np.float64) / 2**53
