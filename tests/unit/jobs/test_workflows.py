"""The durable engine, with real DBOS on a real file; only the stages are scripted."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import DubError
from app.domain.job import JobState, Phase
from app.domain.problems.uploads import DISK_FULL
from app.domain.stages import STAGES, Stage, names
from app.jobs.failures import Failures
from app.jobs.workflows import Engine, workflow_version
from tests.doubles.full_disk import full_disk
from tests.unit.jobs.house import House


class Scripted:
    """Stands where `StageRunner` stands; records what it is asked, and waits where it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.changed = threading.Condition()
        self.hold: set[str] = set()
        self.cancelled: list[str] = []
        self.follow_with_render = False
        self.inside = 0
        self.most_inside = 0

    def note(self, job_id: str, what: str) -> None:
        with self.changed:
            self.asked.append((job_id, what))
            self.changed.notify_all()

    async def begin(self, job_id: str, phase: str, workflow_id: str) -> bool:
        self.note(job_id, f"begin {phase}")
        return True

    async def run(self, job_id: str, stage: str, workflow_id: str) -> bool:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.note(job_id, stage)
        try:
            while stage in self.hold:
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.cancelled.append(job_id)
            self.note(job_id, "cancelled")
            raise
        finally:
            self.inside -= 1
        return True

    async def finish(self, job_id: str, phase: str, workflow_id: str) -> bool:
        self.note(job_id, f"finish {phase}")
        return self.follow_with_render and phase == "prepare"

    async def follow(self, job_id: str, workflow_id: str, next_workflow_id: str) -> bool:
        self.note(job_id, "follow")
        return True

    def wait(self, arrived: Callable[[list[tuple[str, str]]], bool], within_s: float = 60.0) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: arrived(self.asked), within_s), self.asked

    def of(self, job_id: str) -> list[str]:
        return [what for asked, what in self.asked if asked == job_id]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def launch(tmp_path: Path, house: House) -> Iterator[Callable[..., tuple[Engine, Scripted]]]:
    engines: list[Engine] = []

    def start(prepare: int = 1, render: int = 2, runner: Scripted | None = None) -> tuple[Engine, Scripted]:
        runner = runner or Scripted()
        given: Any = runner
        at_once = {Phase.PREPARE: prepare, Phase.RENDER: render}
        failures = Failures(house.store, house.hub)
        engine = Engine(
            path=tmp_path / "engine.sqlite3", store=house.store, runner=given, failures=failures, at_once=at_once
        )
        engines.append(engine)
        engine.launch()
        return engine, runner

    yield start
    for engine in engines:
        engine.shutdown()


Launch = Callable[..., tuple[Engine, Scripted]]


def test_the_stages_run_in_order_and_a_render_follows_when_no_review_is_wanted(launch: Launch) -> None:
    engine, runner = launch()
    runner.follow_with_render = True
    engine.enqueue(Phase.PREPARE, "job", "job-prepare-1")
    runner.wait(lambda asked: ("job", "finish render") in asked)
    prepare, render = names(Phase.PREPARE), names(Phase.RENDER)
    assert runner.of("job") == [
        "begin prepare",
        *prepare,
        "finish prepare",
        "follow",
        "begin render",
        *render,
        "finish render",
    ]


def test_no_more_jobs_run_at_once_than_the_setting_says(launch: Launch) -> None:
    engine, runner = launch(render=2)
    runner.hold.add("synthesize")
    for number in range(5):
        engine.enqueue(Phase.RENDER, f"job{number}", f"job{number}-render-1")
    runner.wait(lambda asked: sum(what == "synthesize" for _, what in asked) == 2)
    runner.hold.clear()
    runner.wait(lambda asked: sum(what == "finish render" for _, what in asked) == 5)
    assert runner.most_inside == 2


def test_cancelling_a_workflow_cancels_its_running_stage(launch: Launch) -> None:
    engine, runner = launch()
    runner.hold.add("transcribe")
    engine.enqueue(Phase.PREPARE, "job", "job-prepare-1")
    runner.wait(lambda asked: ("job", "transcribe") in asked)
    engine.cancel("job-prepare-1")
    runner.wait(lambda asked: ("job", "cancelled") in asked)  # the stage is held: nothing else ends it
    assert "finish prepare" not in runner.of("job")


def test_work_that_was_running_when_the_engine_stopped_goes_on_at_its_stage(launch: Launch, house: House) -> None:
    job = house.created()
    workflow_id = house.queue.queued[-1][2]
    engine, runner = launch()
    runner.hold.add("transcribe")
    runner.wait(lambda asked: (job.id, "transcribe") in asked)  # `launch` found the queued row by itself
    engine.shutdown()
    house.store.transition(job.id, JobState.PREPARING)
    _, again = launch()
    again.wait(lambda asked: (job.id, "finish prepare") in asked)
    assert again.of(job.id) == ["transcribe", "speakers", "translate", "finish prepare"], (
        "finished steps are not repeated"
    )
    assert house.store.row(job.id).workflow_id == workflow_id


def test_a_restart_does_not_wait_for_a_queue_that_is_looked_into_seldom(
    launch: Launch, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.workflows._POLL_S", 60.0)
    job = house.created()
    engine, runner = launch()
    runner.hold.add("transcribe")
    runner.wait(lambda asked: (job.id, "transcribe") in asked)
    engine._calm()  # as after some seconds
    assert queue_intervals(engine) == {60.0}
    engine.shutdown()
    house.store.transition(job.id, JobState.PREPARING)
    _, again = launch()
    again.wait(lambda asked: (job.id, "finish prepare") in asked)


def queue_intervals(engine: Engine) -> set[float]:
    with sqlite3.connect(engine._path) as records:
        return {interval for (interval,) in records.execute("SELECT polling_interval_sec FROM queues")}


def test_a_job_whose_workflow_the_engine_never_saw_is_queued_at_launch(launch: Launch, house: House) -> None:
    job = house.created()
    _, runner = launch()
    runner.wait(lambda asked: (job.id, "finish prepare") in asked)


def test_a_job_that_says_running_but_whose_workflow_has_ended_is_begun_anew(launch: Launch, house: House) -> None:
    job = house.created()
    engine, runner = launch(prepare=1)
    runner.wait(lambda asked: (job.id, "finish prepare") in asked)
    engine.enqueue(Phase.PREPARE, "next", "next-prepare-1")
    runner.wait(lambda asked: ("next", "begin prepare") in asked)  # one at a time: the first workflow has ended
    engine.shutdown()
    house.store.transition(job.id, JobState.PREPARING)
    _, again = launch()
    again.wait(lambda asked: (job.id, "finish prepare") in asked)
    assert again.of(job.id)[0] == "begin prepare"


def test_records_of_ended_work_are_deleted_after_their_time(launch: Launch) -> None:
    engine, runner = launch(prepare=1)
    for name in ("first", "second"):
        engine.enqueue(Phase.PREPARE, name, f"{name}-prepare-1")
    runner.wait(lambda asked: ("second", "begin prepare") in asked)
    assert engine.collect() == 0
    engine.keep_finished_s = -5.0
    assert engine.collect() >= 1


def test_work_on_a_full_disk_waits_for_room_and_is_not_lost(launch: Launch, tmp_path: Path) -> None:
    engine, runner = launch()
    runner.hold.add("transcribe")
    engine.enqueue(Phase.PREPARE, "job", "job-prepare-1")
    runner.wait(lambda asked: ("job", "transcribe") in asked)
    with full_disk():
        runner.hold.clear()
        deadline = time.monotonic() + 60
        while not any("_wait" in frames for frames in stacks()):  # the step's end cannot be recorded
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "finish prepare" not in runner.of("job")
    runner.wait(lambda asked: ("job", "finish prepare") in asked)
    assert runner.of("job") == ["begin prepare", *names(Phase.PREPARE), "finish prepare"], "and nothing was done twice"


def test_on_a_full_disk_a_launch_fails_and_the_next_one_works(launch: Launch, house: House) -> None:
    with full_disk(), pytest.raises(DubError) as caught:
        launch()
    assert caught.value.problem is DISK_FULL
    job = house.created()
    _, runner = launch()
    runner.wait(lambda asked: (job.id, "finish prepare") in asked)


def test_what_is_queued_or_cancelled_on_a_full_disk_is_so_when_there_is_room(launch: Launch, house: House) -> None:
    engine, runner = launch()
    runner.hold.add("transcribe")
    engine.enqueue(Phase.PREPARE, "held", "held-prepare-1")
    runner.wait(lambda asked: ("held", "transcribe") in asked)
    job = house.created()
    workflow_id = house.queue.queued[-1][2]
    with full_disk():
        engine.enqueue(Phase.PREPARE, job.id, workflow_id)
        engine.cancel("held-prepare-1")
    deadline = time.monotonic() + 60
    while ("held", "cancelled") not in runner.asked or (job.id, "begin prepare") not in runner.asked:
        engine.settle()
        runner.hold.clear() if ("held", "cancelled") in runner.asked else None
        assert time.monotonic() < deadline, runner.asked
        time.sleep(0.05)


def test_a_stop_does_not_wait_for_room(launch: Launch) -> None:
    engine, runner = launch()
    runner.hold.add("probe")
    engine.enqueue(Phase.PREPARE, "job", "job-prepare-1")
    runner.wait(lambda asked: ("job", "probe") in asked)
    with full_disk():
        runner.hold.clear()
        while not any("_wait" in frames for frames in stacks()):
            time.sleep(0.01)
        engine.shutdown()
        deadline = time.monotonic() + 60
        while any("_wait" in frames for frames in stacks()):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def stacks() -> list[list[str]]:
    """What every thread is in, by the names of its functions."""
    found = []
    for frame in sys._current_frames().values():
        names, at = [], frame
        while at is not None:
            names.append(at.f_code.co_name if "workflow_database" in at.f_code.co_filename else "")
            at = at.f_back  # type: ignore[assignment] - the outermost has none
        found.append(names)
    return found


@pytest.fixture
def in_flight(launch: Launch, house: House, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two jobs as an older program left them: the first in `transcribe`, the second queued behind it."""
    house.created()
    house.created()
    monkeypatch.setattr("app.jobs.workflows.workflow_version", lambda: "1")
    engine, runner = launch()
    runner.hold.add("transcribe")
    runner.wait(lambda asked: any(what == "transcribe" for _, what in asked))
    first = next(job_id for job_id, what in runner.asked if what == "transcribe")
    engine.shutdown()
    house.store.transition(first, JobState.PREPARING)
    monkeypatch.undo()
    (second,) = {job.id for job in house.store.working()} - {first}
    return first, second


def test_after_an_upgrade_running_and_queued_jobs_start_their_phase_again(
    launch: Launch, house: House, in_flight: tuple[str, str]
) -> None:
    _, runner = launch()
    runner.wait(lambda asked: sum(what == "finish prepare" for _, what in asked) == 2)
    for job_id in in_flight:
        assert runner.of(job_id) == ["begin prepare", *names(Phase.PREPARE), "finish prepare"]
    assert [job_id for job_id, what in runner.asked if what == "begin prepare"] == list(in_flight), (
        "what was at work comes first"
    )


def test_a_stage_that_an_upgrade_brings_runs_for_a_job_in_flight(
    launch: Launch, house: House, in_flight: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = Stage(name="extra", phase=Phase.PREPARE, title="E", doing="e", output=str, weight=0.1, first_cost=0.0)
    monkeypatch.setattr("app.domain.stages.STAGES", (extra, *STAGES))
    _, runner = launch()
    runner.wait(lambda asked: sum(what == "finish prepare" for _, what in asked) == 2)
    assert all("extra" in runner.of(job_id) for job_id in in_flight)


def test_the_version_of_the_workflows_follows_from_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    before = workflow_version()
    monkeypatch.setattr("app.domain.stages.STAGES", STAGES[1:])
    assert workflow_version() != before


def test_a_step_bears_its_stages_name(launch: Launch, house: House) -> None:
    job = house.created()
    engine, runner = launch()
    runner.wait(lambda asked: (job.id, "finish prepare") in asked)
    workflow_id = str(house.store.row(job.id).workflow_id)
    steps = [step["function_name"] for step in engine._dbos.list_workflow_steps(workflow_id)]
    assert steps[: 1 + len(names(Phase.PREPARE))] == ["begin", *names(Phase.PREPARE)]
