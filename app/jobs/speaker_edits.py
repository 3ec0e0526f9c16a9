"""Edits of the speakers of a job: add, change, merge, take away. Methods block on the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from app.domain.errors import DubError
from app.domain.events import SegmentsChanged
from app.domain.job import EDITABLE, Job
from app.domain.plain_text import plain
from app.domain.problems.lines import SEGMENT_NOT_FOUND
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.segment import Segment
from app.domain.speaker import Script, Speaker, find, free_name, new_speaker
from app.jobs.editing import clean
from app.jobs.job_reading import JobReading
from app.jobs.schemas import Segments, SpeakerFields, SpeakerMerge, SpeakerNew, SpeakerPatch, Speakers, SpeakerTold


class SpeakerEdits(JobReading):
    """The part of the service for speakers."""

    def speakers(self, job_id: str) -> Speakers:
        """Raises job_not_found."""
        revision, script = self._store.script(job_id)
        lines = Counter(line.speaker for line in script.segments)
        told = [SpeakerTold(**msgspec.structs.asdict(one), lines=lines[one.id]) for one in script.speakers]
        return Speakers(revision, told)

    def add_speaker(self, job_id: str, revision: int, new: SpeakerNew) -> Segments:
        def change(_job: Job, script: Script) -> Script:
            name = self._name(new.name) if new.name is not UNSET else free_name(script.speakers)
            speaker = self._with(new_speaker(name, script.speakers), new)
            wanted = set(new.segments)
            if wanted - {line.id for line in script.segments}:
                raise DubError(SEGMENT_NOT_FOUND)
            return Script(_said_by(script.segments, wanted, speaker.id), (*script.speakers, speaker))

        return self._edit(job_id, revision, change)

    def change_speaker(self, job_id: str, speaker_id: str, revision: int, patch: SpeakerPatch) -> Segments:
        def change(_job: Job, script: Script) -> Script:
            changed = self._with(find(script.speakers, speaker_id), patch)
            return Script(script.segments, tuple(changed if one.id == speaker_id else one for one in script.speakers))

        return self._edit(job_id, revision, change)

    def merge_speakers(self, job_id: str, speaker_id: str, revision: int, request: SpeakerMerge) -> Segments:
        def change(_job: Job, script: Script) -> Script:
            into = find(script.speakers, request.into)
            if into.id == speaker_id:
                raise DubError(INVALID_REQUEST, "A speaker is merged with another one.")
            return _without(script, _without_clone(find(script.speakers, speaker_id)), into.id)

        return self._edit(job_id, revision, change)

    def remove_speaker(self, job_id: str, speaker_id: str, revision: int) -> Segments:
        return self._edit(
            job_id,
            revision,
            lambda _job, script: _without(script, _without_clone(find(script.speakers, speaker_id)), ""),
        )

    def _edit(
        self, job_id: str, revision: int, change: Callable[[Job, Script], Script], *, undo_id: str | None = None
    ) -> Segments:
        edited = self._store.edit_script(job_id, revision, EDITABLE, change, undo_id=undo_id)
        if edited.changed or edited.gone or edited.recast:
            speakers = edited.script.speakers if edited.recast else None
            self._hub.publish(SegmentsChanged(job_id, 0, edited.revision, edited.changed, edited.gone, speakers))
            for other_id in edited.elsewhere:
                now, script = self._store.script(other_id)
                self._hub.publish(SegmentsChanged(other_id, 0, now, script.segments, (), script.speakers))
                self._changed(self._store.get(other_id))
            self._changed(self._store.get(job_id))
        return Segments(edited.revision, edited.script.segments, edited.script.speakers)

    def _with(self, speaker: Speaker, fields: SpeakerFields) -> Speaker:
        """The speaker with what is asked for. Raises engine_unknown, voice_unknown, invalid_request, text_invalid."""
        names = [name for name in fields.__struct_fields__ if name in Speaker.__struct_fields__]
        values: dict[str, Any] = {name: value for name in names if (value := getattr(fields, name)) is not UNSET}
        if "name" in values:
            values["name"] = self._name(values["name"])
        if values.get("voice") is not None:
            self._context.engines.voice(values["voice"])
        elif "voice" in values:
            values["voice_model"] = ""
        return msgspec.structs.replace(speaker, **values)

    def _name(self, text: str) -> str:
        name = plain(clean(text)).strip()
        if not name:
            raise DubError(INVALID_REQUEST, "A speaker has a name.")
        return name


def _without_clone(speaker: Speaker) -> Speaker:
    """Raises invalid_request: who made a voice of somebody must be able to find it."""
    if speaker.clone is not None:
        raise DubError(INVALID_REQUEST, "Delete the cloned voice of this speaker first.")
    return speaker


def _said_by(lines: Sequence[Segment], wanted: set[str], speaker_id: str) -> tuple[Segment, ...]:
    return tuple(msgspec.structs.replace(line, speaker=speaker_id) if line.id in wanted else line for line in lines)


def _without(script: Script, speaker: Speaker, instead: str) -> Script:
    theirs = {line.id for line in script.segments if line.speaker == speaker.id}
    return Script(
        _said_by(script.segments, theirs, instead), tuple(one for one in script.speakers if one.id != speaker.id)
    )
