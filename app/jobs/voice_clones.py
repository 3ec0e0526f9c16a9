"""Clones of the speakers of a video: a voice of a person's account, made after they said that they may.

The agreement is recorded with the speaker: who said so, and when. The clone is deleted by hand, or with the job that it
was made for.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import msgspec
import structlog

from app.domain import stages
from app.domain.errors import DubError
from app.domain.job import EDITABLE
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.voices import CLONE_RIGHT, CLONE_TOO_SHORT, VOICE_UNKNOWN
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.speaker import Script, Speaker, VoiceClone, find
from app.domain.stage_outputs import Sound
from app.dubbing.context import local_copies
from app.dubbing.voice_sample import sample_of
from app.jobs.schemas import CloneVoice, Segments
from app.jobs.speaker_edits import SpeakerEdits

_LEAST_S: Final = 10.0
_MOST_NAME: Final = 80
_log: Final = structlog.get_logger("voices")


class VoiceClones(SpeakerEdits):
    """The part of the service for clones."""

    async def clone_voice(
        self, job_id: str, speaker_id: str, revision: int, request: CloneVoice, *, keys: Keys = NO_KEYS
    ) -> Segments:
        """Raises clone_right, clone_too_short, edit_conflict, speaker_not_found, no_library and the service's
        errors."""
        if not request.have_the_right:
            raise DubError(CLONE_RIGHT)
        library = self._context.engines.library(request.engine)
        # before anything is made in the account: what is to be changed is what was seen
        script = (
            await asyncio.to_thread(self._store.edit_script, job_id, revision, EDITABLE, lambda _, now: now)
        ).script
        speaker = find(script.speakers, speaker_id)
        spans = [(line.start_s, line.end_s) for line in script.segments if line.speaker == speaker_id]
        job, stage = await asyncio.to_thread(
            lambda: (self._store.get(job_id), self._store.stage(job_id, stages.INGEST.name))
        )
        if stage is None:
            raise DubError(JOB_STATE, "The video's sound is not there yet.")
        sound = msgspec.convert(stage.output, Sound)
        async with local_copies(self._context.blobs, [sound.speech]) as paths:
            sample, length_s = await asyncio.to_thread(sample_of, paths[sound.speech], spans)
        if length_s < _LEAST_S:
            raise DubError(CLONE_TOO_SHORT, f"The lines have {length_s:.0f} s of {_LEAST_S:.0f}.")
        key = keys.of(request.engine)
        voice_id = await library.clone(f"{speaker.name}, {job.title}"[:_MOST_NAME], sample, key)
        voice = f"{request.engine}:{voice_id}"
        made = VoiceClone(voice, job_id, self.principal.id, time.time())
        _log.info("voice cloned", job_id=job_id, principal=made.principal)
        try:
            return await self._recast(job_id, speaker_id, revision, voice=voice, voice_model="", clone=made)
        except BaseException:
            await asyncio.shield(library.forget(voice_id, key))
            raise

    async def forget_clone(self, job_id: str, speaker_id: str, revision: int, *, keys: Keys = NO_KEYS) -> Segments:
        """Delete the clone of a speaker, who then has the job's voice. Raises voice_unknown where there is none."""
        script = (
            await asyncio.to_thread(self._store.edit_script, job_id, revision, EDITABLE, lambda _, now: now)
        ).script
        speaker = find(script.speakers, speaker_id)
        if speaker.clone is None:
            raise DubError(VOICE_UNKNOWN, "This speaker has no clone.")
        if speaker.clone.job_id == job_id:  # else it is another job's, of which this one is a copy
            await self._forget(speaker.clone, keys)
        own = {} if speaker.voice != speaker.clone.voice else {"voice": None, "voice_model": ""}
        return await self._recast(job_id, speaker_id, revision, clone=None, **own)

    async def forget_clones(self, job_id: str, *, keys: Keys = NO_KEYS) -> None:
        """Delete the clones that were made for this job, which is about to be deleted, or for its languages. One that
        cannot be deleted now does not keep the job; it is logged. Raises job_not_found."""
        row = await asyncio.to_thread(self._store.row, job_id)
        further = [] if row.job.parent_id else [each.id for each in row.job.languages[1:]]
        rows = [row, *[await asyncio.to_thread(self._store.row, each) for each in further]]
        made = [(one, each.job.id) for each in rows for one in each.speakers]
        for speaker, language_id in made:
            if speaker.clone is not None and speaker.clone.job_id == language_id:
                try:
                    await self._forget(speaker.clone, keys)
                except DubError as error:
                    _log.warning("a cloned voice is left in the account", job_id=job_id, reason=error.problem.code)

    async def _forget(self, clone: VoiceClone, keys: Keys) -> None:
        engine, _, voice_id = clone.voice.partition(":")
        try:
            await self._context.engines.library(engine).forget(voice_id, keys.of(engine))
        except DubError as error:
            if error.problem is not VOICE_UNKNOWN:  # gone already
                raise

    async def _recast(self, job_id: str, speaker_id: str, revision: int, **fields: Any) -> Segments:
        def changed(one: Speaker) -> Speaker:
            return msgspec.structs.replace(one, **fields) if one.id == speaker_id else one

        return await asyncio.to_thread(
            lambda: self._edit(
                job_id,
                revision,
                lambda _, script: Script(script.segments, tuple(changed(one) for one in script.speakers)),
            )
        )
