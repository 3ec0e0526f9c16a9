"""No schedule is cheaper: against every vertex of small programs, and against schedules nearby in larger ones.

The price of a schedule is written down here a second time, from the table of weights alone.
"""

import itertools

import numpy as np
import pytest

from app.dubbing.timing.weights import ON_TIME_S, WEIGHTS
from tests.unit.dubbing.timing.timelines import Timeline, unlocked

W = WEIGHTS
SHARE = 3e-5  # prices are scattered by up to 1e-5, so that there is one optimum


def price(t: Timeline, at: np.ndarray, length: np.ndarray) -> np.ndarray:
    """(k,) prices of k schedules of one voice, lines sorted by start: `at` and `length` (k, n)."""

    def climb(tiers: list[tuple[float, float]], value: np.ndarray) -> np.ndarray:
        total, low = np.zeros(len(value)), 0.0
        for up_to, each in tiers:
            total += each * np.clip(value - low, 0, up_to - low)
            low = up_to
        return total

    total, n = np.zeros(len(at)), len(t.starts)
    base = np.array([length_s / (rate or 1.0) for length_s, rate in zip(t.natural, t.locked_rate, strict=True)])
    stretch = length / base - 1
    for i in range(n):
        limit_s = min(t.ends[i], t.video_end_s, t.starts[i + 1] - W.gap_s if i + 1 < n else np.inf)
        fits = base[i] <= limit_s - t.starts[i] + 1e-9
        late, early = (
            [(up_to, max(each, W.moved) if fits and up_to > ON_TIME_S else each) for up_to, each in tiers]
            for tiers in (W.late, W.early)
        )
        shift_s = at[:, i] - t.starts[i]
        total += climb(late, shift_s) + climb(early, -shift_s)
        total += base[i] * climb([(1 - 1 / rate, each) for rate, each in W.fast], -stretch[:, i])
        total += base[i] * climb([(1 / rate - 1, each) for rate, each in W.slow], stretch[:, i])
        total += W.overrun * np.maximum(at[:, i] + length[:, i] - t.ends[i], 0)
        if i and t.locked_rate[i] is None and t.locked_rate[i - 1] is None:
            pause_s = max(t.starts[i] - t.ends[i - 1], 0.0)
            total += W.jump * max(1 - pause_s / W.jump_fade_s, 0) * np.abs(stretch[:, i] - stretch[:, i - 1])
    return total


def allowed(t: Timeline, at: np.ndarray, length: np.ndarray) -> np.ndarray:
    """(k,) which schedules keep the hard rules."""
    base = np.array([length_s / (rate or 1.0) for length_s, rate in zip(t.natural, t.locked_rate, strict=True)])
    free = np.array([rate is None for rate in t.locked_rate])
    until, room = at + length, 1e-6
    keeps = (at > -room).all(1) & (until < t.video_end_s + room).all(1)
    keeps &= (at[:, 1:] - until[:, :-1] > W.gap_s - room).all(1)
    keeps &= ((length > base / W.fastest - room) & (length < base / W.slowest + room) | ~free).all(1)
    return (
        keeps
        & (~t.start_locked | (np.abs(at - t.starts) < room)).all(1)
        & (free | (np.abs(length - base) < room)).all(1)
    )


def vertices(t: Timeline) -> tuple[np.ndarray, np.ndarray]:
    """Every point at which as many kinks of the price, or limits, meet as there are unknowns: the optimum is one of
    them."""
    n = len(t.starts)
    base = [length_s / (rate or 1.0) for length_s, rate in zip(t.natural, t.locked_rate, strict=True)]
    fixed, planes = [], []  # rows over (start, length of each line), and the value that they have

    def plane(value: float, *terms: tuple[int, float]) -> tuple[list[float], float]:
        row = [0.0] * (2 * n)
        for column, factor in terms:
            row[column] = factor
        return row, value

    for i in range(n):
        start, length = 2 * i, 2 * i + 1
        if t.start_locked[i]:
            fixed.append(plane(t.starts[i], (start, 1.0)))
        else:
            kinks = [0.0, *(up_to for up_to, _ in W.late), *(-up_to for up_to, _ in W.early)]
            planes += [plane(t.starts[i] + kink, (start, 1.0)) for kink in kinks if np.isfinite(kink)] + [
                plane(0.0, (start, 1.0))
            ]
        if t.locked_rate[i] is not None:
            fixed.append(plane(base[i], (length, 1.0)))
        else:
            planes += [
                plane(base[i] / rate, (length, 1.0)) for rate in [1.0, *(rate for rate, _ in (*W.fast, *W.slow))]
            ]
        planes += [plane(end_s, (start, 1.0), (length, 1.0)) for end_s in {float(t.ends[i]), t.video_end_s}]
        if i:
            planes.append(plane(-W.gap_s, (start - 2, 1.0), (length - 2, 1.0), (start, -1.0)))
            if t.locked_rate[i] is None and t.locked_rate[i - 1] is None:
                planes.append(plane(0.0, (length - 2, 1 / base[i - 1]), (length, -1 / base[i])))
    chosen = np.array(list(itertools.combinations(range(len(planes)), 2 * n - len(fixed))))
    rows, values = np.array([row for row, _ in planes]), np.array([value for _, value in planes])
    left = np.concatenate(
        [
            rows[chosen],
            np.broadcast_to([row for row, _ in fixed] or np.zeros((0, 2 * n)), (len(chosen), len(fixed), 2 * n)),
        ],
        1,
    )
    right = np.concatenate(
        [values[chosen], np.broadcast_to([value for _, value in fixed], (len(chosen), len(fixed)))], 1
    )
    regular = np.abs(np.linalg.det(left)) > 1e-9
    points = np.linalg.solve(left[regular], right[regular][..., None])[..., 0]
    return points[:, 0::2], points[:, 1::2]


def drawn(seed: int, count: int) -> Timeline:
    random = np.random.default_rng(seed)
    lengths, pauses = random.uniform(0.8, 2.5, count), random.choice([0.0, 0.1, 0.5, 1.5], count)
    starts = np.cumsum(lengths + pauses) - lengths + random.choice([0.0, 0.03, 1.0])
    natural = lengths * random.uniform(0.7, random.choice([1.2, 1.6, 3.0]), count)
    return unlocked(
        starts,
        starts + lengths,
        natural,
        [""] * count,
        float(starts[-1] + lengths[-1] + random.choice([0.0, 0.2, 2.0])),
    )


def locked(t: Timeline, starts: list[int], rates: dict[int, float]) -> Timeline:
    return Timeline(
        t.starts,
        t.ends,
        t.natural,
        t.speakers,
        t.video_end_s,
        np.isin(np.arange(len(t.starts)), starts),
        [rates.get(i) for i in range(len(t.starts))],
    )


def check_against_every_vertex(t: Timeline) -> None:
    schedule = t.fitted()
    found = price(t, schedule.start_s[None], schedule.duration_s[None])[0]
    assert allowed(t, schedule.start_s[None], schedule.duration_s[None]).all()
    at, length = vertices(t)
    keeps = allowed(t, at, length)
    assert keeps.sum() >= 5
    best = price(t, at[keeps], length[keeps]).min()
    assert found <= best * (1 + SHARE) + 1e-6
    assert found >= best * (1 - SHARE) - 1e-6  # a vertex is the optimum: the price is the one that the fit has


@pytest.mark.parametrize("seed", range(40))
def test_two_lines_cost_no_more_than_at_any_vertex(seed: int) -> None:
    check_against_every_vertex(drawn(seed, 2))


@pytest.mark.parametrize("seed", range(20))
def test_three_lines_around_locks_cost_no_more_than_at_any_vertex(seed: int) -> None:
    t = drawn(100 + seed, 3)
    rate = [0.8, 1.0, 1.3, 1.9][seed % 4]
    locks = [([0], {2: rate}), ([1], {1: max(rate, 1.3)}), ([0, 2], {}), ([1], {0: 2.0})][
        seed % 4 if seed < 12 else (seed + 1) % 4
    ]
    check_against_every_vertex(locked(t, *locks))


@pytest.mark.parametrize("seed", range(12))
def test_no_schedule_nearby_is_cheaper(seed: int) -> None:
    t = drawn(200 + seed, 4 + seed % 5)
    schedule = t.fitted()
    best = price(t, schedule.start_s[None], schedule.duration_s[None])[0]
    random = np.random.default_rng(seed)
    shape = (60_000, len(t.starts))
    width = random.choice([0.5, 0.1, 0.02, 0.004], (shape[0], 1))
    some = random.random((2, *shape)) < random.choice([0.2, 0.5, 1.0], (2, shape[0], 1))
    at = schedule.start_s + random.uniform(-1, 1, shape) * width * some[0]
    length = schedule.duration_s * (1 + random.uniform(-1, 1, shape) * width * some[1])
    keeps = allowed(t, at, length)
    assert keeps.sum() > 300
    assert price(t, at[keeps], length[keeps]).min() >= best * (1 - SHARE) - 1e-6
