"""What is told of the time that is left."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.domain import stages
from app.domain.job import JobState, Phase
from app.jobs import eta, server_hooks, stage_hooks
from app.jobs.eta import StageClock
from app.jobs.failures import Failures
from app.jobs.runner import StageRunner
from app.jobs.stages import Done
from tests.unit.jobs.house import House

HOUR_S = 3600.0


def test_after_a_restart_the_pace_is_that_of_the_work_since_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of film, half of it recognised before a kill: a minute later 54 % are done, so that 46 % take eleven and
    a half minutes."""
    now_s = 1000.0
    monkeypatch.setattr(eta, "time", SimpleNamespace(monotonic=lambda: now_s))
    costs = {each.name: 0.0 for each in stages.in_phase(Phase.PREPARE)} | {"transcribe": 0.4}
    clock = StageClock(stages.TRANSCRIBE, HOUR_S, costs)
    now_s += 3.0  # the model is loaded
    clock.begin_at(0.5)
    now_s += 60.0
    assert clock.eta_s(0.54) == pytest.approx(60.0 / 0.04 * 0.46, rel=0.1)
    assert clock.overall(0.54) > clock.overall(0.5)


def test_without_a_restart_the_pace_is_that_of_all_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(eta, "time", SimpleNamespace(monotonic=lambda: now_s))
    clock = StageClock(
        stages.TRANSCRIBE, HOUR_S, {each.name: 0.0 for each in stages.in_phase(Phase.PREPARE)} | {"transcribe": 0.4}
    )
    now_s += 600.0
    assert clock.eta_s(0.5) == pytest.approx(600.0)


async def test_a_stage_that_goes_on_is_told_by_its_pace_since_its_first_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 s to get ready, half of the work found, then 400 s for 40 % of it: the last tenth takes 100 s."""
    now_s = 1000.0
    clock = SimpleNamespace(monotonic=lambda: now_s, time=lambda: now_s)
    monkeypatch.setattr(eta, "time", clock)
    monkeypatch.setattr(server_hooks, "time", clock)
    house = House(tmp_path)
    failures = Failures(house.store, house.hub)
    runner = StageRunner(
        store=house.store,
        keys=house.keys,
        context=house.context,
        hub=house.hub,
        failures=failures,
        discard=house.service.discard,
    )
    job = house.created()
    house.store.transition(job.id, JobState.PREPARING)
    told: list[float | None] = []

    async def work(stage: str, row: Any, name: str, report: Any) -> Done:
        nonlocal now_s
        for fraction, waited_s in ((0.5, 200.0), (0.9, 400.0)):
            now_s += waited_s
            report(fraction, "")
            told.append(house.hub.latest(job.id).eta_s)  # type: ignore[union-attr]
        raise ValueError("enough")

    runner._work.work = work  # type: ignore[method-assign]
    async with house.hub.subscribe(job.id):
        await runner.run(job.id, "probe", str(house.store.row(job.id).workflow_id))
    assert told[1] == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("told", "cost_s"),
    [
        pytest.param([(0.0, 0.0), (1.0, 0.01), (60.0, 0.6)], 100.0, id="from its beginning"),
        pytest.param([(0.0, 0.0), (1.0, 0.8)], 495.0, id="an earlier run had done 80 %"),
        pytest.param([(0.0, 0.0), (1.0, 0.97)], 0.0, id="nearly all was done: nothing is known"),
        pytest.param([(90.0, 0.5)], 100.0, id="it tells little, and late"),
        pytest.param([(99.0, 1.0)], 100.0, id="it tells its end only"),
        pytest.param([], 100.0, id="it tells nothing"),
    ],
)
def test_what_a_stage_costs_is_the_whole_of_it_also_after_a_restart(
    monkeypatch: pytest.MonkeyPatch, told: list[tuple[float, float]], cost_s: float
) -> None:
    now_s = 1_000.0
    monkeypatch.setattr(stage_hooks, "time", SimpleNamespace(monotonic=lambda: now_s))
    pace, heard = stage_hooks.Pace(), []
    report = pace.heard_by(lambda fraction, _: heard.append(fraction))
    for at_s, fraction in told:
        now_s = 1_000.0 + at_s
        report(fraction, "")
    now_s = 1_100.0
    assert pace.cost_s() == pytest.approx(cost_s, rel=0.02)
    assert pace.elapsed_s() == pytest.approx(100.0)
    assert heard == [fraction for _, fraction in told]
