"""What a job without review does ahead of its stages: see `app.dubbing.ahead`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import msgspec

from app.domain.errors import DubError
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.segment import Clip, Segment
from app.dubbing.ahead import SpeakAhead, TranslateAhead
from app.dubbing.casting import VoiceChoice
from app.dubbing.context import Context
from app.dubbing.pipeline import written_language
from app.dubbing.synthesize import clip_files
from app.dubbing.translate import TranslationChoice, same_language, wishes
from app.jobs.options import choice_of
from app.jobs.stages import JobKeys, WorkStore, media_of
from app.storage.job_row import JobRow


class Ahead:
    """Of one run of one stage: it is handed lines as they become final. `language` is that of the recording."""

    def __init__(self, context: Context, store: WorkStore, keys: JobKeys, row: JobRow) -> None:
        self._context, self._store, self._keys, self._row = context, store, keys, row
        self._translate: TranslateAhead | None = None
        self._speak: SpeakAhead | None = None
        self._language: str | None = None
        self._on = context.ahead and not row.job.options.recognition.review

    async def recognised(self, lines: Sequence[Segment], language: str | None) -> None:
        """The next lines that recognition has finished, in order."""
        options = self._row.job.options
        if not self._on or not lines:
            return
        if self._language is None:
            self._language = options.recognition.language or language or None
            if self._language is None:  # nothing is known of the language yet, and a request would name another one
                self._on = False
                return
            await self._begin(self._language)
        if self._translate is not None:
            self._translate.take(lines)
        elif self._speak is not None:
            self._speak.take(lines)

    async def translated(self, lines: Sequence[Segment]) -> None:
        """The next lines with their translations, in order."""
        if not self._on:
            return
        if self._speak is None:
            self._speak = self._speaking(self._row.job.language)
        self._speak.take(lines)

    async def finish(self) -> None:
        """What is on its way comes back; nothing more is begun."""
        for worker in (self._translate, self._speak):
            if worker is not None:
                await worker.finish()

    async def cancel(self) -> None:
        for worker in (self._translate, self._speak):
            if worker is not None:
                await worker.cancel()

    async def _begin(self, language: str) -> None:
        options, asked = self._row.job.options, self._row.job.options.translation
        source = written_language(options, language)
        self._speak = self._speaking(language)
        if not asked.translator or asked.target_language is None or same_language(source, asked.target_language):
            return
        keys = await asyncio.to_thread(self._keys.job_keys, self._row.whole_id)
        choice = TranslationChoice(
            source, asked.target_language, options.voices.speed, keys.of(asked.translator), wishes(options)
        )
        cache = self._context.cache / self._row.job.id / "translations"
        translator = self._context.engines.translator(asked.translator)
        voices = await asyncio.to_thread(self._voices, language)
        self._translate = TranslateAhead(self._context, translator, choice, voices, cache, self._speak)

    def _speaking(self, language: str | None) -> SpeakAhead:
        async def choice() -> VoiceChoice:
            return await asyncio.to_thread(self._voices, language)

        return SpeakAhead(self._context, choice, self._kept, media_of(self._row.job).duration_s)

    def _voices(self, language: str | None) -> VoiceChoice:
        job = msgspec.structs.replace(self._row.job, language=language)
        return choice_of(job, self._row.speakers, self._keys.job_keys(self._row.whole_id), self._context.engines)

    async def _kept(self, clips: Sequence[Clip]) -> None:
        """What has been spoken is the job's, whatever becomes of the stage."""
        try:
            keys = [file for clip in clips for file in clip_files(clip.key)]
            await asyncio.to_thread(self._store.refer, self._row.job.id, keys)
        except DubError as error:
            if error.problem is not JOB_NOT_FOUND:  # deleted meanwhile: its clips are nobody's
                raise


@contextlib.asynccontextmanager
async def ahead(context: Context, store: WorkStore, keys: JobKeys, row: JobRow) -> AsyncIterator[Ahead]:
    """Around a stage: at its end, what is on its way comes back; where it fails or is cancelled, all stops."""
    working = Ahead(context, store, keys, row)
    try:
        yield working
    except BaseException:
        await working.cancel()
        raise
    await working.finish()
