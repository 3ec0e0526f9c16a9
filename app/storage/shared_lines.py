"""What the languages of a job have in common of their lines: what is said in the original, and by whom.

A correction in one language is made in the others in the same transaction. Their translations of that line are stale
from then on; everything else of a line is each language's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from app.domain.dub_options import heard_as, spoken_in
from app.domain.iso_639 import primary_code
from app.domain.job import Job
from app.domain.segment import Segment, Translation
from app.domain.speaker import Speaker, without_voice
from app.storage import rows


def told(
    c: Connection, job: Job, changed: Sequence[tuple[Segment, Segment]], speakers: Sequence[Speaker] | None
) -> tuple[str, ...]:
    """Tell the other languages what an edit of this one has changed of what they share: lines before and after, and all
    speakers, where one has changed. Returns the ids of the languages that it changes."""
    if not job.languages:
        return ()
    translates = not _same(spoken_in(job.options, job.language), heard_as(job.options, job.language))
    sources = {}
    for before, after in changed:
        old, new = _source(before, translates=translates), _source(after, translates=translates)
        if old is not None and new is not None and old != new:
            sources[after.id] = new
    people = {after.id: after.speaker for before, after in changed if before.speaker != after.speaker}
    if not sources and not people and speakers is None:
        return ()
    return tuple(
        each.id for each in job.languages if each.id != job.id and _tell(c, each.id, sources, people, speakers)
    )


def _tell(
    c: Connection,
    job_id: str,
    sources: dict[str, str],
    people: dict[str, str],
    speakers: Sequence[Speaker] | None,
) -> bool:
    """Whether it changes anything of that language."""
    row = rows.job_row(c, job_id)
    known = {one.id: one for one in row.speakers}
    cast = row.speakers if speakers is None else tuple(_named(one, known) for one in speakers)
    there = {one.id for one in cast}
    # whoever has a voice in an account stays until that is deleted
    cast += tuple(one for one in row.speakers if one.id not in there and one.clone is not None)
    here = {one.id for one in cast}
    changed = []
    for line in rows.segments_of(c, job_id) if sources or people else ():
        now = _corrected(line, sources[line.id]) if line.id in sources else line
        if (speaker := people.get(line.id, "-")) in here or speaker == "":
            now = msgspec.structs.replace(now, speaker=speaker)
        if now != line:
            changed.append(now)
    if not changed and cast == row.speakers:
        return False
    rows.delete_segments(c, job_id, [line.id for line in changed])
    rows.write_segments(c, job_id, changed)
    rows.put_speakers(c, job_id, cast)
    rows.next_revision(c, job_id)
    return True


def _source(line: Segment, *, translates: bool) -> str | None:
    """What is said in the original; None where the line does not tell."""
    if line.translation:
        return line.original
    return None if translates else line.text


def _corrected(line: Segment, source: str) -> Segment:
    if not line.translation:  # it waits for its translation
        return msgspec.structs.replace(line, text=source, words=())
    if line.original == source:
        return line
    now = Translation.FAILED if line.translation is Translation.FAILED else Translation.STALE
    text = source if now is Translation.FAILED else line.text
    return msgspec.structs.replace(line, original=source, text=text, translation=now)


def _named(speaker: Speaker, known: dict[str, Speaker]) -> Speaker:
    """The same name and colour, with the voice that they have in this language."""
    mine = known.get(speaker.id)
    if mine is None:
        return without_voice(speaker)
    return msgspec.structs.replace(mine, name=speaker.name, colour=speaker.colour)


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and primary_code(one) == primary_code(other)
