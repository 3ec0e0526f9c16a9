"""Speaks one line, so that it can be heard before the render."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from app.domain.errors import DubError
from app.domain.problems.lines import SEGMENT_NOT_FOUND, TEXT_INVALID
from app.domain.secret_names import Keys
from app.dubbing.casting import spoken_lines
from app.dubbing.context import Context
from app.dubbing.disk_estimate import line_bytes
from app.dubbing.synthesize import clip_files, speak
from app.dubbing.voice_ready import ready
from app.jobs.options import choice_of
from app.jobs.stage_hooks import silent
from app.storage.blobs import bytes_of
from app.storage.disk_floors import reserved

if TYPE_CHECKING:
    from app.storage.jobs import JobStore


async def preview_line(context: Context, store: JobStore, job_id: str, segment_id: str, *, keys: Keys) -> bytes:
    """One line as WAV, from the cache or spoken now; a render uses the same clip.

    Raises segment_not_found, text_invalid, disk_full and the engine's errors.
    """
    job, (_, script) = await asyncio.to_thread(lambda: (store.get(job_id), store.script(job_id)))
    choice = await asyncio.to_thread(choice_of, job, script.speakers, keys, context.engines)
    choice = await ready(context, choice, silent)
    if all(line.id != segment_id for line in script.segments):
        raise DubError(SEGMENT_NOT_FOUND)
    asked = await asyncio.to_thread(spoken_lines, script.segments, choice, context.engines)
    found = next((each for each in asked if each.line.id == segment_id), None)
    if found is None:
        raise DubError(TEXT_INVALID, "The line has nothing to speak, or keeps the original sound.")
    voice, request = found.voice, found.request
    await voice.check(request)
    while True:
        async with reserved(context.disks, line_bytes(request), *context.lines_go_to):
            clip, _ = await speak(context.blobs, voice, request)
        await asyncio.to_thread(store.refer, job_id, clip_files(clip))
        # kept no longer, by somebody who did not know that it is wanted: it is spoken again
        with contextlib.suppress(FileNotFoundError):
            return await asyncio.to_thread(bytes_of, context.blobs, clip_files(clip)[0])
