"""What each stage does for a job: which inputs decide its output, and the work itself, from the job's rows and blobs to a `Done`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy.exc import IntegrityError

from app.domain.events import SegmentsChanged
from app.domain.job import Job, Stage, effective
from app.domain.media import Artifact, MediaInfo
from app.domain.secret_names import NO_KEYS
from app.domain.segment import Clip, Placement, Segment
from app.dubbing import audio_tracks, pipeline
from app.dubbing.artifacts import source_artifact, studio_artifacts
from app.dubbing.context import Kit, Report
from app.dubbing.finish import finish
from app.dubbing.report import keep_report, report_of
from app.dubbing.synthesize import VoiceChoice, clip_files, requests_for, synthesize
from app.dubbing.transcribe import SUBTITLES, from_subtitles, no_speech, transcribe
from app.dubbing.video.burn_pieces import forget_burned
from app.dubbing.video.mux_kept import forget_muxed
from app.jobs.pricing import choice_of
from app.jobs.progress import Hub
from app.speech.ports import Recognised
from app.storage.hashing import sha256_in_steps
from app.storage.jobs import PARTIAL, JobStore
from app.storage.rows import JobRow
from app.storage.secrets import SecretStore

# What decides a stage's output, by name, of the options that matter at all (`effective`); the mix has `track_codec` besides.
_MIX_OPTIONS: Final = (
    "background", "audio_track", "duck_db", "duck_attack_s", "duck_hold_s", "duck_release_s", "keep_db", "loudness_lufs", "audio_format",
)  # fmt: skip
_MUX_OPTIONS: Final = (
    "keep_original_track", "burn_subtitles", "burn_size", "burn_position", "burn_box", "hardware_encoder", "container", "task", "language",
    "target_language", "recognizer", "audio_track", "loudness_lufs",
)  # fmt: skip

_HASHED: Final = "source.sha256"  # in the job's cache: how far its file has been hashed


class Done(msgspec.Struct, frozen=True):
    """What a stage gave: its output (JSON-able), the blobs it needs kept, the files it hands out, columns of the job it sets."""

    output: Any
    keys: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    fields: dict[str, Any] = {}


class Transcribed(msgspec.Struct, frozen=True):
    """Output of the transcribe stage; while it is partial, how far it is."""

    language: str | None
    done_s: float


class StageWork:
    """The seven stages. `inputs` blocks; `work` is a task that can be cancelled."""

    def __init__(self, *, store: JobStore, keys: SecretStore, kit: Kit, hub: Hub) -> None:
        self._store, self._keys, self._kit, self._hub = store, keys, kit, hub
        self._stages: dict[Stage, tuple[Callable[[JobRow], Any], Callable[[JobRow, str, Report], Awaitable[Done]]]] = {
            Stage.PROBE: (self._probe_inputs, self._probe),
            Stage.INGEST: (self._ingest_inputs, self._ingest),
            Stage.TRANSCRIBE: (self._transcribe_inputs, self._transcribe),
            Stage.SYNTHESIZE: (self._synthesize_inputs, self._synthesize),
            Stage.FIT: (self._fit_inputs, self._fit),
            Stage.MIX: (self._mix_inputs, self._mix),
            Stage.MUX: (self._mux_inputs, self._mux),
        }

    def inputs(self, stage: Stage, row: JobRow) -> Any:
        """Everything that decides the stage's output, as JSON-able values."""
        return self._stages[stage][0](row)

    async def work(self, stage: Stage, row: JobRow, name: str, report: Report) -> Done:
        """Do it. `name` is the fingerprint of the inputs. Raises catalogue errors."""
        return await self._stages[stage][1](row, name, report)

    def tidy(self, stage: Stage, job_id: str) -> None:
        """The stage's output is recorded: what was kept on the way to it has served."""
        if stage is Stage.PROBE:
            (self._kit.cache / job_id / _HASHED).unlink(missing_ok=True)
        if stage is Stage.INGEST:
            pipeline.forget_ingested(self._kit.cache / job_id)
        if stage is Stage.MUX:
            forget_burned(self._kit.cache / job_id)
            forget_muxed(self._kit.cache / job_id)

    def _output(self, job_id: str, stage: Stage, kind: Any) -> Any:
        found = self._store.stage(job_id, stage)
        if found is None:
            raise RuntimeError(f"{stage} has not run")
        return msgspec.convert(found.output, kind)

    # ---------------------------------------------------------------- prepare

    def _probe_inputs(self, row: JobRow) -> Any:
        options = row.job.options
        return [row.source_key, options.audio_track, *([options.language] if options.audio_track is None else [])]

    async def _probe(self, row: JobRow, name: str, report: Report) -> Done:
        source = self._kit.blobs.path(row.source_key)
        info = await pipeline.probe(self._kit, source, row.job.options, has_subtitles=row.subtitles_key is not None)
        digest = await asyncio.to_thread(sha256_in_steps, source, self._kit.cache / row.job.id / _HASHED)
        artifact = source_artifact(row.source_key, info, digest)
        return Done(digest, artifacts=(artifact,), fields={"media": info})

    def _ingest_inputs(self, row: JobRow) -> Any:
        return [self._output(row.job.id, Stage.PROBE, str), audio_tracks.heard(_media(row.job), row.job.options)]

    async def _ingest(self, row: JobRow, name: str, report: Report) -> Done:
        info = _media(row.job)
        digest = await asyncio.to_thread(self._output, row.job.id, Stage.PROBE, str)
        sound = await pipeline.ingest(
            self._kit, self._kit.blobs.path(row.source_key), digest, info, row.job.options, report, cache=self._kit.cache / row.job.id
        )
        artifacts = await asyncio.to_thread(studio_artifacts, self._kit, sound.peaks, sound.thumbnail)
        return Done(sound, keys=sound.keys(), artifacts=artifacts, fields={"media": pipeline.after_ingest(info, sound)})

    def _transcribe_inputs(self, row: JobRow) -> Any:
        options = row.job.options
        speech = self._output(row.job.id, Stage.INGEST, pipeline.Sound).speech
        told_apart = [options.speak_sounds, *([options.join_short_cues, options.subtitle_encoding] if row.subtitles_key else [])]
        return [speech, options.recognizer, options.model, options.language, options.task, row.subtitles_key, told_apart]

    async def _transcribe(self, row: JobRow, name: str, report: Report) -> Done:
        job, job_id = row.job, row.job.id
        sound: pipeline.Sound = await asyncio.to_thread(self._output, job_id, Stage.INGEST, pipeline.Sound)
        known = await asyncio.to_thread(self._store.stage, job_id, Stage.TRANSCRIBE)
        partial = PARTIAL + name[: 64 - len(PARTIAL)]
        at = Transcribed(None, 0.0)
        if known is not None and known.fingerprint == partial:
            at = msgspec.convert(known.output, Transcribed)
        else:
            revision, gone = await asyncio.to_thread(self._store.clear_segments, job_id)
            self._hub.publish(SegmentsChanged(job_id, 0, revision, (), gone))
        if job.options.recognizer == SUBTITLES and row.subtitles_key:
            brought = await asyncio.to_thread(self._kit.blobs.read, row.subtitles_key)
            lines = await asyncio.to_thread(from_subtitles, brought, sound.duration_s, job.options)
            if not at.done_s:  # else they were kept by a run that was killed before it could say so
                await self._keep_chunk(job_id, partial, Recognised(lines.segments, job.options.language or "", sound.duration_s))
            fields = {"language": job.options.language, "joined": lines.joined, "subtitles": lines.subtitles}
            return Done(Transcribed(job.options.language, sound.duration_s), fields=fields)
        chunks: asyncio.Queue[Recognised | None] = asyncio.Queue()

        async def keep_all() -> None:
            while (chunk := await chunks.get()) is not None:
                await self._keep_chunk(job_id, partial, chunk)

        keeper = asyncio.create_task(keep_all())
        try:
            language = await transcribe(
                self._kit, self._kit.blobs.path(sound.speech), job.options, sound.duration_s, language=at.language, resume_at_s=at.done_s,
                on_chunk=chunks.put_nowait, report=report, info=_media(job),
            )  # fmt: skip
        finally:
            chunks.put_nowait(None)
            await keeper
        if not (await asyncio.to_thread(self._store.segments, job_id))[1]:
            raise no_speech(_media(job), job.options)
        return Done(Transcribed(language, sound.duration_s), fields={"language": language, "joined": None, "subtitles": None})

    async def _keep_chunk(self, job_id: str, partial: str, chunk: Recognised) -> None:
        output = Transcribed(chunk.language or None, chunk.done_s)
        revision = await asyncio.to_thread(
            lambda: self._store.append_segments(job_id, chunk.segments, stage=Stage.TRANSCRIBE, fingerprint=partial, output=output)
        )
        self._hub.publish(SegmentsChanged(job_id, 0, revision, chunk.segments, ()))

    # ---------------------------------------------------------------- render

    def _lines(self, job_id: str) -> tuple[Segment, ...]:
        return self._store.segments(job_id)[1]

    def _synthesize_inputs(self, row: JobRow) -> Any:
        choice = choice_of(row.job, NO_KEYS)
        voice, voice_id = self._kit.engines.voice(choice.voice)
        return [[segment.id, voice.name, voice.fingerprint(request)] for segment, request in requests_for(self._lines(row.job.id), choice, voice_id)]

    async def _synthesize(self, row: JobRow, name: str, report: Report) -> Done:
        lines = await asyncio.to_thread(self._lines, row.job.id)
        choice: VoiceChoice = choice_of(row.job, await asyncio.to_thread(self._keys.job_keys, row.job.id))
        spoken: list[Clip] = []
        try:
            clips = await synthesize(self._kit, lines, choice, on_clip=spoken.append, report=report)
        except BaseException:  # what has been paid for is the job's, whatever ended this: a retry finds it
            await asyncio.shield(asyncio.to_thread(self._keep_spoken, row.job.id, spoken))
            raise
        return Done(clips, keys=tuple(file for clip in clips for file in clip_files(clip.key)))

    def _keep_spoken(self, job_id: str, spoken: Sequence[Clip]) -> None:
        with contextlib.suppress(IntegrityError):  # the job was deleted meanwhile, and its clips are nobody's
            self._store.refer(job_id, [file for clip in spoken for file in clip_files(clip.key)])

    def _fit_inputs(self, row: JobRow) -> Any:
        lines = [[s.id, s.start_s, s.end_s, s.speaker, s.start_locked, s.locked_rate] for s in self._lines(row.job.id)]
        return [lines, self._clips(row), row.job.options.speed, _media(row.job).duration_s]

    async def _fit(self, row: JobRow, name: str, report: Report) -> Done:
        lines, clips = await asyncio.to_thread(lambda: (self._lines(row.job.id), self._clips(row)))
        return Done(await pipeline.fit(self._kit, lines, clips, row.job.options, _media(row.job).duration_s))

    def _mix_inputs(self, row: JobRow) -> Any:
        kept = pipeline.kept_spans(self._lines(row.job.id))
        chosen = [*_chosen(row.job, _MIX_OPTIONS), pipeline.track_codec(row.job.options)]
        return [self._output(row.job.id, Stage.PROBE, str), row.stem_key, self._clips(row), self._placements(row), kept, chosen, pipeline.MIXING]

    async def _mix(self, row: JobRow, name: str, report: Report) -> Done:
        lines, clips = await asyncio.to_thread(lambda: (self._lines(row.job.id), self._clips(row)))
        placements, sound = await asyncio.to_thread(lambda: (self._placements(row), self._sound(row)))
        source, cache = self._kit.blobs.path(row.source_key), self._kit.cache / row.job.id
        source_id = await asyncio.to_thread(self._output, row.job.id, Stage.PROBE, str)
        mixed = await pipeline.mix(
            self._kit, source, source_id, _media(row.job), sound, lines, clips, placements, row.job.options, cache, report,
            stem=self._kit.blobs.path(row.stem_key) if row.stem_key else None, stem_id=row.stem_key or "",
        )  # fmt: skip
        return Done(mixed, artifacts=tuple({artifact.kind: artifact for artifact in (mixed.track, mixed.audio)}.values()))

    def _mux_inputs(self, row: JobRow) -> Any:
        mixed = self._output(row.job.id, Stage.MIX, pipeline.Mixed)
        measured = [mixed.track.sha256, mixed.loudness_lufs, mixed.true_peak_db]
        lines = [msgspec.structs.replace(line, start_locked=False, locked_rate=None) for line in self._lines(row.job.id)]  # the fit's matter
        return [measured, lines, self._placements(row), _chosen(row.job, _MUX_OPTIONS), row.job.language]

    async def _mux(self, row: JobRow, name: str, report: Report) -> Done:
        lines, placements, sound = await asyncio.to_thread(lambda: (self._lines(row.job.id), self._placements(row), self._sound(row)))
        mixed: pipeline.Mixed = await asyncio.to_thread(self._output, row.job.id, Stage.MIX, pipeline.Mixed)
        source, track = self._kit.blobs.path(row.source_key), self._kit.blobs.path(mixed.track.key)
        made = await finish(
            self._kit, source, _media(row.job), sound, track, lines, placements, row.job.options, row.job.language, report,
            cache=self._kit.cache / row.job.id, source_id=await asyncio.to_thread(self._output, row.job.id, Stage.PROBE, str), name=name,
        )  # fmt: skip
        result = report_of(lines, placements, mixed, made, row.job.options, sound.duration_s, row.job.joined, row.job.subtitles)
        return Done(made, artifacts=(*made.artifacts, await keep_report(self._kit, result)))

    def _clips(self, row: JobRow) -> tuple[Clip, ...]:
        found: tuple[Clip, ...] = self._output(row.job.id, Stage.SYNTHESIZE, tuple[Clip, ...])
        return found

    def _placements(self, row: JobRow) -> tuple[Placement, ...]:
        found: tuple[Placement, ...] = self._output(row.job.id, Stage.FIT, tuple[Placement, ...])
        return found

    def _sound(self, row: JobRow) -> pipeline.Sound:
        found: pipeline.Sound = self._output(row.job.id, Stage.INGEST, pipeline.Sound)
        return found


def _chosen(job: Job, names: Sequence[str]) -> list[Any]:
    options = msgspec.structs.replace(effective(job.options), audio_track=audio_tracks.heard(_media(job), job.options))
    return [getattr(options, name) for name in names]


def _media(job: Job) -> MediaInfo:
    if job.media is None:
        raise RuntimeError("the job has not been probed")
    return job.media
