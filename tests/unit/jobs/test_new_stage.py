"""A stage that nobody knew: its declaration and its work are all that there is to add."""

from __future__ import annotations

import itertools
import subprocess
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.api.system import list_stages
from app.archive import export
from app.archive.importing import import_archive
from app.cli import main as cli
from app.domain import stages
from app.domain.events import JobEvent, Progress
from app.domain.job import JobState, Phase
from app.domain.stages import STAGES, TRANSCRIBE, Stage
from app.dubbing.context import Report
from app.jobs.failures import Failures
from app.jobs.runner import StageRunner
from app.jobs.schemas import CreateJob, JobPatch, OptionsPatch
from app.jobs.stages import BODIES, Done, StageBody, body_of
from app.jobs.workflows import Engine
from app.storage.disk_floor import Floor
from app.storage.job_row import JobRow
from tests.unit.jobs.house import House

LINES = b"1\n00:00:00,200 --> 00:00:01,800\nNow turn the table.\n"


class Aligned(msgspec.Struct, frozen=True):
    """What the new stage gives."""

    lines: int


ALIGN = Stage(
    name="align",
    phase=Phase.PREPARE,
    title="Align",
    doing="aligning",
    options=("recognition.language",),
    reads=("transcribe",),
    output=Aligned,
    weight=0.1,
    first_cost=0.01,
)


@pytest.fixture
def align(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more stage, between transcribe and the review: all that a program would have to add."""
    at = STAGES.index(TRANSCRIBE) + 1
    monkeypatch.setattr(stages, "STAGES", (*STAGES[:at], ALIGN, *STAGES[at:]))
    monkeypatch.setitem(BODIES, "align", StageBody)

    @body_of(ALIGN)
    class Align(StageBody):
        def inputs(self, row: JobRow) -> Any:
            return [self.lines(row), row.job.options.recognition.language]

        async def work(self, row: JobRow, name: str, report: Report) -> Done:
            report(0.5, "half way")
            return Done(Aligned(len(self.lines(row))))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    given = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=64x48:rate=5:duration=2",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=300:duration=2",
    ]
    subprocess.run(
        [
            ffmpeg,
            "-v",
            "error",
            *given,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            path,
        ],
        check=True,
    )
    return path


def test_a_job_runs_through_a_new_stage_which_is_seen_everywhere(align: None, film: Path, tmp_path: Path) -> None:
    house = House(tmp_path)
    events: list[JobEvent] = []
    reviewed = threading.Event()
    publish = house.hub.publish

    def watch(event: JobEvent) -> None:
        publish(event)
        events.append(event)
        if getattr(event, "job", None) is not None and event.job.state in (JobState.REVIEW, JobState.FAILED):  # type: ignore[union-attr]
            reviewed.set()

    house.hub.publish = watch  # type: ignore[method-assign]
    upload, subtitles = house.uploaded(film.read_bytes()), house.uploaded(LINES, "lines.srt")
    job = house.service.create(CreateJob(upload, subtitles_upload_id=subtitles, options=OptionsPatch(audio_track=None)))
    failures = Failures(house.store, house.hub)
    runner = StageRunner(
        store=house.store,
        keys=house.keys,
        context=house.service._context,
        hub=house.hub,
        failures=failures,
        discard=house.service.discard,
    )
    at_once = {Phase.PREPARE: 1, Phase.RENDER: 1}
    engine = Engine(
        path=tmp_path / "engine.sqlite3", store=house.store, runner=runner, failures=failures, at_once=at_once
    )
    engine.launch()
    try:
        assert reviewed.wait(60)
    finally:
        engine.shutdown()
    assert house.store.get(job.id).state is JobState.REVIEW, house.store.get(job.id).error

    # in the job's record, in its progress, in what the page asks for
    row = house.store.stage(job.id, "align")
    assert row is not None and row.output == {"lines": 1} and row.seconds > 0
    shown = [event for event in events if isinstance(event, Progress)]
    order = list(dict.fromkeys(event.stage for event in shown))
    assert order == ["probe", "ingest", "transcribe", "align", "speakers", "translate"]
    assert [event.stage_progress for event in shown if event.stage == "align"] == [0.0, 0.5]
    assert (
        all(earlier.progress <= later.progress for earlier, later in itertools.pairwise(shown))
        and shown[-1].progress < 1
    )
    assert [(stage.name, stage.title, stage.phase) for stage in list_stages.fn().stages][3] == (
        "align",
        "Align",
        "prepare",
    )

    # changed by its own option only, and shared with a copy of the job
    copy = house.service.duplicate(job.id, JobPatch())
    assert house.store.stage(copy.id, "align") == row
    assert "recognition.language" in stages.prepare_options()

    # out with an archive, and in again elsewhere
    archive = tmp_path / "jobs.tar"
    archive.write_bytes(
        b"".join(export.archive(house.store._engine, house.blobs, export.titles(house.store._engine, [job.id]), "1"))
    )
    there = House(_new(tmp_path / "there"))
    floor = Floor(there.blobs.free_bytes, 0)
    import_archive(
        archive,
        engine=there.store._engine,
        blobs=there.blobs,
        staging=tmp_path / "staging",
        floors=[floor],
        on_job=lambda _: None,
    )
    assert there.store.stage(job.id, "align") == row


def test_the_command_line_runs_a_new_stage_too(
    align: None, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTODUBBER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AUTODUBBER_MIN_FREE_BYTES", "0")
    subtitles = tmp_path / "film.srt"
    subtitles.write_bytes(LINES)
    assert (
        cli.main(
            ["dub", str(film), "--subtitles", str(subtitles), "--voice", "espeak:en", "--output", str(tmp_path / "out")]
        )
        == 0
    )
    said = capfd.readouterr().err
    assert said.index("transcribing: done") < said.index("aligning: done") < said.index("speaking: done")


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
