"""The longest transaction of a deletion, a duplicate and an import of a long job, in pieces and in one.

    python -m bench.pieces

What holds the database holds up every other writer. Milliseconds of this thread's processor, which other work on the
machine does not change much, and of the clock, from the beginning of a transaction to the end of its commit; `in one`
is not the code of before, which let the database delete the rows of a job along with it; it is what is done now, with
pieces that have no end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, event

from app.archive import export
from app.archive.importing import import_archive
from app.domain.job import JobState, Phase
from app.domain.segment import MAX_LINES, Segment
from app.domain.stages import names
from app.storage import batches, hidden
from app.storage.disk_floor import Floor
from tests.unit.retention.shelf import Shelf

NEW = "d" * 32
FILES = 1000  # that there are: each is synced when it is taken in


class Longest:
    """Of the transactions that write: how many, and the longest by processor and by clock."""

    def __init__(self, shelf: Shelf) -> None:
        self.count, self.own_ms, self.clock_ms = 0, 0.0, 0.0
        self._began = (0.0, 0.0)
        self._listeners = ((shelf.database, "begin", self._begin), (shelf.database, "commit", self._commit))

    def __enter__(self) -> Longest:
        for each in self._listeners:
            event.listen(*each)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._listeners:
            event.remove(*each)

    def _begin(self, _connection: Connection) -> None:
        self._began = time.thread_time(), time.monotonic()

    def _commit(self, connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")  # now, so that it is within what is measured
        connection.exec_driver_sql("BEGIN")
        self.count += 1
        self.own_ms = max(self.own_ms, 1000 * (time.thread_time() - self._began[0]))
        self.clock_ms = max(self.clock_ms, 1000 * (time.monotonic() - self._began[1]))


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--lines", "50"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=MAX_LINES)
    lines = parser.parse_args().lines
    found = {name: _measure(lines, in_one=in_one) for name, in_one in (("in one", True), ("in pieces", False))}
    print(
        f"a job of {lines} lines and {2 * lines} references; the longest transaction, ms of the processor (of the "
        f"clock), and how many there are"
    )
    for work, one in found["in one"].items():
        some = found["in pieces"][work]
        told = [f"{each.own_ms:6.0f} ({each.clock_ms:5.0f}) of {each.count:3}" for each in (one, some)]
        print(f"{work:10}  in one {told[0]}   in pieces {told[1]}   {one.own_ms / some.own_ms:5.1f} times shorter")


def _measure(lines: int, *, in_one: bool) -> dict[str, Longest]:
    batches.PIECE, hidden._FILES = (sys.maxsize // 2, 30_000) if in_one else (2_000, 200)
    with tempfile.TemporaryDirectory() as folder:
        here, there = Shelf(Path(folder, "here")), Shelf(Path(folder, "there"))
        job_id = here.job()
        batches.PIECE, kept = 2_000, batches.PIECE
        added = [
            Segment(uuid.uuid4().hex, n / 2, n / 2 + 0.4, f"Line {n}.", f"Line {n}.", "", False, ())
            for n in range(lines - 2)
        ]
        here.store.append_segments(
            job_id, added, stage="transcribe", fingerprint="t", output={"language": "en", "done_s": 1.0}
        )
        keys = [f"clips/{uuid.uuid4().hex}.wav" for _ in range(2 * lines)]
        for key in keys[:FILES]:
            here.blobs.put(key, key.encode(), synced=False)
        here.store.refer(job_id, keys)
        batches.PIECE = kept
        options, archive = here.store.get(job_id).options, Path(folder, "jobs.tar")
        with archive.open("wb") as file:
            for block in export.archive(here.database, here.blobs, export.titles(here.database, []), "1"):
                file.write(block)
        floor = Floor(there.blobs.free_bytes, 0)
        works: dict[str, tuple[Shelf, Callable[[], object]]] = {
            "duplicate": (
                here,
                lambda: here.store.copy(
                    job_id,
                    NEW,
                    here.blobs,
                    title="d",
                    options=options,
                    stem_key=None,
                    state=JobState.REVIEW,
                    stages=names(Phase.PREPARE),
                ),
            ),
            "delete": (here, lambda: here.store.delete(job_id, here.blobs)),
            "import": (
                there,
                lambda: import_archive(
                    archive,
                    engine=there.database,
                    blobs=there.blobs,
                    staging=there.data / "imports",
                    floors=[floor],
                    on_job=lambda _: None,
                ),
            ),
        }
        found = {}
        for name, (shelf, work) in works.items():
            with Longest(shelf) as found[name]:
                work()
        return found


if __name__ == "__main__":
    main()
