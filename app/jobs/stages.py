"""One stage of one job: skip it when its inputs have not changed, else run it, and record what it gave.

A stage's output and the hash of its inputs are written in one transaction after its blobs are on disk. Killed at any moment, the stage
runs again and finds what it had finished: spoken clips, recognised chunks, encoded chunks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog

from app.domain.errors import INTERNAL, JOB_NOT_FOUND, JOB_STATE, NO_SPEECH, DubError
from app.domain.events import Progress, SegmentsChanged, StateChanged
from app.domain.job import Job, JobError, JobState, Phase, Stage
from app.domain.media import Artifact, MediaInfo
from app.domain.segment import Clip, Placement, Segment
from app.dubbing import pipeline
from app.dubbing.kit import Kit, Report, fingerprint
from app.dubbing.synthesize import VoiceChoice, clip_files, requests_for, synthesize
from app.dubbing.transcribe import SUBTITLES, from_subtitles, transcribe
from app.jobs.pricing import choice_of, stage_costs
from app.jobs.progress import Hub, StageClock
from app.jobs.service import key_name
from app.speech.ports import Recognised
from app.storage.blobs import sha256_of
from app.storage.jobs import JobRow, JobStore
from app.storage.secrets import SecretStore

log = structlog.get_logger(__name__)

_RUNNING: Final = {Phase.PREPARE: JobState.PREPARING, Phase.RENDER: JobState.RENDERING}
_PUBLISH_EVERY_S: Final = 0.2
_PARTIAL: Final = "partial:"


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


class StageRunner:
    """The body of both workflows' steps. Knows nothing of the engine that calls it."""

    def __init__(self, *, store: JobStore, keys: SecretStore, kit: Kit, hub: Hub, discard: Callable[[list[str]], None]) -> None:
        self._store, self._keys, self._kit, self._hub, self._discard = store, keys, kit, hub, discard
        self._stages: dict[Stage, tuple[Callable[[JobRow], Any], Callable[[JobRow, str, Report], Awaitable[Done]]]] = {
            Stage.PROBE: (self._probe_inputs, self._probe),
            Stage.INGEST: (self._ingest_inputs, self._ingest),
            Stage.TRANSCRIBE: (self._transcribe_inputs, self._transcribe),
            Stage.SYNTHESIZE: (self._synthesize_inputs, self._synthesize),
            Stage.FIT: (self._fit_inputs, self._fit),
            Stage.MIX: (self._mix_inputs, self._mix),
            Stage.MUX: (self._mux_inputs, self._mux),
        }

    async def begin(self, job_id: str, phase_name: str, workflow_id: str) -> bool:
        """Queued becomes running. False when the job is no longer this workflow's: cancelled, deleted, queued anew."""
        phase = Phase(phase_name)
        try:
            row = await asyncio.to_thread(self._store.row, job_id)
            if row.job.state is _RUNNING[phase] and row.workflow_id == workflow_id:
                return True  # killed after this step's work and before its record
            job = await asyncio.to_thread(self._store.transition, job_id, _RUNNING[phase], only_from={JobState.QUEUED}, owner=workflow_id)
        except DubError as error:
            return _stopped(error)
        self._hub.publish(StateChanged(job_id, 0, job))
        return True

    async def run(self, job_id: str, stage_name: str, workflow_id: str) -> bool:
        """Run one stage to its end. False stops the workflow: the job failed (and says so), or is no longer this workflow's."""
        stage = Stage(stage_name)
        with structlog.contextvars.bound_contextvars(job_id=job_id, stage=stage_name):
            try:
                row = await asyncio.to_thread(self._store.row, job_id)
                if row.workflow_id != workflow_id or row.job.state is not _RUNNING[row.job.phase]:
                    return False
                await self._run(row, stage)
                return True
            except DubError as error:
                if error.problem.code == JOB_NOT_FOUND.code:
                    return False
                log.warning("stage failed", code=error.problem.code, detail=error.detail)
                failure = JobError(error.problem.code, error.message, error.problem.hint, stage)
            except Exception:  # the boundary of a job: whatever went wrong is told, logged, and stops this job only
                log.exception("stage crashed")
                failure = JobError(INTERNAL.code, INTERNAL.message, INTERNAL.hint, stage)
            return await self._fail(job_id, workflow_id, failure)

    async def finish(self, job_id: str, phase_name: str, workflow_id: str) -> bool:
        """The phase is done: review or completed. True when a render is to follow at once (the job wants no review)."""
        try:
            row = await asyncio.to_thread(self._store.row, job_id)
            if phase_name == Phase.PREPARE:
                if not row.job.options.review and row.job.state is JobState.PREPARING:
                    return True
                job = await asyncio.to_thread(
                    self._store.transition, job_id, JobState.REVIEW, owner=workflow_id, progress=1.0, stage=None, eta_s=None
                )
            else:
                fields: dict[str, Any] = {
                    "rendered_revision": row.job.revision,
                    "rendered_options": row.job.options,
                    "progress": 1.0,
                    "stage": None,
                    "eta_s": None,
                }
                job = await asyncio.to_thread(lambda: self._store.transition(job_id, JobState.COMPLETED, owner=workflow_id, **fields))
                await asyncio.to_thread(self._keys.delete, key_name(job_id))
        except DubError as error:
            return _stopped(error)
        self._hub.forget(job_id)
        self._hub.publish(StateChanged(job_id, 0, job))
        return False

    async def follow(self, job_id: str, workflow_id: str, next_workflow_id: str) -> bool:
        """Prepared, and no review wanted: queue the render under its own workflow."""
        fields: dict[str, Any] = {
            "phase": Phase.RENDER,
            "workflow_id": next_workflow_id,
            "stage": None,
            "stage_progress": 0.0,
            "progress": 0.0,
            "eta_s": None,
        }
        try:
            row = await asyncio.to_thread(self._store.row, job_id)
            if row.workflow_id == next_workflow_id:
                return True
            job = await asyncio.to_thread(
                lambda: self._store.transition(job_id, JobState.QUEUED, only_from={JobState.PREPARING}, owner=workflow_id, **fields)
            )
        except DubError as error:
            return _stopped(error)
        self._hub.forget(job_id)
        self._hub.publish(StateChanged(job_id, 0, job))
        return True

    # ---------------------------------------------------------------- one stage

    async def _run(self, row: JobRow, stage: Stage) -> None:
        inputs_of, work = self._stages[stage]
        job_id = row.job.id
        inputs = await asyncio.to_thread(inputs_of, row)
        name = fingerprint(stage, inputs)
        known = await asyncio.to_thread(self._store.stage, job_id, stage)
        if known is not None and known.fingerprint == name:
            return
        costs = await asyncio.to_thread(stage_costs, self._store, row.job.phase)
        clock = StageClock(row.job.phase, stage, row.job.media.duration_s if row.job.media else 0.0, costs)
        report = self._reporter(row.job, stage, clock)
        progress, eta_s = clock.overall(0.0), clock.eta_s(0.0)
        await asyncio.to_thread(self._store.progress, job_id, stage=stage, stage_progress=0.0, progress=progress, eta_s=eta_s)
        report(0.0, "")
        started = time.monotonic()
        done = await work(row, name, report)
        seconds = time.monotonic() - started
        if done.fields:
            await asyncio.to_thread(lambda: self._store.update(job_id, **done.fields))
        unneeded = await asyncio.to_thread(
            lambda: self._store.finish_stage(job_id, stage, name, done.output, seconds, keys=done.keys, artifacts=done.artifacts)
        )
        await asyncio.to_thread(self._discard, unneeded)
        log.info("stage done", seconds=round(seconds, 3))
        if done.fields or done.artifacts:
            self._hub.publish(StateChanged(job_id, 0, await asyncio.to_thread(self._store.get, job_id)))

    def _reporter(self, job: Job, stage: Stage, clock: StageClock) -> Report:
        last_s, last_message = 0.0, ""

        def report(fraction: float, message: str) -> None:
            nonlocal last_s, last_message
            now_s = time.monotonic()
            if now_s - last_s < _PUBLISH_EVERY_S and message == last_message and fraction < 1.0:
                return
            last_s, last_message = now_s, message
            fraction = min(max(fraction, 0.0), 1.0)
            self._hub.publish(Progress(job.id, 0, stage, fraction, clock.overall(fraction), clock.eta_s(fraction), message))

        return report

    async def _fail(self, job_id: str, workflow_id: str, failure: JobError) -> bool:
        try:
            job = await asyncio.to_thread(
                lambda: self._store.transition(job_id, JobState.FAILED, owner=workflow_id, error=failure, stage=failure.stage, eta_s=None)
            )
        except DubError as error:
            return _stopped(error)
        self._hub.forget(job_id)
        self._hub.publish(StateChanged(job_id, 0, job))
        return False

    def _output(self, job_id: str, stage: Stage, kind: Any) -> Any:
        found = self._store.stage(job_id, stage)
        if found is None:
            raise RuntimeError(f"{stage} has not run")
        return msgspec.convert(found.output, kind)

    # ---------------------------------------------------------------- prepare

    def _probe_inputs(self, row: JobRow) -> Any:
        return [row.source_key, row.job.options.audio_track]

    async def _probe(self, row: JobRow, name: str, report: Report) -> Done:
        source = self._kit.blobs.path(row.source_key)
        info = await pipeline.probe(self._kit, source, row.job.options, has_subtitles=row.subtitles_key is not None)
        digest = await asyncio.to_thread(sha256_of, source)
        artifact = pipeline.source_artifact(row.source_key, info, digest)
        return Done(digest, artifacts=(artifact,), fields={"media": info})

    def _ingest_inputs(self, row: JobRow) -> Any:
        return [self._output(row.job.id, Stage.PROBE, str), row.job.options.audio_track]

    async def _ingest(self, row: JobRow, name: str, report: Report) -> Done:
        info = _media(row.job)
        digest = await asyncio.to_thread(self._output, row.job.id, Stage.PROBE, str)
        sound = await pipeline.ingest(self._kit, self._kit.blobs.path(row.source_key), digest, info, row.job.options, report)
        artifacts = await asyncio.to_thread(pipeline.studio_artifacts, self._kit, sound)
        return Done(sound, keys=sound.keys(), artifacts=artifacts, fields={"media": msgspec.structs.replace(info, duration_s=sound.duration_s)})

    def _transcribe_inputs(self, row: JobRow) -> Any:
        options = row.job.options
        speech = self._output(row.job.id, Stage.INGEST, pipeline.Sound).speech
        return [speech, options.recognizer, options.model, options.language, options.task, row.subtitles_key]

    async def _transcribe(self, row: JobRow, name: str, report: Report) -> Done:
        job, job_id = row.job, row.job.id
        sound: pipeline.Sound = await asyncio.to_thread(self._output, job_id, Stage.INGEST, pipeline.Sound)
        known = await asyncio.to_thread(self._store.stage, job_id, Stage.TRANSCRIBE)
        partial = _PARTIAL + name[: 64 - len(_PARTIAL)]
        at = Transcribed(None, 0.0)
        if known is not None and known.fingerprint == partial:
            at = msgspec.convert(known.output, Transcribed)
        else:
            revision, gone = await asyncio.to_thread(self._store.clear_segments, job_id)
            self._hub.publish(SegmentsChanged(job_id, 0, revision, (), gone))
        if job.options.recognizer == SUBTITLES and row.subtitles_key:
            lines = from_subtitles(await asyncio.to_thread(self._kit.blobs.read, row.subtitles_key), sound.duration_s)
            await self._keep_chunk(job_id, partial, Recognised(lines, job.options.language or "", sound.duration_s))
            return Done(Transcribed(job.options.language, sound.duration_s), fields={"language": job.options.language})
        chunks: asyncio.Queue[Recognised | None] = asyncio.Queue()

        async def keep_all() -> None:
            while (chunk := await chunks.get()) is not None:
                await self._keep_chunk(job_id, partial, chunk)

        keeper = asyncio.create_task(keep_all())
        try:
            language = await transcribe(
                self._kit, self._kit.blobs.path(sound.speech), job.options, sound.duration_s, language=at.language, resume_at_s=at.done_s,
                on_chunk=chunks.put_nowait, report=report,
            )  # fmt: skip
        finally:
            chunks.put_nowait(None)
            await keeper
        if not (await asyncio.to_thread(self._store.segments, job_id))[1]:
            raise DubError(NO_SPEECH)
        return Done(Transcribed(language, sound.duration_s), fields={"language": language})

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
        choice = choice_of(row.job, None)
        voice, voice_id = self._kit.engines.voice(choice.voice)
        return [[segment.id, voice.name, voice.fingerprint(request)] for segment, request in requests_for(self._lines(row.job.id), choice, voice_id)]

    async def _synthesize(self, row: JobRow, name: str, report: Report) -> Done:
        lines = await asyncio.to_thread(self._lines, row.job.id)
        choice: VoiceChoice = choice_of(row.job, await asyncio.to_thread(self._keys.get, key_name(row.job.id)))
        clips = await synthesize(self._kit, lines, choice, on_clip=lambda clip: None, report=report)
        return Done(clips, keys=tuple(file for clip in clips for file in clip_files(clip.key)))

    def _fit_inputs(self, row: JobRow) -> Any:
        lines = [[s.id, s.start_s, s.end_s, s.speaker] for s in self._lines(row.job.id)]
        return [lines, self._clips(row), row.job.options.speed, _media(row.job).duration_s]

    async def _fit(self, row: JobRow, name: str, report: Report) -> Done:
        lines, clips = await asyncio.to_thread(lambda: (self._lines(row.job.id), self._clips(row)))
        return Done(await pipeline.fit(self._kit, lines, clips, row.job.options, _media(row.job).duration_s))

    def _mix_inputs(self, row: JobRow) -> Any:
        options = row.job.options
        kept = pipeline.kept_spans(self._lines(row.job.id))
        return [self._output(row.job.id, Stage.PROBE, str), self._clips(row), self._placements(row), kept, options.background, options.audio_track]

    async def _mix(self, row: JobRow, name: str, report: Report) -> Done:
        lines, clips = await asyncio.to_thread(lambda: (self._lines(row.job.id), self._clips(row)))
        placements, sound = await asyncio.to_thread(lambda: (self._placements(row), self._sound(row)))
        source, cache = self._kit.blobs.path(row.source_key), self._kit.cache / row.job.id
        mixed = await pipeline.mix(self._kit, source, _media(row.job), sound, lines, clips, placements, row.job.options, cache, report)
        return Done(mixed, artifacts=(mixed.track,))

    def _mux_inputs(self, row: JobRow) -> Any:
        options = row.job.options
        cues = pipeline.cues_for(self._lines(row.job.id), self._placements(row))
        track = self._output(row.job.id, Stage.MIX, pipeline.Mixed).track.sha256
        return [track, cues, options.keep_original_track, options.burn_subtitles, options.task, options.language, row.job.language]

    async def _mux(self, row: JobRow, name: str, report: Report) -> Done:
        lines, placements, sound = await asyncio.to_thread(lambda: (self._lines(row.job.id), self._placements(row), self._sound(row)))
        mixed: pipeline.Mixed = await asyncio.to_thread(self._output, row.job.id, Stage.MIX, pipeline.Mixed)
        source, track = self._kit.blobs.path(row.source_key), self._kit.blobs.path(mixed.track.key)
        cues = pipeline.cues_for(lines, placements)
        made = await pipeline.mux(self._kit, source, _media(row.job), sound, track, cues, row.job.options, row.job.language, report)
        return Done([artifact.kind for artifact in made], artifacts=made)

    def _clips(self, row: JobRow) -> tuple[Clip, ...]:
        found: tuple[Clip, ...] = self._output(row.job.id, Stage.SYNTHESIZE, tuple[Clip, ...])
        return found

    def _placements(self, row: JobRow) -> tuple[Placement, ...]:
        found: tuple[Placement, ...] = self._output(row.job.id, Stage.FIT, tuple[Placement, ...])
        return found

    def _sound(self, row: JobRow) -> pipeline.Sound:
        found: pipeline.Sound = self._output(row.job.id, Stage.INGEST, pipeline.Sound)
        return found


def _media(job: Job) -> MediaInfo:
    if job.media is None:
        raise RuntimeError("the job has not been probed")
    return job.media


def _stopped(error: DubError) -> bool:
    """False: the job is no longer this workflow's. Anything else is a real error."""
    if error.problem.code not in (JOB_NOT_FOUND.code, JOB_STATE.code):
        raise error
    return False
