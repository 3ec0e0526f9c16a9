"""Verifies a whole archive before anything of it is imported: every member is where it belongs, with its hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import BinaryIO, Final

from app.archive import validation
from app.archive.export import MANIFEST, README, SUMS, PortableJob
from app.domain.errors import DubError
from app.domain.problems.jobs import ARCHIVE_INVALID
from app.storage import tar_stream
from app.storage.blobs import BlobStore

MAX_JSON_BYTES: Final = 256 << 20  # of one job: its lines, and what its stages gave
BLOB: Final = re.compile(
    r"blobs/((?:uploads|ingest|clips|artifacts)(?:/[A-Za-z0-9_-]{1,128}){1,3}(?:\.[a-z0-9]{1,8})?)"
)
JOB: Final = re.compile(r"jobs/([0-9a-f]{32})/job\.json")


def examine(file: BinaryIO, blobs: BlobStore, on_id: Callable[[str], None]) -> int:
    """Read and check the whole archive; returns the bytes that the import would write. Needs memory for one job's list
    of files.

    `on_id` is called for every job before its files are looked up.
    """
    sums, pending, shared = hashlib.sha256(), dict[str, tuple[str, int]](), dict[str, tuple[str, int]]()
    expected: list[str] | None = None
    wanted, ended = 0, False
    for member in tar_stream.members(file):
        if ended:
            raise DubError(ARCHIVE_INVALID, f"Something follows {SUMS}.")
        if member.name == SUMS:
            if expected is None or pending:  # jobs that were deleted while the archive was written are missing
                raise DubError(ARCHIVE_INVALID, "A job is missing in it.")
            if member.skip() != sums.hexdigest():
                raise DubError(ARCHIVE_INVALID, f"{SUMS} does not fit what is in it.")
            ended = True
            continue
        if blob := BLOB.fullmatch(member.name):
            key = blob[1]
            if key in pending or key in shared or not expected:
                raise DubError(ARCHIVE_INVALID, f"{member.name} is not where it belongs.")
            digest = member.skip()
            pending[key] = digest, member.size_bytes
            wanted += 0 if blobs.exists(key) else member.size_bytes
        elif member.name == README and expected is None:
            digest = member.skip()
        elif member.name == MANIFEST and expected is None:
            manifest = validation.manifest(member.whole(MAX_JSON_BYTES))
            expected, digest = [job.id for job in reversed(manifest.jobs)], member.skip()
            for job_id in expected:
                on_id(job_id)
        elif (named := JOB.fullmatch(member.name)) and expected:
            job = validation.job(member.whole(MAX_JSON_BYTES))
            digest = member.skip()
            while expected and expected[-1] != job.id:  # deleted while the archive was written
                expected.pop()
            if named[1] != job.id or not expected:
                raise DubError(ARCHIVE_INVALID, f"{member.name} is not where it belongs.")
            expected.pop()
            _check_files(job, pending, shared)
            shared |= {entry.key: (entry.sha256, entry.size_bytes) for entry in job.files if entry.shared}
            pending = {}
        else:
            raise DubError(ARCHIVE_INVALID, f"{member.name[:100]!r} does not belong into it.")
        sums.update(f"{digest}  {member.name}\n".encode())
    if not ended:
        raise DubError(ARCHIVE_INVALID, "Its end is missing.")
    return wanted


def _check_files(job: PortableJob, pending: dict[str, tuple[str, int]], shared: dict[str, tuple[str, int]]) -> None:
    """Check that exactly the files that the job lists are there, with their hashes."""
    listed = {entry.key: entry for entry in job.files}
    if len(listed) != len(job.files) or {key for key, entry in listed.items() if entry.here} != pending.keys():
        raise DubError(ARCHIVE_INVALID, f"The files of {job.id} are not those that it lists.")
    for key, entry in listed.items():
        if (pending if entry.here else shared).get(key) != (entry.sha256, entry.size_bytes):
            raise DubError(ARCHIVE_INVALID, f"blobs/{key} has been changed.")
