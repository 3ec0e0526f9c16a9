"""Validates the manifest and the jobs of an archive. Nothing in it is trusted, not even that a number fits the
database."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import msgspec

from app.archive.export import FORMAT, MANIFEST, Manifest, PortableJob
from app.domain.dub_options import DubOptions, readable
from app.domain.errors import DubError
from app.domain.json_decoding import LARGEST, Malformed, converted, decoded
from app.domain.media import MAX_TEXT_CHARACTERS, Artifact
from app.domain.plain_text import one_line, plain
from app.domain.problems.jobs import ARCHIVE_INVALID, ARCHIVE_NEWER
from app.domain.problems.lines import TOO_MANY_LINES
from app.domain.segment import MAX_LINES, MAX_RATE, MIN_RATE, Segment
from app.domain.speaker import COLOURS, LOUDEST_DB, QUIETEST_DB, Speaker, introduced

MAX_JOBS: Final = 1_000_000
_DEEPEST: Final = 16
_LONGEST_OPTIONS_BYTES: Final = 64 << 10
_LONGEST_S: Final = 1e7  # the largest time within a film
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9]{1,32}/[A-Za-z0-9.+-]{1,64}")
_EXTENSION: Final = re.compile(r"\.?[A-Za-z0-9]{0,8}")


class _ArchiveHead(msgspec.Struct):
    format: int


def manifest(data: bytes) -> Manifest:
    """Raises archive_newer, archive_invalid."""
    try:
        if decoded(data, _ArchiveHead).format > FORMAT:
            raise DubError(ARCHIVE_NEWER)
        found = decoded(data, Manifest)
    except Malformed as error:
        raise DubError(ARCHIVE_INVALID, f"{MANIFEST}: {error}.") from None
    if found.format < 1 or len({job.id for job in found.jobs}) != len(found.jobs) or len(found.jobs) > MAX_JOBS:
        raise DubError(ARCHIVE_INVALID, f"{MANIFEST} is not one of ours.")
    return found


def job(data: bytes) -> PortableJob:
    """Decode one job; its title and speakers are cleaned. Raises archive_invalid, too_many_lines."""
    try:
        found = decoded(data, PortableJob)
        options(found.options)
        if found.rendered_options is not None:
            options(found.rendered_options)
    except Malformed as error:
        raise DubError(ARCHIVE_INVALID, f"A job cannot be read: {error}.") from None
    if len(found.segments) > MAX_LINES:
        raise DubError(TOO_MANY_LINES, f"{found.id} has {len(found.segments)} lines; a job may have {MAX_LINES}.")
    if not all(map(_sound, found.segments)) or len({line.id for line in found.segments}) != len(found.segments):
        raise DubError(ARCHIVE_INVALID, f"The lines of {found.id} are not valid.")
    if len({stage.stage for stage in found.stages}) != len(found.stages) or len(
        {file.kind for file in found.artifacts}
    ) != len(found.artifacts):
        raise DubError(ARCHIVE_INVALID, f"{found.id} has something twice.")
    if not all(_tame(stage.output) for stage in found.stages):
        raise DubError(ARCHIVE_INVALID, f"What the stages of {found.id} gave is not valid.")
    if not all(map(_named, found.artifacts)) or (
        found.media is not None and not 0 <= found.media.duration_s <= _LONGEST_S
    ):
        raise DubError(ARCHIVE_INVALID, f"The files of {found.id} are not valid.")
    lines = tuple(
        msgspec.structs.replace(
            line,
            speaker=plain(line.speaker)[:255],
            source_text=one_line(line.source_text),
            original=one_line(line.original),
        )
        for line in found.segments
    )
    # in an archive from before there were speakers, a line has a name
    script = introduced(lines, _speakers(found), strict=False)
    return msgspec.structs.replace(found, title=title(found.title), segments=script.segments, speakers=script.speakers)


def _speakers(found: PortableJob) -> tuple[Speaker, ...]:
    """Raises archive_invalid."""
    if not all(map(_speaks, found.speakers)) or len({one.id for one in found.speakers}) != len(found.speakers):
        raise DubError(ARCHIVE_INVALID, f"The speakers of {found.id} are not valid.")
    # a clone belongs to an account: an archive may not name one that is then deleted with its job
    return tuple(
        msgspec.structs.replace(one, name=plain(one.name).strip()[:255] or "?", clone=None) for one in found.speakers
    )


def _speaks(speaker: Speaker) -> bool:
    return 0 < len(speaker.id) <= 32 and 0 <= speaker.colour < COLOURS and _wished(speaker.speed, speaker.level_db)


def _wished(speed: float | None, level_db: float | None) -> bool:
    """Whether a speed and a level are such as can be chosen."""
    return (speed is None or MIN_RATE <= speed <= MAX_RATE) and (
        level_db is None or QUIETEST_DB <= level_db <= LOUDEST_DB
    )


def title(text: str) -> str:
    """The title of a job from an archive, cleaned as for a new job."""
    return plain(text).strip() or "Untitled"


def options(found: dict[str, Any]) -> DubOptions:
    """Options of an archive of any version: what an older one lacks has its default, what a later one has besides is
    kept. Raises Malformed."""
    if not _tame(found) or len(msgspec.json.encode(found)) > _LONGEST_OPTIONS_BYTES:
        raise Malformed("Its options are not valid")
    return converted(readable(found), DubOptions)


def _sound(line: Segment) -> bool:
    rate = line.locked_rate is None or MIN_RATE <= line.locked_rate <= MAX_RATE
    printable = all(unicodedata.category(character) not in ("Cc", "Cs") for character in line.text)
    return (
        rate
        and printable
        and _wished(line.speed, line.level_db)
        and 0 <= line.start_s < line.end_s <= _LONGEST_S
        and len(line.text) <= MAX_TEXT_CHARACTERS
        and 0 < len(line.id) <= 32
    )


def _tame(value: Any) -> bool:
    """Whether JSON is at most as deep as outputs of stages, and its integers fit the database."""
    level = [value]
    for _ in range(_DEEPEST):
        if not all(-LARGEST <= one <= LARGEST for one in level if isinstance(one, int)):
            return False
        level = [
            inner
            for one in level
            if isinstance(one, list | dict)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def _named(file: Artifact) -> bool:
    """Check the values that become headers of an answer."""
    return bool(
        _SHA256.fullmatch(file.sha256)
        and _MEDIA_TYPE.fullmatch(file.media_type)
        and _EXTENSION.fullmatch(file.extension)
    )
