"""Progress inside a chunk that takes long: it moves, and never passes what may be done."""

from __future__ import annotations

import itertools
import threading
import time

from app.speech.whisper.pace import Pace


def test_progress_moves_inside_a_chunk_and_stays_before_its_end() -> None:
    pace = Pace(10.0, lambda _done_s: None)
    with pace.over(40.0):
        began = time.monotonic()
        told = [pace.estimate(began + second) for second in range(0, 120, 2)]
    assert told == sorted(told) and told[0] < 10.5 and all(b > a for a, b in itertools.pairwise(told[:15]))
    assert told[-1] < 40.0
    pace.done(40.0)
    assert pace.estimate(time.monotonic()) == 40.0


def test_the_speed_of_what_was_done_is_taken_for_what_is_not() -> None:
    pace = Pace(0.0, lambda _done_s: None)
    pace._spent_s, pace._covered_s = 1.0, 20.0
    with pace.over(30.0):
        assert pace.estimate(time.monotonic() + 1.0) > 12.0


def test_it_is_told_from_a_thread_while_the_work_blocks() -> None:
    moved = threading.Event()
    seen: list[float] = []

    def tell(done_s: float) -> None:
        seen.append(done_s)
        moved.set()

    pace = Pace(0.0, tell)
    with pace.told(), pace.over(30.0):
        assert moved.wait(5.0)
    assert 0.0 < seen[0] < 30.0
