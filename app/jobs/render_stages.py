"""The stages of a render: speak the lines, place them, mix them with the original, write the files."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from app.domain import stages
from app.domain.dub_options import changed, effective, spoken_in
from app.domain.errors import DubError
from app.domain.job import Job
from app.domain.media import ArtifactKind
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.secret_names import NO_KEYS
from app.domain.segment import Clip, Placement, Segment
from app.domain.stage_outputs import Finished, Mixed, Sound
from app.domain.stages import Stage
from app.dubbing import audio_tracks, pipeline
from app.dubbing.casting import VoiceChoice, spoken_lines
from app.dubbing.context import Report, fingerprint
from app.dubbing.finish import FurtherDub, finish, finish_language
from app.dubbing.pace import spoken_to_fit
from app.dubbing.report import keep_report, report_of
from app.dubbing.synthesize import clip_files
from app.dubbing.video.burn_pieces import forget_burned
from app.dubbing.video.mux_cache import forget_muxed
from app.dubbing.voice_ready import ready
from app.jobs.options import choice_of
from app.jobs.shortening import shorten_hurried, shortens
from app.jobs.stages import Done, StageBody, body_of, media_of
from app.storage.job_row import JobRow


@body_of(stages.SYNTHESIZE)
class Synthesize(StageBody):
    def inputs(self, row: JobRow) -> Any:
        choice = choice_of(row.job, row.speakers, NO_KEYS, self._context.engines)
        lines = []
        for each in spoken_lines(self.lines(row), choice, self._context.engines):
            line = each.line  # how much time there is decides how fast it is spoken
            times = [line.start_s, line.end_s, line.speaker, line.start_locked, line.locked_rate]
            lines.append([line.id, each.voice.name, each.voice.fingerprint(each.request), *times])
        return [lines, media_of(row.job).duration_s, *(["shorten"] if shortens(row) else [])]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        lines = await asyncio.to_thread(self.lines, row)
        choice: VoiceChoice = await asyncio.to_thread(
            lambda: choice_of(row.job, row.speakers, self._keys.job_keys(row.whole_id), self._context.engines)
        )
        wanted, spoken = choice.voice, list[Clip]()
        choice = await ready(self._context, choice, report)
        rewritten = False
        try:
            duration_s = media_of(row.job).duration_s
            clips = await spoken_to_fit(self._context, lines, choice, duration_s, on_clip=spoken.append, report=report)
            if shortens(row):
                rewritten = await shorten_hurried(
                    self._context, self._store, self._hub, row, choice.keys, lines, clips, choice, report
                )
            if rewritten:
                lines = await asyncio.to_thread(self.lines, row)
                clips = await spoken_to_fit(
                    self._context, lines, choice, duration_s, on_clip=spoken.append, report=report
                )
        except BaseException:  # what has been paid for is the job's, whatever ended this: a retry finds it
            await asyncio.shield(asyncio.to_thread(self._keep_spoken, row.job.id, spoken))
            raise
        other = ""
        if choice.voice != wanted or rewritten:
            other = fingerprint(self.stage.name, await asyncio.to_thread(self.inputs, row))
        return Done(
            clips,
            # the other takes, too: after an edit they are not spoken again
            keys=tuple(dict.fromkeys(file for clip in (*clips, *spoken) for file in clip_files(clip.key))),
            fields={"voice_chosen": choice.chosen},
            name=other,
        )

    def _keep_spoken(self, job_id: str, spoken: Sequence[Clip]) -> None:
        try:
            self._store.refer(job_id, [file for clip in spoken for file in clip_files(clip.key)])
        except DubError as error:
            if error.problem is not JOB_NOT_FOUND:  # deleted meanwhile: its clips are nobody's
                raise


@body_of(stages.FIT)
class Fit(StageBody):
    def inputs(self, row: JobRow) -> Any:
        lines = [[s.id, s.start_s, s.end_s, s.speaker, s.start_locked, s.locked_rate] for s in self.lines(row)]
        speed, own = row.job.options.voices.speed, _speeds(row, self.lines(row))
        parts: list[Any] = [list(own.values())] if any(each != speed for each in own.values()) else []
        if row.job.options.timing.align_phrases:
            parts += [self.sound(row).speech, [[[w.start_s, w.end_s] for w in s.words] for s in self.lines(row)]]
        return [lines, self.clips(row), speed, media_of(row.job).duration_s, *parts]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        lines, clips, sound = await asyncio.to_thread(lambda: (self.lines(row), self.clips(row), self.sound(row)))
        speech = sound.speech if row.job.options.timing.align_phrases else None
        duration_s = media_of(row.job).duration_s
        return Done(await pipeline.fit(self._context, lines, clips, _speeds(row, lines), duration_s, speech=speech))


@body_of(stages.MIX)
class Mix(StageBody):
    def inputs(self, row: JobRow) -> Any:
        own_sound = pipeline.original_spans(self.lines(row))
        # The container and the wished codec decide one thing of the mix: the codec of its track.
        chosen = [
            *_chosen(row.job, self.stage, without=("output.container", "output.audio_codec")),
            pipeline.track_codec(row.job.options),
        ]
        parts: list[Any] = [levels] if (levels := _levels(row, self.lines(row))) else []
        made, separated = [self.clips(row), self.placements(row)], self.separated(row)
        parts += [separated] if separated else []
        return [self.source_id(row), row.stem_key, *made, own_sound, chosen, pipeline.MIXING, *parts]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        lines, clips = await asyncio.to_thread(lambda: (self.lines(row), self.clips(row)))
        placements, sound, source_id = await asyncio.to_thread(
            lambda: (self.placements(row), self.sound(row), self.source_id(row))
        )
        stem_key = row.stem_key or await asyncio.to_thread(self.separated, row)
        cache = self._context.cache / row.job.id
        async with self.local(row.source_key, *([stem_key] if stem_key else [])) as (source, *stem):
            mixed = await pipeline.mix(
                self._context,
                source,
                source_id,
                media_of(row.job),
                sound,
                lines,
                clips,
                placements,
                row.job.options,
                cache,
                report,
                stem=stem[0] if stem else None,
                stem_id=stem_key or "",
                gentle=row.stem_key is None and stem_key is not None,
                levels_db=_levels(row, lines),
            )
        return Done(
            mixed, artifacts=tuple({artifact.kind: artifact for artifact in (mixed.track, mixed.audio)}.values())
        )


@body_of(stages.MUX)
class Mux(StageBody):
    """Of a further language of a job, the subtitles and the report; the job's own video has the sound and the subtitles
    of all languages that did not fail."""

    def inputs(self, row: JobRow) -> Any:
        film = self._film(row)
        if row.job.parent_id is not None or [each.job.id for each in film] == [row.job.id]:
            return self._inputs(row)
        return [[each.job.id, spoken_in(each.job.options, each.job.language), self._inputs(each)] for each in film]

    def _film(self, row: JobRow) -> list[JobRow]:
        """The languages of the job's video, in the order of its tracks."""
        if row.job.parent_id is not None or not row.job.languages:
            return [row]
        every = [row if each.id == row.job.id else self._store.row(each.id) for each in row.job.languages]
        if not (film := [each for each in every if each.job.error is None]):
            raise RuntimeError("no language is left")
        return film

    def _inputs(self, row: JobRow) -> Any:
        mixed = self.mixed(row)
        measured = [mixed.track.sha256, mixed.loudness_lufs, mixed.true_peak_db]
        # the fit's matter
        lines = [
            msgspec.structs.replace(line, start_locked=False, locked_rate=None, voice=None, speed=None, level_db=None)
            for line in self.lines(row)
        ]
        return [measured, lines, self.placements(row), _chosen(row.job, self.stage), row.job.language]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        first, *further = await asyncio.to_thread(self._film, row)
        lines, placements, sound = await asyncio.to_thread(
            lambda: (self.lines(first), self.placements(first), self.sound(row))
        )
        mixed, source_id = await asyncio.to_thread(lambda: (self.mixed(first), self.source_id(row)))
        if row.job.parent_id is not None:
            made = await self._language(row, lines, placements, sound, mixed)
        else:
            made = await self._video(first, further, lines, placements, sound, mixed, source_id, name, report)
        result = report_of(
            lines, placements, mixed, made, first.job.options, sound.duration_s, row.job.joined, row.job.subtitles
        )
        if first.job.id != row.job.id:  # the first language has failed: its texts and its report are not there
            video = tuple(each for each in made.artifacts if each.kind is ArtifactKind.VIDEO)
            return Done(msgspec.structs.replace(made, artifacts=video), artifacts=video)
        return Done(made, artifacts=(*made.artifacts, await keep_report(self._context, result)))

    async def _language(
        self, row: JobRow, lines: tuple[Segment, ...], placements: tuple[Placement, ...], sound: Sound, mixed: Mixed
    ) -> Finished:
        async with self.local(mixed.track.key) as (track,):
            return await finish_language(
                self._context,
                media_of(row.job),
                sound,
                track,
                lines,
                placements,
                row.job.options,
                row.job.language,
            )

    async def _video(
        self,
        row: JobRow,
        further: Sequence[JobRow],
        lines: tuple[Segment, ...],
        placements: tuple[Placement, ...],
        sound: Sound,
        mixed: Mixed,
        source_id: str,
        name: str,
        report: Report,
    ) -> Finished:
        others = await asyncio.to_thread(lambda: [(self.mixed(each).track.key, each) for each in further])
        keys = [mixed.track.key, *(key for key, _ in others)]
        async with self.local(row.source_key, *keys) as (source, track, *tracks):
            dubs = await asyncio.to_thread(
                lambda: [
                    FurtherDub(path, self.lines(each), self.placements(each), each.job.options)
                    for path, (_, each) in zip(tracks, others, strict=True)
                ]
            )
            return await finish(
                self._context,
                source,
                media_of(row.job),
                sound,
                track,
                lines,
                placements,
                row.job.options,
                row.job.language,
                report,
                cache=self._context.cache / row.whole_id,
                source_id=source_id,
                name=name,
                further=dubs,
            )

    def tidy(self, job_id: str) -> None:
        forget_burned(self._context.cache / job_id)
        forget_muxed(self._context.cache / job_id)


def _wished(row: JobRow) -> VoiceChoice:
    """Speeds and levels as they are asked for; the voices are those that are named."""
    voices = row.job.options.voices
    return VoiceChoice(voices.voice, voices.voice_model, voices.speed, None, row.speakers)


def _speeds(row: JobRow, lines: Sequence[Segment]) -> dict[str, float]:
    """The wished speed of each line, by its id."""
    choice = _wished(row)
    return {line.id: choice.of(line).speed for line in lines}


def _levels(row: JobRow, lines: Sequence[Segment]) -> dict[str, float]:
    """By the ids of the lines: the level, in dB, of those that are to be louder or quieter than others."""
    choice = _wished(row)
    return {line.id: level_db for line in lines if (level_db := choice.of(line).level_db)}


def _chosen(job: Job, stage: Stage, without: Collection[str] = ()) -> list[Any]:
    """The stage's options as far as they matter, with the track that is heard."""
    options = changed(effective(job.options), audio_track=audio_tracks.heard(media_of(job), job.options))
    return stages.chosen(options, stage, without)
