"""Timelines to be fitted: drawn ones, and what every schedule of them must keep."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from app.dubbing.timing.fit import LineTimes, schedule_lines
from app.dubbing.timing.weights import WEIGHTS

TOLERANCE_S = 2e-6


class Timeline(msgspec.Struct, frozen=True):
    starts: np.ndarray
    ends: np.ndarray
    natural: np.ndarray
    speakers: list[str]
    video_end_s: float
    start_locked: np.ndarray
    locked_rate: list[float | None]

    def fitted(self) -> LineTimes:
        return schedule_lines(
            self.starts,
            self.ends,
            self.natural,
            self.speakers,
            self.video_end_s,
            start_locked=self.start_locked,
            locked_rate=self.locked_rate,
        )

    def without(self, left_out: list[int]) -> Timeline:
        kept = [i for i in range(len(self.starts)) if i not in left_out]
        arrays = (self.starts[kept], self.ends[kept], self.natural[kept])
        return Timeline(
            *arrays,
            [self.speakers[i] for i in kept],
            self.video_end_s,
            self.start_locked[kept],
            [self.locked_rate[i] for i in kept],
        )


def unlocked(starts: Any, ends: Any, natural: Any, speakers: list[str], video_end_s: float) -> Timeline:
    count = len(starts)
    return Timeline(
        np.array(starts),
        np.array(ends),
        np.array(natural),
        speakers,
        video_end_s,
        np.zeros(count, bool),
        [None] * count,
    )


@st.composite
def timelines(draw: st.DrawFn, speakers: int = 1, *, locks: bool = False, most: int = 12) -> Timeline:
    """Recognised lines, in any order, with clips from short to far too long. With several speakers some of them
    interrupt each other."""
    count = draw(st.integers(1, most))
    starts, ends, at_s = [], [], draw(st.floats(0, 1))
    for _ in range(count):
        length_s = draw(st.one_of(st.floats(0.2, 4), st.sampled_from([0.0, 0.01, 1.0, 2.0, 2.5])))
        starts.append(at_s)
        ends.append(at_s + length_s)
        at_s = max(
            0.0,
            at_s
            + length_s
            + draw(st.sampled_from([0.0, 0.02, 0.3, 2.0, 4.0]) if speakers == 1 else st.floats(-1.5, 2)),
        )
    longer = draw(st.sampled_from([0.5, 1.0, 1.2, 3.0, 9.0]))
    natural = [
        max(end - start, 0.1) * longer * draw(st.floats(0.3, 1.7)) for start, end in zip(starts, ends, strict=True)
    ]
    names = [draw(st.sampled_from(["", "anna", "ben"][:speakers])) for _ in range(count)]
    order = draw(st.permutations(range(count)))
    video_end_s = max(max(ends), max(starts) + 0.01, sum(natural) / 15) + draw(st.sampled_from([0.0, 0.1, 3.0]))
    locked = [draw(st.booleans()) if locks else False for _ in range(count)]
    rates = [draw(st.one_of(st.none(), st.floats(0.5, 2.0))) if locks else None for _ in range(count)]
    arrays = (np.array(starts)[order], np.array(ends)[order], np.array(natural)[order])
    return Timeline(*arrays, [names[i] for i in order], video_end_s, np.array(locked), rates)


def check_what_always_holds(t: Timeline, schedule: LineTimes) -> None:
    """Within the video; one voice says one thing at a time, in its order; rates within floor and cap; locks exact."""
    at, until = schedule.start_s, schedule.start_s + schedule.duration_s
    assert np.isfinite(at).all() and np.isfinite(until).all()
    assert (at >= 0).all()
    assert (until <= t.video_end_s + TOLERANCE_S).all()
    free = np.array([rate is None for rate in t.locked_rate], bool)
    assert (schedule.rate[free] >= WEIGHTS.slowest).all()
    assert (schedule.rate[free] <= WEIGHTS.fastest).all()
    np.testing.assert_allclose(schedule.duration_s * schedule.rate, t.natural, rtol=1e-12)
    assert [rate for rate in t.locked_rate if rate is not None] == schedule.rate[~free].tolist()
    assert t.starts[t.start_locked].tolist() == at[t.start_locked].tolist()
    for i, j in following(t):
        assert until[i] <= at[j] + TOLERANCE_S


def check_what_holds_without_locks(t: Timeline, schedule: LineTimes) -> None:
    """Voices keep the order of all lines, a breath within a voice, and talk over each other no longer than they did."""
    at, until = schedule.start_s, schedule.start_s + schedule.duration_s
    order = np.argsort(t.starts, kind="stable")
    assert (np.diff(at[order]) >= -TOLERANCE_S).all()
    for i, j in following(t):
        assert at[j] - until[i] >= WEIGHTS.gap_s - TOLERANCE_S
    for position, i in enumerate(order):
        for j in order[position + 1 :]:
            if t.speakers[i] != t.speakers[j]:
                assert until[i] - at[j] <= max(t.ends[i] - t.starts[j], 0.02) + TOLERANCE_S


def following(t: Timeline) -> list[tuple[int, int]]:
    """Each line and the next one of its voice."""
    order = np.argsort(t.starts, kind="stable").tolist()
    voices = {name: [i for i in order if t.speakers[i] == name] for name in set(t.speakers)}
    return [pair for lines in voices.values() for pair in itertools.pairwise(lines)]
