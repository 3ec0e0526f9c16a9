"""The stage that takes the old voice out of the original, where that is wished."""

from __future__ import annotations

import asyncio
from typing import Any

from app.domain import stages
from app.domain.stage_outputs import Separated
from app.dubbing import audio_tracks
from app.dubbing.context import Report
from app.dubbing.separation import stage as separation
from app.jobs.stages import Done, StageBody, body_of, media_of
from app.speech.ports import SeparationEngine
from app.storage.job_row import JobRow


@body_of(stages.SEPARATE)
class Separate(StageBody):
    def inputs(self, row: JobRow) -> Any:
        engine = self._engine(row)
        if engine is None:
            return []
        track = audio_tracks.heard(media_of(row.job), row.job.options)
        return [separation.key_of(self.source_id(row), track, engine), self.sound(row).duration_s]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        engine = await asyncio.to_thread(self._engine, row)
        if engine is None:
            return Done(Separated(None), idle=True)
        sound, source_id, keys = await asyncio.to_thread(
            lambda: (self.sound(row), self.source_id(row), self._keys.job_keys(row.job.id))
        )
        async with self.local(row.source_key) as (source,):
            key = await separation.separate(
                self._context,
                engine,
                source,
                source_id,
                media_of(row.job),
                sound.duration_s,
                row.job.options,
                self._context.cache / row.job.id,
                report,
                keys,
            )
        return Done(Separated(key), keys=(key,))

    def _engine(self, row: JobRow) -> SeparationEngine | None:
        """Blocks."""
        if not separation.worth_it(media_of(row.job), row.job.options):
            return None
        return separation.chosen(self._context.engines, row.job.options, has_stem=row.stem_key is not None)

    def tidy(self, job_id: str) -> None:
        separation.forget_separated(self._context.cache / job_id)
