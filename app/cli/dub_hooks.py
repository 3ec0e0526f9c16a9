"""What `autodubber dub` puts around every stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.cli.dub_languages import Shown
from app.cli.dub_progress import Display
from app.domain.dub_options import DubOptions
from app.domain.media import MediaInfo

if TYPE_CHECKING:
    from app.dubbing.context import Context
    from app.jobs.memory_languages import MemoryLanguages
    from app.jobs.stage_hooks import Go, StageRun


class AroundStages:
    """The display, and checks that tell early what would fail late."""

    def __init__(self, context: Context, jobs: MemoryLanguages, shown: Display, *, reviews: bool) -> None:
        self._context, self._jobs, self._shown, self._reviews = context, jobs, shown, reviews
        self._store = jobs.first

    async def checked(self, run: StageRun, go: Go) -> None:
        """After the file has been read: what it is, and whether the voice can speak, before an hour of recognition.
        After it has been decoded: whether the video can be written as it is wished."""
        from app.domain import stages
        from app.dubbing import pipeline
        from app.speech.ports import SpeechRequest

        await go()
        options, info = self._store.job.options, self._store.job.media
        if run.stage is stages.PROBE and info is not None:
            self._tell(info, options)
            for each in () if self._reviews else self._jobs.stores.values():
                wanted = each.job.options
                voice, voice_id = self._context.engines.voice(wanted.voices.voice)
                language = pipeline.spoken_language(wanted, None)
                await voice.check(
                    SpeechRequest(voice_id, wanted.voices.voice_model, "a", language, wanted.voices.speed, "", "", None)
                )
        if run.stage is stages.INGEST and info is not None:
            pipeline.check_media(info, options)

    def _tell(self, info: MediaInfo, options: DubOptions) -> None:
        from app.dubbing import audio_tracks

        if info.incomplete:
            self._shown.note(f"the file is incomplete and is dubbed as far as it goes: {info.incomplete}")
        if len(info.audio) > 1:
            told = [
                f"{'*' if stream.track == audio_tracks.heard(info, options) else ' '} {audio_tracks.named(stream)}"
                for stream in info.audio
            ]
            self._shown.note("audio tracks (* is heard; --audio-track N takes another):", *told)

    async def shown(self, run: StageRun, go: Go) -> None:
        """Around: the stage's bar or line, and the time that it took."""
        doing, language = run.stage.doing, self._jobs.language(run.job_id)
        step = Shown(run.stage.name, f"{doing} ({language})") if run.parts > 1 else run.stage
        with self._shown.stage(step) as report:
            run.report = report
            await go()

    async def read(self, run: StageRun, go: Go) -> None:
        """Before: the job as the stages before have left it. Once the file has been read, a background that was
        attached is looked at, too."""
        from app.domain import stages
        from app.dubbing import pipeline

        run.row = self._jobs.row(run.job_id)
        await go()
        if run.stage is stages.PROBE and run.row.stem_key is not None:
            with self._context.blobs.local_copy(run.row.stem_key) as path:
                await pipeline.check_stem(self._context, path)
