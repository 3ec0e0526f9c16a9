"""A job needs no folder of blobs: a store that keeps them elsewhere sees it from the upload to its end, its export and
its deletion."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path

from app.archive import export
from app.archive.importing import import_archive
from app.domain.job import JobState, Phase
from app.domain.media import ArtifactKind
from app.domain.stages import in_phase
from app.jobs.failures import Failures
from app.jobs.runner import StageRunner
from app.jobs.schemas import CreateJob, OptionsPatch
from app.storage import references
from app.storage.blobs import bytes_of
from app.storage.disk_floor import Floor
from tests.doubles.blobs import MemoryBlobs
from tests.unit.jobs.house import House
from tests.unit.media.samples import sample

APP = Path(__file__).parents[3] / "app"
LINES = b"1\n00:00:00,200 --> 00:00:01,500\nGood morning.\n\n2\n00:00:02,000 --> 00:00:03,600\nIt is raining again.\n"


def rendered(house: House, job_id: str) -> None:
    """The job's stages, one after another, as the engine calls them."""
    runner = StageRunner(
        store=house.store,
        keys=house.keys,
        context=house.context,
        hub=house.hub,
        failures=Failures(house.store, house.hub),
        discard=house.service.discard,
    )

    async def run() -> None:
        for phase in Phase:
            workflow_id = house.store.row(job_id).workflow_id or ""
            assert await runner.begin(job_id, phase, workflow_id)
            for stage in in_phase(phase):
                assert await runner.run(job_id, stage.name, workflow_id), house.store.get(job_id).error
            if await runner.finish(job_id, phase, workflow_id):
                assert await runner.follow(job_id, workflow_id, f"{job_id}-render-1")

    asyncio.run(run())


def test_a_whole_job_goes_through_a_store_that_is_no_folder(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    house = House(tmp_path, blobs)
    uploads = {
        name: house.uploaded(data, name)
        for name, data in (("film.mp4", sample("plain.mp4").read_bytes()), ("lines.srt", LINES))
    }
    stem = house.uploaded(sample("plain.flac").read_bytes(), "music.flac")
    options = OptionsPatch(voice="espeak:en", burn_subtitles=True, review=False)
    request = CreateJob(
        uploads["film.mp4"], subtitles_upload_id=uploads["lines.srt"], stem_upload_id=stem, options=options
    )
    job_id = house.service.create(request).id
    rendered(house, job_id)
    job = house.service.get(job_id)
    assert job.state is JobState.COMPLETED
    assert not house.blob_folder.exists(), "nothing was written where a folder would be"
    with house.service.artifact(job_id, ArtifactKind.VIDEO) as (artifact, path):
        assert path.read_bytes() == bytes_of(blobs, artifact.key)
    assert house.service.report(job_id).lines

    (tmp_path / "other").mkdir()
    other, archive = House(tmp_path / "other", MemoryBlobs()), tmp_path / "job.tar"
    archive.write_bytes(b"".join(export.archive(house.database, blobs, export.titles(house.database, [job_id]), "1")))
    floors = [Floor(other.blobs.free_bytes, 0)]
    import_archive(
        archive,
        engine=other.database,
        blobs=other.blobs,
        staging=tmp_path / "staging",
        floors=floors,
        on_job=lambda _: None,
    )
    assert {entry.key for entry in other.blobs.entries()} == {entry.key for entry in blobs.entries()}

    house.service.delete(job_id)
    blobs.put("clips/nobodys.wav", b"")
    assert references.orphans(house.database, blobs, older_than_s=0) == (1, 0)
    assert list(blobs.entries()) == []


def test_only_those_who_open_a_data_folder_know_that_blobs_are_files() -> None:
    """The types forbid the rest: `BlobStore` has no path."""
    named = {str(path.relative_to(APP)) for path in APP.rglob("*.py") if "FolderBlobs" in _names(path)}
    assert named == {
        "storage/blobs.py",
        "server/services.py",
        "cli/dub.py",
        "cli/export.py",
        "cli/import_jobs.py",
        "cli/clean.py",
    }
    for path in APP.rglob("*.py"):
        assert not re.search(
            r"\bblobs\.(_?path|_?root)\b|settings\.blobs\s*/|getattr\([^)]*blobs", path.read_text("utf-8")
        ), path


def _names(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return imported | {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
