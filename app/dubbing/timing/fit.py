"""Decides the start and rate of every spoken line: one linear program over the whole video, solved exactly.

Hard: lines keep their order; lines of one speaker never overlap and leave a breath between them; lines of different
speakers overlap no more than they did in the original; nothing starts before 0 or ends after the video; what the person
has locked stays. Soft, by price (`fit_weights`): how fast, how late or early, how far past the original's end, how
sudden a change of pace.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from app.domain.errors import DubError
from app.domain.problems.lines import DOES_NOT_FIT
from app.domain.segment import Flag, Placement
from app.dubbing.mixing.clip import ClipSilence, edges
from app.dubbing.timing.blocks import solve_all
from app.dubbing.timing.infeasible import misfits
from app.dubbing.timing.lines import Doubles, FitLines, sorted_lines, ties
from app.dubbing.timing.phrases import original_spans, phrased
from app.dubbing.timing.weights import LATE_ABOVE_S, SHORTEN_ABOVE, WEIGHTS, Weights
from app.dubbing.worker.tasks import FitRequest

_EXACT = 1e-6  # the solver's tolerance: below it a deviation is none
_DIGITS = 7  # 0.1 microseconds: the same optimum gives the same numbers, however the solver came to it


class LineTimes(msgspec.Struct, frozen=True):
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
    """A placement for every line, in the order of the lines. Reads the clips. Raises does_not_fit, which names the
    lines."""
    lines = request.lines
    cuts = [
        edges(Path(line.clip)) if line.natural_s is None else ClipSilence(line.natural_s, 0.0, 0.0) for line in lines
    ]
    speech_s = [cut.duration_s - cut.trim_start_s - cut.trim_end_s for cut in cuts]
    try:
        schedule = _scheduled(request, speech_s)
    except NoSchedule as error:
        raise _does_not_fit(request, error.lines) from error
    placements = []
    for line, cut, spoken_s, start_s, rate in zip(
        lines, cuts, speech_s, schedule.start_s.tolist(), schedule.rate.tolist(), strict=True
    ):
        speed = line.speed * rate if line.locked_rate is None else line.locked_rate
        # a locked rate is no need, it is a wish
        rushed = rate * line.pace > SHORTEN_ABOVE + _EXACT and line.locked_rate is None
        flags = [Flag.SHORTEN] * rushed + [Flag.LATE] * (start_s - line.start_s > LATE_ABOVE_S)
        placements.append(
            Placement(
                line.segment_id,
                start_s,
                spoken_s / speed,
                speed,
                cut.trim_start_s,
                cut.trim_end_s,
                tuple(flags),
                line.pace,
            )
        )
    return tuple(placements) if request.speech is None else _by_phrases(request, placements, Path(request.speech))


def _by_phrases(request: FitRequest, placements: Sequence[Placement], speech: Path) -> tuple[Placement, ...]:
    """Each line in phrases where the original pauses; none of them goes past the start of a line that follows."""
    starts = sorted(placement.start_s for placement in placements)
    found = []
    for line, placed in zip(request.lines, placements, strict=True):
        after = bisect.bisect_right(starts, placed.start_s)
        next_s = starts[after] - WEIGHTS.gap_s if after < len(starts) else request.video_end_s
        original = original_spans(speech, line.start_s, line.end_s, line.words)
        found.append(phrased(placed, Path(line.clip), original, min(line.end_s, next_s, request.video_end_s)))
    return tuple(found)


def _scheduled(request: FitRequest, speech_s: Sequence[float]) -> LineTimes:
    lines = request.lines
    return schedule_lines(
        [line.start_s for line in lines],
        [line.end_s for line in lines],
        [spoken_s / line.speed for spoken_s, line in zip(speech_s, lines, strict=True)],
        [line.speaker for line in lines],
        request.video_end_s,
        start_locked=[line.start_locked for line in lines],
        locked_rate=[None if line.locked_rate is None else line.locked_rate / line.speed for line in lines],
    )


def _does_not_fit(request: FitRequest, named: Sequence[int]) -> DubError:
    ids = [request.lines[i].segment_id for i in named]
    shown = ", ".join(str(i + 1) for i in named[:10]) + (f" and {len(named) - 10} more" if len(named) > 10 else "")
    return DubError(DOES_NOT_FIT, f"Line {shown}." if len(named) == 1 else f"Lines {shown}.", segments=ids)


def schedule_lines(
    start_s: npt.ArrayLike,
    end_s: npt.ArrayLike,
    natural_s: npt.ArrayLike,
    speakers: Sequence[str],
    video_end_s: float,
    weights: Weights = WEIGHTS,
    *,
    start_locked: Sequence[bool] | None = None,
    locked_rate: Sequence[float | None] | None = None,
) -> LineTimes:
    """The cheapest schedule. An empty speaker is one speaker like any other. Raises NoSchedule."""
    starts, ends, natural = (np.asarray(values, np.float64) for values in (start_s, end_s, natural_s))
    if not len(starts):
        return LineTimes(starts, starts, starts)
    locks = np.zeros(len(starts), np.bool_) if start_locked is None else np.asarray(start_locked, np.bool_)
    own_rate = np.array([np.nan if rate is None else rate for rate in locked_rate or [None] * len(starts)], np.float64)
    rate_locked = ~np.isnan(own_rate)
    base = np.where(rate_locked, natural / np.where(rate_locked, own_rate, 1.0), natural)
    senseless = ~(np.isfinite(starts) & np.isfinite(ends) & np.isfinite(base) & (base > 0))
    if senseless.any():
        raise NoSchedule(np.flatnonzero(senseless).tolist())
    lines, order = sorted_lines(
        FitLines(starts, ends, base, np.zeros(len(starts), np.int64), locks, rate_locked, video_end_s), speakers
    )
    wrong = misfits(lines, weights)
    if wrong:
        raise NoSchedule(sorted(order[wrong].tolist()))
    solved = solve_all(lines, ties(lines, weights), weights)
    if solved is None:
        raise AssertionError("every voice fits, so there is a schedule")
    back = np.argsort(order)
    shift_s, longer_s = np.round(solved.shift_s, _DIGITS)[back], np.round(solved.stretch[back] * base, _DIGITS)
    shift_s[np.abs(shift_s) < _EXACT] = 0.0
    longer_s[np.abs(longer_s) < _EXACT] = 0.0
    rate = np.where(rate_locked, own_rate, np.clip(base / (base + longer_s), weights.slowest, weights.fastest))
    return LineTimes(np.maximum(np.maximum(starts, 0.0) + shift_s, 0.0), natural / rate, rate)


class NoSchedule(Exception):
    """There is no schedule; `lines` are the places of those to blame."""

    def __init__(self, lines: list[int]) -> None:
        super().__init__(f"lines {lines} do not fit")
        self.lines = lines
