"""The stages of preparation: read the file, decode its sound, recognise what is said."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from app.domain import stages
from app.domain.events import SegmentsChanged
from app.domain.glossary import hotwords
from app.domain.segment import Segment
from app.domain.speaker import introduced
from app.domain.stage_outputs import Sound, Transcribed
from app.dubbing import audio_tracks, pipeline
from app.dubbing.artifacts import source_artifact, studio_artifacts
from app.dubbing.context import Report
from app.dubbing.separation.stage import prepare, worth_it
from app.dubbing.transcribe import SUBTITLES, from_subtitles, no_speech, transcribe
from app.jobs.ahead import ahead
from app.jobs.stages import Done, StageBody, body_of, media_of
from app.speech.ports import Recognised
from app.storage.blobs import bytes_of
from app.storage.job_row import PARTIAL, JobRow

_HASHED: Final = "source.sha256"  # in the job's cache: how far its file has been hashed


@body_of(stages.PROBE)
class Probe(StageBody):
    def inputs(self, row: JobRow) -> Any:
        options = row.job.options
        return [
            row.source_key,
            options.recognition.audio_track,
            *([options.recognition.language] if options.recognition.audio_track is None else []),
        ]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        async with self.local(row.source_key) as (source,):
            info = await pipeline.probe(
                self._context, source, row.job.options, has_subtitles=row.subtitles_key is not None
            )
            digest = await asyncio.to_thread(self._digest, source, self._context.cache / row.job.id / _HASHED)
        if worth_it(info, row.job.options):
            engines, has_stem = self._context.engines, row.stem_key is not None
            keys = await asyncio.to_thread(self._keys.job_keys, row.job.id)
            await prepare(engines, row.job.options, lambda message: report(0.0, message), has_stem=has_stem, keys=keys)
        artifact = source_artifact(row.source_key, info, digest)
        return Done(digest, artifacts=(artifact,), fields={"media": info})

    def tidy(self, job_id: str) -> None:
        (self._context.cache / job_id / _HASHED).unlink(missing_ok=True)


@body_of(stages.INGEST)
class Ingest(StageBody):
    def inputs(self, row: JobRow) -> Any:
        return [self.source_id(row), audio_tracks.heard(media_of(row.job), row.job.options)]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        info = media_of(row.job)
        digest = await asyncio.to_thread(self.source_id, row)
        async with self.local(row.source_key) as (source,):
            sound = await pipeline.ingest(
                self._context, source, digest, info, row.job.options, report, cache=self._context.cache / row.job.id
            )
        artifacts = await asyncio.to_thread(studio_artifacts, self._context, sound.peaks, sound.thumbnail)
        return Done(sound, keys=sound.keys(), artifacts=artifacts, fields={"media": pipeline.after_ingest(info, sound)})

    def tidy(self, job_id: str) -> None:
        pipeline.forget_ingested(self._context.cache / job_id)


@body_of(stages.TRANSCRIBE)
class Transcribe(StageBody):
    """Lines are kept as they come, with a partial output beside them that says how far they go."""

    def inputs(self, row: JobRow) -> Any:
        options = row.job.options
        parts = [
            options.recognition.speak_sounds,
            *(
                [options.recognition.join_short_cues, options.recognition.subtitle_encoding]
                if row.subtitles_key
                else []
            ),
        ]
        return [
            self.sound(row).speech,
            options.recognition.recognizer,
            options.recognition.model,
            options.recognition.language,
            options.recognition.task,
            row.subtitles_key,
            parts,
            *([told] if (told := hotwords(options.glossary.terms)) else []),
        ]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        job, job_id = row.job, row.job.id
        sound: Sound = await asyncio.to_thread(self.sound, row)
        known = await asyncio.to_thread(self._store.stage, job_id, self.stage.name)
        partial = PARTIAL + name[: 64 - len(PARTIAL)]
        at = Transcribed(None, 0.0)
        if known is not None and known.fingerprint == partial:
            at = msgspec.convert(known.output, Transcribed)
        else:
            revision, gone = await asyncio.to_thread(self._store.clear_segments, job_id)
            self._hub.publish(SegmentsChanged(job_id, 0, revision, (), gone))
        if job.options.recognition.recognizer == SUBTITLES and row.subtitles_key:
            file = await asyncio.to_thread(bytes_of, self._context.blobs, row.subtitles_key)
            lines = await asyncio.to_thread(from_subtitles, file, sound.duration_s, job.options)
            if not at.done_s:  # else they were kept by a run that was killed before it could say so
                await self._keep_chunk(
                    job_id,
                    partial,
                    Recognised(lines.segments, job.options.recognition.language or "", sound.duration_s),
                )
            fields = {
                "language": job.options.recognition.language,
                "language_certainty": None,
                "joined": lines.joined,
                "subtitles": lines.subtitles,
            }
            return Done(Transcribed(job.options.recognition.language, sound.duration_s), fields=fields)
        chunks: asyncio.Queue[Recognised | None] = asyncio.Queue()
        certainty = at.language_certainty
        keys = await asyncio.to_thread(self._keys.job_keys, job_id)

        async def keep_all() -> None:
            nonlocal certainty
            while (chunk := await chunks.get()) is not None:
                certainty = chunk.certainty if chunk.certainty is not None else certainty
                kept = await self._keep_chunk(job_id, partial, msgspec.structs.replace(chunk, certainty=certainty))
                await working.recognised(kept, chunk.language)

        async with ahead(self._context, self._store, self._keys, row) as working:
            if at.done_s:
                await working.recognised(await asyncio.to_thread(self.lines, row), at.language)
            keeper = asyncio.create_task(keep_all())
            try:
                async with self.local(sound.speech) as (speech,):
                    language = await transcribe(
                        self._context,
                        speech,
                        job.options,
                        sound.duration_s,
                        language=at.language,
                        resume_at_s=at.done_s,
                        on_chunk=chunks.put_nowait,
                        report=report,
                        info=media_of(job),
                        keys=keys,
                    )
            finally:
                chunks.put_nowait(None)
                await keeper
        if not (await asyncio.to_thread(self._store.segments, job_id))[1]:
            raise no_speech(media_of(job), job.options)
        found = {"language": language, "language_certainty": certainty, "joined": None, "subtitles": None}
        return Done(Transcribed(language, sound.duration_s, certainty), fields=found)

    async def _keep_chunk(self, job_id: str, partial: str, chunk: Recognised) -> tuple[Segment, ...]:
        """The lines as they are kept."""
        output = Transcribed(chunk.language or None, chunk.done_s, chunk.certainty)
        before = (await asyncio.to_thread(self._store.row, job_id)).speakers
        found = introduced(chunk.segments, before, strict=False)
        speakers = found.speakers if found.speakers != before else None
        revision = await asyncio.to_thread(
            lambda: self._store.append_segments(
                job_id,
                found.segments,
                stage=self.stage.name,
                fingerprint=partial,
                output=output,
                speakers=speakers,
            )
        )
        self._hub.publish(SegmentsChanged(job_id, 0, revision, found.segments, (), speakers))
        return found.segments
