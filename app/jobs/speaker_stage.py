"""The stage that finds out who says which line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from app.domain import stages
from app.domain.events import SegmentsChanged
from app.domain.segment import Segment
from app.domain.speaker import told_apart
from app.domain.stage_outputs import SpeakersFound
from app.dubbing.context import Report
from app.jobs.stages import Done, StageBody, body_of
from app.speech.ports import DiarizationRequest, Diarizer
from app.storage.job_row import JobRow

_KEPT = "speakers.f32"  # in the job's cache: the voices of the lines so far


@body_of(stages.SPEAKERS)
class Speakers(StageBody):
    """A line that has a speaker keeps them. A group of lines with a speaker among them is that speaker's; any other
    group is a new one."""

    def inputs(self, row: JobRow) -> Any:
        diarizer, spans = self._wanted(row)
        if diarizer is None:
            return []
        return [self.sound(row).speech, row.job.options.recognition.speakers, diarizer.version, spans]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        job_id = row.job.id
        diarizer, _ = await asyncio.to_thread(self._wanted, row)
        if diarizer is None:
            return Done(SpeakersFound(0, 0))
        lines = [line for line in await asyncio.to_thread(self.lines, row) if _speaks(line)]
        asked = row.job.options.recognition.speakers
        sound = await asyncio.to_thread(self.sound, row)
        async with self.local(sound.speech) as (speech,):
            request = DiarizationRequest(
                speech,
                tuple((line.start_s, line.end_s) for line in lines),
                asked if isinstance(asked, int) else None,
                self._folder(job_id) / f"{name[:16]}-{_KEPT}",
            )
            groups = await diarizer.tell(request, report)
        script = told_apart(lines, groups, row.speakers)
        before = {line.id: line for line in lines}
        changed = [line for line in script.segments if line != before[line.id]]
        if changed:
            revision = await asyncio.to_thread(self._store.replace_segments, job_id, changed, script.speakers)
            self._hub.publish(SegmentsChanged(job_id, 0, revision, tuple(changed), (), script.speakers))
        return Done(SpeakersFound(len(set(groups) - {-1}), len(changed)))

    def tidy(self, job_id: str) -> None:
        for vectors in self._folder(job_id).glob(f"*-{_KEPT}"):
            vectors.unlink(missing_ok=True)

    def _folder(self, job_id: str) -> Path:
        return self._context.cache / job_id

    def _wanted(self, row: JobRow) -> tuple[Diarizer | None, list[list[Any]]]:
        """Who tells the lines apart, and their times; None where nobody is asked to, or the model is not here."""
        asked, diarizer = row.job.options.recognition.speakers, self._context.engines.diarizer
        spans = [[line.id, line.start_s, line.end_s] for line in self.lines(row) if _speaks(line)]
        if asked == "off" or diarizer is None or not spans or (asked == "auto" and not diarizer.here()):
            return None, []
        return diarizer, spans


def _speaks(line: Segment) -> bool:
    return not line.unspoken
