"""The weights of the fit in one table, and the limits above which a line is flagged.

Prices are per second of deviation (of jumps: per unit of rate), so they can be compared: whatever costs less is done
first. No listening test was made: the order of the prices is reasoned, their size was chosen with `python
bench/fit.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

Tiers = Sequence[tuple[float, float]]

SHORTEN_ABOVE = 1.25  # from here on speech sounds rushed: the person is asked for a shorter text
LATE_ABOVE_S = 0.6  # a start that is this late is seen: the person is told
ON_TIME_S = 0.02  # a line that fits its slot starts within this, unless a neighbour would pass 2.0
TOUCHING_S = 0.02  # lines that overlap by less did not overlap: recognised times are no more exact


class Weights(msgspec.Struct, frozen=True):
    """A tier is (up to this value, price of each second within it); the last rate of `fast` and of `slow` is never
    passed, unless the person says so.

    fast: seconds of speech saved by playing faster, up to this rate. 1.05 is not heard, 1.15 hardly; up to 1.25 it is
    better than a start
        that is seen to be late. From there on it is rushed, which costs twice as much as being very late: it halves the
        lines that must be shortened, and few are late by more than 0.6 s for it. Above 1.4 it is hard to follow, above
        2.0 nobody can: only the last way out, so a tight video is still solved.
    slow: seconds of speech gained by playing slower. Only to even out the pace; a dragged voice is noticed sooner than
    a quick one, and
        none is played slower than 0.75.
    late, early: seconds that the start is off. ITU-R BT.1359: sound 125 ms late or 45 ms early is not noticed, but a
    start that is right
        costs nothing, so it is kept as long as 1.15 is enough. From 0.6 s on it is flagged, and dear.
    moved: the same, beyond 20 ms, for a line that fits its own slot: it pays for its neighbours only when they would
    pass 2.0, so it
        lies between these two prices; four such lines may be moved for one.
    overrun: seconds past the original's end, into silence: better than 1.15, worse than 1.05.
    jump: a change of rate between neighbours of one speaker. After `jump_fade_s` of pause nobody compares the pace, so
    it costs nothing
        then, and less the longer the pause before.
    gap_s: the least pause between two lines of one speaker: a breath.
    squeezed: seconds of breath given up, of order lost or of voices talking over each other more than they did. Only
    where nothing else
        is possible, mostly between lines that the person has locked.
    """

    fast: Tiers = ((1.05, 0.15), (1.15, 0.45), (1.25, 1.1), (1.40, 10.0), (2.0, 20.0), (20.0, 200.0))
    slow: Tiers = ((0.95, 0.20), (0.90, 0.60), (0.75, 4.0))
    late: Tiers = ((0.02, 0.50), (0.125, 0.60), (0.40, 1.2), (0.60, 1.6), (math.inf, 5.0))
    early: Tiers = ((0.02, 0.50), (0.045, 1.0), (0.30, 2.5), (math.inf, 8.0))
    moved: float = 45.0
    overrun: float = 0.30
    jump: float = 0.5
    jump_fade_s: float = 3.0
    gap_s: float = 0.06
    squeezed: float = 1_000.0

    @property
    def fastest(self) -> float:
        return self.fast[-1][0]

    @property
    def slowest(self) -> float:
        return self.slow[-1][0]


WEIGHTS = Weights()
