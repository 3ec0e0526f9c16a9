"""Where every spoken line goes and how fast it is played: one linear program over the whole video, solved exactly.

Hard: lines keep their order; lines of one speaker never overlap and leave a breath between them; lines of different speakers overlap no
more than they did in the original; nothing starts before 0 or ends after the video. Soft, by price: how fast, how late or early, how far
past the original's end, how sudden a change of pace. Every deviation is split into tiers of growing price, so the cost is convex and
HiGHS finds the optimum: 0.01 s for 100 lines, 0.1 s for 1,000.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]
from scipy.optimize import linprog  # type: ignore[import-untyped]

from app.domain.errors import DOES_NOT_FIT, DubError
from app.domain.segment import Flag, Placement
from app.dubbing.clips import edges
from app.dubbing.tasks import FitRequest

Doubles = npt.NDArray[np.float64]
Tiers = Sequence[tuple[float, float]]
_NEVER_ENDS = float("inf")


class Weights(msgspec.Struct, frozen=True):
    """The prices, all per second of deviation. A tier is (up to this value, price).

    fast: seconds of speech saved by playing faster, up to this rate. 1.05 is not heard, 1.15 hardly; from 1.25 on it is rushed, so it
        costs more than being late; above 1.4 it is hard to follow and only the last way out, so a tight video is still solved.
    slow: seconds of speech gained by playing slower. Only to even out the pace; a dragged voice is noticed sooner than a quick one.
    late, early: seconds that the start is off. ITU-R BT.1359: sound 125 ms late or 45 ms early is not noticed, but a start that is right
        costs nothing, so it is kept as long as 1.15 is enough.
    moved: the same, beyond 20 ms, for a line that fits its own slot: it pays for its neighbours only when they would pass 2.0.
    overrun: seconds past the original's end, into silence: better than 1.15, worse than 1.05.
    jump: a change of rate between neighbours of one speaker (per unit), fading over `jump_fade_s` of pause between them.
    gap_s: the least pause between two lines of one speaker.
    """

    fast: Tiers = ((1.05, 0.15), (1.15, 0.45), (1.25, 1.8), (1.40, 5.0), (2.0, 20.0), (20.0, 60.0))
    slow: Tiers = ((0.95, 0.20), (0.90, 0.60), (0.75, 4.0))
    late: Tiers = ((0.02, 0.50), (0.125, 0.60), (0.40, 1.2), (1.0, 2.0), (_NEVER_ENDS, 5.0))
    early: Tiers = ((0.02, 0.50), (0.045, 1.0), (0.30, 2.5), (_NEVER_ENDS, 8.0))
    moved: float = 30.0
    overrun: float = 0.30
    jump: float = 0.5
    jump_fade_s: float = 1.5
    gap_s: float = 0.06


WEIGHTS = Weights()
ON_TIME_S = 0.02  # a line that fits its slot starts within this, unless a neighbour would pass 2.0
SHORTEN_ABOVE = 1.25
LATE_ABOVE_S = 0.6
_SOLVED, _INFEASIBLE = 0, 2  # scipy's words for how a linear program ended
_EXACT = 1e-6  # the solver's tolerance: below it a deviation is none
_TOUCHING_S = 0.02  # lines that overlap by less did not overlap: recognised times are no more exact
_PAIRS_EACH = 64  # overlapping lines that are looked at from one line; order holds for all others


class Schedule(msgspec.Struct, frozen=True):
    """Float64 (n,) each, in the order asked for; `rate` relative to the natural length."""

    start_s: Doubles
    duration_s: Doubles
    rate: Doubles


def place_task(request: FitRequest, report: Callable[[float], None]) -> tuple[Placement, ...]:
    """`place`, as the child process calls it."""
    placements = place(request)
    report(1.0)
    return placements


def place(request: FitRequest) -> tuple[Placement, ...]:
    """A placement for every line, in the order of the lines. Reads the clips. Raises does_not_fit, which names the lines."""
    lines = request.lines
    cuts = [edges(Path(line.clip)) for line in lines]
    kept_s = [cut.duration_s - cut.trim_start_s - cut.trim_end_s for cut in cuts]
    starts, ends = np.array([line.start_s for line in lines]), np.array([line.end_s for line in lines])
    natural = np.array([kept / line.speed for kept, line in zip(kept_s, lines, strict=True)])
    speakers = [line.speaker for line in lines]
    schedule = None if (starts >= request.video_end_s).any() else schedule_lines(starts, ends, natural, speakers, request.video_end_s)
    if schedule is None:
        raise _does_not_fit(request, starts, ends, natural)
    placements = []
    for line, cut, kept, start_s, rate in zip(lines, cuts, kept_s, schedule.start_s.tolist(), schedule.rate.tolist(), strict=True):
        flags = [Flag.SHORTEN] * (rate > SHORTEN_ABOVE + _EXACT) + [Flag.LATE] * (start_s - line.start_s > LATE_ABOVE_S)
        speed = line.speed * rate
        placements.append(Placement(line.segment_id, start_s, kept / speed, speed, cut.trim_start_s, cut.trim_end_s, tuple(flags)))
    return tuple(placements)


def _does_not_fit(request: FitRequest, starts: Doubles, ends: Doubles, natural: Doubles) -> DubError:
    """Names what stands or would end after the video's end."""
    free = schedule_lines(starts, ends, natural, [line.speaker for line in request.lines], _NEVER_ENDS)
    last_s = starts if free is None else free.start_s + free.duration_s
    outside = np.flatnonzero((starts >= request.video_end_s) | (last_s > request.video_end_s + _EXACT))
    named = outside if len(outside) else np.arange(len(starts))
    ids = [request.lines[i].segment_id for i in named]
    shown = ", ".join(str(i + 1) for i in named[:10]) + (f" and {len(named) - 10} more" if len(named) > 10 else "")
    return DubError(DOES_NOT_FIT, f"Line {shown}." if len(named) == 1 else f"Lines {shown}.", segments=ids)


def schedule_lines(
    start_s: npt.ArrayLike, end_s: npt.ArrayLike, natural_s: npt.ArrayLike, speakers: Sequence[str], video_end_s: float, weights: Weights = WEIGHTS
) -> Schedule | None:
    """The cheapest schedule, or None when even 20 times as fast does not fit. An empty speaker is one speaker like any other."""
    starts, ends, natural = (np.asarray(values, np.float64) for values in (start_s, end_s, natural_s))
    if not len(starts):
        return Schedule(starts, starts, starts)
    order = np.argsort(starts, kind="stable")
    back = np.argsort(order)
    ordered = (starts[order], np.maximum(ends, starts)[order], np.maximum(natural, 1e-3)[order], [speakers[i] for i in order])
    solved = _Program(*ordered, video_end_s, weights, weights.gap_s).solve() or _Program(*ordered, video_end_s, weights, 0.0).solve()
    if solved is None:
        return None
    at, rate = solved[0][back], solved[1][back]
    at = np.where(np.abs(at - starts) < _EXACT, starts, np.maximum(at, 0.0))
    rate = np.where(np.abs(rate - 1) < _EXACT, 1.0, rate)
    return Schedule(at, natural / rate, rate)


class _Program:
    """min price . v  where v are the tiers, start = start0 + S v, length = natural + L v; lines sorted by start."""

    def __init__(
        self, starts: Doubles, ends: Doubles, natural: Doubles, speakers: list[str], video_end_s: float, weights: Weights, gap_s: float
    ) -> None:
        self._starts, self._ends, self._natural, self._speakers = starts, ends, natural, speakers
        self._video_end_s, self._weights, self._gap_s = video_end_s, weights, gap_s

    def solve(self) -> tuple[Doubles, Doubles] | None:
        n, w = len(self._starts), self._weights
        fast, slow = _widths(w.fast, lambda rate: 1 - 1 / rate), _widths(w.slow, lambda rate: 1 / rate - 1)
        late, early = _widths(w.late, float), _widths(w.early, float)
        early_room = np.clip(self._starts[:, None] - np.concatenate([[0.0], np.cumsum(early[:-1])]), 0, early)  # never before 0
        eye = sparse.identity(n, format="csr")
        stretch = sparse.hstack([-eye] * len(fast) + [eye] * len(slow) + [_empty(n, n * (len(late) + len(early)))], format="csr")
        shift = sparse.hstack([_empty(n, n * (len(fast) + len(slow)))] + [eye] * len(late) + [-eye] * len(early), format="csr")
        length = sparse.diags(self._natural, format="csr") @ stretch

        before, after, room_s = self._pairs()
        same_before, same_after, jump_price = self._neighbours()
        jumps = len(same_before)

        def columns(tiers: sparse.csr_matrix, overrun: sparse.csr_matrix | None = None) -> sparse.csr_matrix:
            rows = tiers.shape[0]
            return sparse.hstack([tiers, overrun if overrun is not None else _empty(rows, n), _empty(rows, 2 * jumps)], format="csr")

        ends_at = shift + length
        bounds_rows = [columns(ends_at, -eye)]  # end - overrun <= original end
        bounds_rhs = [self._ends - self._starts - self._natural]
        if np.isfinite(self._video_end_s):
            bounds_rows.append(columns(ends_at))
            bounds_rhs.append(self._video_end_s - self._starts - self._natural)
        if len(before):
            bounds_rows.append(columns(ends_at[before] - shift[after]))
            bounds_rhs.append(self._starts[after] - self._starts[before] - self._natural[before] + room_s)
        ordered = np.arange(n - 1)
        if n > 1:
            bounds_rows.append(columns(shift[ordered] - shift[ordered + 1]))
            bounds_rhs.append(np.diff(self._starts))
        equal_rows = equal_rhs = None
        if jumps:
            eye_jumps = sparse.identity(jumps)
            equal_rows = sparse.hstack([stretch[same_before] - stretch[same_after], _empty(jumps, n), -eye_jumps, eye_jumps], format="csc")
            equal_rhs = np.zeros(jumps)

        widths = [np.repeat(fast, n), np.repeat(slow, n), np.repeat(late, n), early_room.T.ravel(), np.full(n + 2 * jumps, np.inf)]
        upper = np.concatenate(widths)
        price = np.concatenate([self._tier_prices(), np.full(n, w.overrun), jump_price, jump_price])
        rows, rhs = sparse.vstack(bounds_rows, "csc"), np.concatenate(bounds_rhs)
        limits = np.column_stack([np.zeros(len(upper)), upper])
        result = linprog(price, rows, rhs, equal_rows, equal_rhs, limits, method="highs")
        if result.status not in (_SOLVED, _INFEASIBLE):  # the simplex gave up: the interior point method seldom does on the same numbers
            result = linprog(price, rows, rhs, equal_rows, equal_rhs, limits, method="highs-ipm")
        if result.status != _SOLVED:
            return None
        tiers = result.x[: shift.shape[1]]
        return self._starts + shift @ tiers, 1 / (1 + stretch @ tiers)

    def _tier_prices(self) -> Doubles:
        """One price per column: rates cost by the second of speech, starts by the second of shift."""
        w = self._weights
        limits = [self._ends, np.full(len(self._starts), self._video_end_s)]
        following = np.append(self._starts[1:], np.inf)
        limits.append(np.where(following > self._starts, following - self._gap_s, np.inf))
        fits = self._natural <= np.minimum.reduce(limits) - self._starts + _EXACT
        columns = [price * self._natural for _, price in (*w.fast, *w.slow)]
        for tiers in (w.late, w.early):
            columns += [np.where(fits & (up_to > ON_TIME_S), np.maximum(price, w.moved), price) for up_to, price in tiers]
        return np.concatenate(columns)

    def _pairs(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Doubles]:
        """(i, j, room): line i must end at most `room` seconds after line j starts (negative: that long before)."""
        pairs: list[tuple[int, int, float]] = []
        latest: dict[str, int] = {}
        for i, speaker in enumerate(self._speakers):
            if speaker in latest:
                pairs.append((latest[speaker], i, -self._gap_s))
            latest[speaker] = i
            for k in range(i + 1, min(i + 1 + _PAIRS_EACH, len(self._starts))):
                overlap_s = float(self._ends[i] - self._starts[k])
                if self._speakers[k] != speaker:
                    pairs.append((i, k, overlap_s if overlap_s > _TOUCHING_S else 0.0))
                if overlap_s <= _TOUCHING_S:
                    break  # whatever starts later is kept apart by the order
        index = np.array([(i, j) for i, j, _ in pairs], np.int64).reshape(-1, 2)
        return index[:, 0], index[:, 1], np.array([room for _, _, room in pairs], np.float64)

    def _neighbours(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Doubles]:
        """(i, j, price) for lines that follow each other in one voice."""
        latest: dict[str, int] = {}
        pairs = []
        for i, speaker in enumerate(self._speakers):
            if speaker in latest:
                pairs.append((latest[speaker], i))
            latest[speaker] = i
        index = np.array(pairs, np.int64).reshape(-1, 2)
        pause_s = np.maximum(self._starts[index[:, 1]] - self._ends[index[:, 0]], 0)
        return index[:, 0], index[:, 1], self._weights.jump * np.exp(-pause_s / self._weights.jump_fade_s)


def _widths(tiers: Tiers, value: Callable[[float], float]) -> Doubles:
    return np.diff(np.array([0.0] + [value(up_to) for up_to, _ in tiers]))


def _empty(rows: int, columns: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((rows, columns))
