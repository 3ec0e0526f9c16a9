"""An archive of a data folder, its import into another one, and what somebody may do to it in between."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.archive import export
from app.archive.importing import Imported, import_archive
from app.storage.disk_floor import Floor
from tests.unit.retention.shelf import Shelf


def exported(shelf: Shelf, *job_ids: str) -> Path:
    path = shelf.data / "jobs.tar"
    with path.open("wb") as file:
        for block in export.archive(shelf.database, shelf.blobs, export.titles(shelf.database, job_ids), "1.0"):
            file.write(block)
    return path


def take(shelf: Shelf, archive: Path, floor: Floor | None = None) -> list[Imported]:
    told: list[Imported] = []
    floor = floor or Floor(shelf.blobs.free_bytes, 0)
    found = import_archive(
        archive,
        engine=shelf.database,
        blobs=shelf.blobs,
        staging=shelf.data / "imports",
        floors=[floor],
        on_job=told.append,
    )
    assert list(found) == told
    assert list((shelf.data / "imports").iterdir()) == []
    return told


def rebuilt(archive: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None], *, sums: bool = True) -> Path:
    """The archive with its members changed; with `sums` the hashes are made to fit again."""
    with tarfile.open(archive) as tar:
        members = [(info, tar.extractfile(info).read()) for info in tar.getmembers()]  # type: ignore[union-attr]
    change(members)
    if sums:
        text = "".join(
            f"{hashlib.sha256(data).hexdigest()}  {info.name}\n" for info, data in members if info.name != "SHA256SUMS"
        )
        members = [(info, text.encode() if info.name == "SHA256SUMS" else data) for info, data in members]
    out = archive.with_name("hostile.tar")
    with out.open("wb") as file:
        for info, data in members:
            info.size = len(data)
            file.write(info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512))
        file.write(bytes(1024))
    return out


def member(members: list[tuple[tarfile.TarInfo, bytes]], start: str) -> int:
    return next(i for i, (info, _) in enumerate(members) if info.name.startswith(start))


def edit(start: str, change: Callable[[dict[str, Any]], None]) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]:
    def act(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        at = member(members, start)
        told = json.loads(members[at][1])
        change(told)
        members[at] = (members[at][0], json.dumps(told).encode())

    return act
