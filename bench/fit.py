"""How lines are placed: the linear program against what other dubbing programs do, on the same made-up timelines.

    python -m bench.fit [--lines 1000] [--seed 1000] [--seeds 1] [--most 10000]

One voice; a clip's length over its slot's is lognormal (sigma 0.25) around 1 and around e^0.15 (the text is too long
for its slot). The rivals' rules were read from their public sources in November 2026. An overlap of more than 1 ms
counts; an offset is the start's. Seen: more than 45 ms early or 125 ms late (ITU-R BT.1359). Late: more than 0.6 s,
which is flagged. With --seeds, means of so many timelines (and the worst of all). Then the CPU seconds of the linear
program for 100, 1,000 and 10,000 lines (up to --most).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from app.dubbing.timing.fit import schedule_lines
from app.dubbing.timing.weights import LATE_ABOVE_S, SHORTEN_ABOVE

Array = np.ndarray


class Timeline(msgspec.Struct, frozen=True):
    starts: Array
    ends: Array
    natural: Array
    video_end_s: float


def timeline(count: int, mu: float, seed: int) -> Timeline:
    """Slots of 2.4 s on average; 40 % of the pauses between them are nearly none."""
    random = np.random.default_rng(seed)
    natural = np.exp(random.normal(np.log(2.4), 0.5, count))
    slots = natural / random.lognormal(mu, 0.25, count)
    kind = random.random(count)
    usual, long = random.lognormal(np.log(0.45), 0.7, count), random.lognormal(np.log(2.5), 0.8, count)
    pauses = np.where(kind < 0.4, random.uniform(0, 0.08, count), np.where(kind < 0.85, usual, long))
    starts = np.cumsum(slots + pauses) - slots
    return Timeline(starts, starts + slots, natural, float(starts[-1] + slots[-1] + 1))


def _windows(t: Timeline) -> Array:
    """From each start to the next."""
    return np.append(t.starts[1:], t.video_end_s) - t.starts


def as_recorded(t: Timeline) -> tuple[Array, Array]:
    """No fit at all: placed at its start (the first AutoDubber)."""
    return t.starts, np.ones(len(t.starts))


def to_the_slot(t: Timeline) -> tuple[Array, Array]:
    return t.starts, np.clip(t.natural / (t.ends - t.starts), 0.75, 1.4)


def open_dubbing(t: Timeline) -> tuple[Array, Array]:
    """Faster up to 1.3, then it overlaps."""
    return t.starts, np.clip(t.natural / _windows(t), 1.0, 1.3)


def py_video_trans(t: Timeline) -> tuple[Array, Array]:
    """Faster until it fits before the next start."""
    return t.starts, np.clip(t.natural / _windows(t), 1.0, 100.0)


def linly_dubbing(t: Timeline) -> tuple[Array, Array]:
    """Stretched to the slot within 0.8-1.2 (as YouDub), then pushed behind the line before."""
    rate = np.clip(t.natural / (t.ends - t.starts), 0.8, 1.2)
    starts, free_s = t.starts.copy(), 0.0
    for index, length_s in enumerate(t.natural / rate):
        starts[index] = max(starts[index], free_s)
        free_s = starts[index] + length_s
    return starts, rate


def linear_program(t: Timeline) -> tuple[Array, Array]:
    schedule = schedule_lines(t.starts, t.ends, t.natural, [""] * len(t.starts), t.video_end_s)
    return schedule.start_s, schedule.rate


POLICIES: dict[str, Callable[[Timeline], tuple[Array, Array]]] = {
    "no fit": as_recorded,
    "clip/slot, 0.75-1.4": to_the_slot,
    "open-dubbing": open_dubbing,
    "pyVideoTrans": py_video_trans,
    "Linly, YouDub": linly_dubbing,
    "AutoDubber": linear_program,
}


def measured(t: Timeline, policy: Callable[[Timeline], tuple[Array, Array]]) -> Array:
    """speed-up, fastest, share over 1.25, overlaps, mean offset (ms), share of offsets that are seen, share that is
    late, worst (s), CPU s."""
    began_s = time.process_time()
    starts, rate = policy(t)
    spent_s = time.process_time() - began_s
    overlaps = (starts + t.natural / rate)[:-1] > starts[1:] + 0.001
    off_s = starts - t.starts
    seen = np.mean((off_s > 0.125 + 1e-6) | (off_s < -0.045 - 1e-6))
    worst_s = np.abs(off_s).max()
    rushed = np.mean(rate > SHORTEN_ABOVE + 1e-6)
    late = np.mean(off_s > LATE_ABOVE_S)
    return np.array(
        [
            np.maximum(rate, 1).mean(),
            rate.max(),
            rushed,
            overlaps.sum(),
            np.abs(off_s).mean() * 1000,
            seen,
            late,
            worst_s,
            spent_s,
        ]
    )


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--lines", "20", "--most", "100"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--most", type=int, default=10_000, help="lines of the largest film whose cost is shown")
    asked = parser.parse_args()
    linear_program(timeline(10, 0.0, 0))  # imports are not measured
    for mu in (-0.5, 0.0, 0.15):
        timelines = [timeline(asked.lines, mu, asked.seed + more) for more in range(asked.seeds)]
        print(f"\n{asked.lines} lines, clip/slot around {np.exp(mu):.2f}")
        print(
            f"{'':22}{'speed-up':>9}{'max':>7}{'> 1.25':>9}{'overlaps':>10}"
            f"{'start off by':>14}{'seen':>8}{'late':>8}{'worst':>9}{'CPU s':>8}"
        )
        for name, policy in POLICIES.items():
            rows = np.array([measured(t, policy) for t in timelines])
            up, _, rushed, overlaps, off_ms, seen, late, _, cpu_s = rows.mean(axis=0)
            fastest, worst_s = rows[:, 1].max(), rows[:, 7].max()
            print(
                f"{name:22}{up:9.3f}{fastest:7.2f}{rushed:9.1%}{overlaps:10.0f}{off_ms:11.0f} "
                f"ms{seen:8.1%}{late:8.1%}{worst_s:7.2f} s{cpu_s:8.3f}"
            )
    counts = [count for count in (100, 1_000, 10_000) if count <= asked.most]
    print(f"\n{'CPU s, lines':22}" + "".join(f"{count:9,}" for count in counts))
    for mu in (-0.5, 0.0, 0.15):
        spent = [measured(timeline(count, mu, asked.seed), linear_program)[8] for count in counts]
        print(f"clip/slot {np.exp(mu):<12.2f}" + "".join(f"{seconds:9.3f}" for seconds in spent))


if __name__ == "__main__":
    main()
