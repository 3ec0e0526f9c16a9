"""What is told of the time that is left."""

from __future__ import annotations

import pytest

from app.domain import stages
from app.domain.job import Phase
from app.jobs import progress
from app.jobs.progress import StageClock

HOUR_S = 3600.0


def test_after_a_restart_the_pace_is_that_of_the_work_since_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of film, half of it recognised before a kill: a minute later 54 % are done, so that 46 % take eleven and a half minutes."""
    now_s = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    costs = {each.name: 0.0 for each in stages.in_phase(Phase.PREPARE)} | {"transcribe": 0.4}
    clock = StageClock(stages.TRANSCRIBE, HOUR_S, costs)
    now_s += 3.0  # the model is loaded
    clock.begin_at(0.5)
    now_s += 60.0
    assert clock.eta_s(0.54) == pytest.approx(60.0 / 0.04 * 0.46, rel=0.1)
    assert clock.overall(0.54) > clock.overall(0.5)


def test_without_a_restart_the_pace_is_that_of_all_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    clock = StageClock(stages.TRANSCRIBE, HOUR_S, {each.name: 0.0 for each in stages.in_phase(Phase.PREPARE)} | {"transcribe": 0.4})
    now_s += 600.0
    assert clock.eta_s(0.5) == pytest.approx(600.0)
