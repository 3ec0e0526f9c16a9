"""What a render hands out: the newest files, and no blob that nobody needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.dub_options import DubOptions, changed
from app.domain.media import Artifact, ArtifactKind
from app.storage.blobs import FolderBlobs
from app.storage.database import migrate, open_database
from app.storage.jobs import JobStore

OPTIONS = changed(DubOptions(), model="tiny", audio_track=0)
MIX = (ArtifactKind.AUDIO, ArtifactKind.TRACK)


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    database = open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    migrate(database)
    store = JobStore(database)
    for job_id in ("a", "b"):
        store.insert(job_id, title="t", options=OPTIONS, source_key="uploads/s", subtitles_key=None, size_bytes=1)
    return store


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


def file(kind: ArtifactKind, name: str) -> Artifact:
    return Artifact(kind, f"artifacts/{name}", 1, name, "audio/mp4", "m4a")


def kinds(store: JobStore, job_id: str = "a") -> dict[str, str]:
    return {artifact.kind.value: artifact.sha256 for artifact in store.get(job_id).artifacts}


def test_a_new_file_takes_the_place_of_the_old_one_whose_blob_goes(store: JobStore) -> None:
    store.finish_stage("a", "mix", "1", {}, 1.0, artifacts=(file(ArtifactKind.AUDIO, "one"),), kinds=MIX)
    gone = store.finish_stage("a", "mix", "2", {}, 1.0, artifacts=(file(ArtifactKind.AUDIO, "two"),), kinds=MIX)
    assert gone == ["artifacts/one"] and kinds(store) == {"audio": "two"}


def test_a_file_that_is_no_longer_made_is_no_longer_offered(store: JobStore) -> None:
    both = (file(ArtifactKind.AUDIO, "flac"), file(ArtifactKind.TRACK, "track"))
    store.finish_stage("a", "mix", "1", {}, 1.0, artifacts=both, kinds=MIX)
    store.finish_stage("a", "mux", "1", {}, 1.0, artifacts=(file(ArtifactKind.SRT, "srt"),), kinds=(ArtifactKind.SRT,))
    gone = store.finish_stage("a", "mix", "2", {}, 1.0, artifacts=(file(ArtifactKind.AUDIO, "m4a"),), kinds=MIX)
    assert gone == ["artifacts/flac", "artifacts/track"]
    assert kinds(store) == {"audio": "m4a", "srt": "srt"}, "other stages' files stay"


def test_a_file_that_changes_its_kind_keeps_its_bytes(store: JobStore, blobs: FolderBlobs) -> None:
    both = (file(ArtifactKind.AUDIO, "flac"), file(ArtifactKind.TRACK, "m4a"))
    store.finish_stage("a", "mix", "1", {}, 1.0, artifacts=both, kinds=MIX)
    gone = store.finish_stage("a", "mix", "2", {}, 1.0, artifacts=(file(ArtifactKind.AUDIO, "m4a"),), kinds=MIX)
    assert gone == ["artifacts/flac"] and kinds(store) == {"audio": "m4a"}
    assert store.delete("a", blobs) == ["artifacts/m4a"]


def test_two_kinds_may_have_the_same_bytes(store: JobStore, blobs: FolderBlobs) -> None:
    store.finish_stage(
        "a", "mux", "1", {}, 1.0, artifacts=(file(ArtifactKind.SRT, "x"), file(ArtifactKind.SOURCE_SRT, "x"))
    )
    store.finish_stage(
        "a", "mux", "2", {}, 1.0, artifacts=(file(ArtifactKind.SRT, "y"), file(ArtifactKind.SOURCE_SRT, "x"))
    )
    assert kinds(store) == {"srt": "y", "source_srt": "x"}
    assert set(store.delete("a", blobs)) == {"artifacts/x", "artifacts/y"}


def test_what_another_job_needs_stays(store: JobStore, blobs: FolderBlobs) -> None:
    for job_id in ("a", "b"):
        store.finish_stage(job_id, "mix", "1", {}, 1.0, artifacts=(file(ArtifactKind.AUDIO, "same"),), kinds=MIX)
    assert store.finish_stage("a", "mix", "2", {}, 1.0, kinds=MIX) == []
    assert kinds(store) == {} and kinds(store, "b") == {"audio": "same"}
    assert store.delete("b", blobs) == ["artifacts/same"], "the source is the other job's too"
