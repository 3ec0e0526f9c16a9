"""A clip's two files have one row, and stay and go together."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sqlalchemy import func, select

from app.archive import export
from app.storage import references
from app.storage import tables as t
from app.storage.clip_files import files_of, row_of
from app.storage.compact import in_folder
from app.storage.database import reading
from tests.unit.retention.shelf import DAY_S, Shelf


def test_the_row_of_a_file_stands_for_it() -> None:
    keys = ["artifacts/a.json", "clips/a.wav", "clips/b.wav", "ingest/a/speech.wav"]
    assert files_of(keys) == [
        "artifacts/a.json",
        "clips/a.json",
        "clips/a.wav",
        "clips/b.json",
        "clips/b.wav",
        "ingest/a/speech.wav",
    ]
    assert {row_of(file) for file in files_of(keys)} == set(keys)


def test_a_clip_is_kept_and_deleted_with_both_files(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    job_id, other = shelf.job(lines=("One.", "Two.")), shelf.job(lines=("Two.", "Three."))
    for path in (tmp_path / "blobs").rglob("*"):
        os.utime(path, (time.time() - 3 * DAY_S,) * 2)
    before = shelf.files()
    clips = {key for key in before if key.startswith("clips/")}
    with reading(shelf.database) as c:
        rows = c.execute(select(func.count()).where(in_folder(t.blob_references.c.key, "clips"))).scalar_one()
    assert len(clips) == 6 and rows == 4, "three clips, one of them of both jobs"
    assert references.orphans(shelf.database, shelf.blobs) == (0, 0) and shelf.files() == before
    size = export.size_bytes(shelf.database, shelf.blobs, export.titles(shelf.database, [job_id]))
    assert size >= sum(shelf.blobs.size_bytes(key) for key in clips) * 2 / 3
    shelf.store.delete(job_id, shelf.blobs)
    assert len([key for key in shelf.files() if key.startswith("clips/")]) == 4, "the other job has two lines"
    shelf.store.delete(other, shelf.blobs)
    assert shelf.files() == set()
