"""A job that is deleted under a stage at work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain.job import JobState
from app.domain.media import Artifact, ArtifactKind
from app.dubbing.context import Context
from app.jobs.failures import Failures
from app.jobs.runner import StageRunner
from app.jobs.stages import Done
from app.speech.registry import build_registry
from app.storage.workspace import Workspace
from app.system.children import Limits
from tests.unit.jobs.house import House


def made(house: House) -> Done:
    """What a stage has put on disk and not recorded yet."""
    house.blobs.put("artifacts/aa.mp4", b"dub")
    house.blobs.put("clips/bb.wav", b"clip")
    video = Artifact(ArtifactKind.VIDEO, "artifacts/aa.mp4", 3, "aa", "video/mp4", "mp4")
    return Done([], keys=("clips/bb.wav",), artifacts=(video,))


def vanished(house: House) -> Done:
    raise FileNotFoundError("the original, deleted with its job")


@pytest.mark.parametrize("ends", [made, vanished])
async def test_what_a_stage_makes_for_a_deleted_job_is_deleted_and_no_crash_is_logged(
    tmp_path: Path, ends: Callable[[House], Done]
) -> None:
    house = House(tmp_path)
    context = Context(
        house.blobs,
        Workspace(tmp_path / "work"),
        tmp_path / "cache",
        build_registry(models=tmp_path),
        1,
        Limits(),
        3600.0,
    )
    failures = Failures(house.store, house.hub)
    runner = StageRunner(
        store=house.store,
        keys=house.keys,
        context=context,
        hub=house.hub,
        failures=failures,
        discard=house.service.discard,
    )
    job = house.created()
    house.store.transition(job.id, JobState.PREPARING)
    workflow_id = house.store.row(job.id).workflow_id

    async def work(stage: str, row: Any, name: str, report: Any) -> Done:
        house.service.delete(job.id)
        return ends(house)

    runner._work.work = work  # type: ignore[method-assign]
    with capture_logs() as logged:
        assert not await runner.run(job.id, "probe", str(workflow_id))
    assert [path for path in house.blob_folder.rglob("*") if path.is_file()] == []
    assert [line for line in logged if line["log_level"] in ("warning", "error")] == []
