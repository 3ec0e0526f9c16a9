"""Whether the old voice is taken out of the original, and the background that is left."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from app.domain.dub_options import Background, DubOptions, Separate
from app.domain.errors import DubError
from app.domain.media import MediaInfo
from app.domain.problems.voices import ENGINE_UNAVAILABLE
from app.domain.secret_names import NO_KEYS, Keys
from app.dubbing import audio_tracks
from app.dubbing.context import Context, Report, fingerprint
from app.dubbing.disk_estimate import scratch, separation_bytes
from app.dubbing.separation.isolation import Isolating, Recording, isolated
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import SeparatedSound, SeparateRequest, VoicePiece
from app.speech.ports import SeparationEngine
from app.speech.registry import Registry

_SEPARATING: Final = 1  # grows when the same sound gives another background
_KEPT: Final = "separation-"
_BOUGHT: Final = 0.7  # the share of the work until a service has sent every voice


def chosen(engines: Registry, options: DubOptions, *, has_stem: bool) -> SeparationEngine | None:
    """The engine that is to take the old voice out; None where that is not wished, would not be heard, or (`auto`)
    cannot be done here. Blocks.

    `auto` is for an original that is lowered: one that is kept at its level is kept with its voices. Raises
    engine_unavailable.
    """
    mix = options.mix
    engine = engines.separator(mix.separator if mix.separate is Separate.ON else "")
    if has_stem or mix.background is Background.REPLACE or mix.separate is Separate.OFF:
        return None
    if mix.separate is Separate.ON:
        if engine is None:
            raise DubError(ENGINE_UNAVAILABLE, "Nothing here tells speech from music.")
        if not engine.key_name:
            engine.check()
        return engine
    return engine if engine is not None and mix.background is Background.DUCK and engine.ready() else None


def worth_it(info: MediaInfo, options: DubOptions) -> bool:
    """Whether there is anything to be heard on the original's track."""
    track = audio_tracks.heard(info, options)
    return any(stream.track == track and not stream.silent for stream in info.audio)


async def prepare(
    engines: Registry, options: DubOptions, told: Callable[[str], None], *, has_stem: bool, keys: Keys = NO_KEYS
) -> None:
    """Have the model here where it is asked for, before any work that would have been in vain. Raises
    engine_unavailable, model_download, model_damaged, disk_full, key_missing, key_invalid."""
    engine = await asyncio.to_thread(chosen, engines, options, has_stem=has_stem)
    if engine is not None:
        engine.check(keys.of(engine.key_name))
        await engine.fetch(told)


def key_of(source_id: str, track: int, engine: SeparationEngine) -> str:
    """The blob of that background: of these bytes, by this model. Blocks."""
    return f"separated/{fingerprint(source_id, track, engine.fingerprint(), _SEPARATING)}/background.flac"


async def separate(
    context: Context,
    engine: SeparationEngine,
    source: Path,
    source_id: str,
    info: MediaInfo,
    duration_s: float,
    options: DubOptions,
    cache: Path,
    report: Report,
    keys: Keys = NO_KEYS,
) -> str:
    """The key of the background; another dub of the same sound finds it. `cache` keeps what is done from one kill to
    the next, until `forget_separated`. Raises model_download, model_damaged, out_of_memory, disk_full, and a service's
    errors."""
    model = await engine.fetch(lambda message: report(0.0, message))
    track = audio_tracks.heard(info, options)
    key = await asyncio.to_thread(key_of, source_id, track, engine)
    if await asyncio.to_thread(context.blobs.exists, key):
        return key
    resume_folder = cache / f"{_KEPT}{key.split('/')[1][:32]}"
    await asyncio.to_thread(resume_folder.mkdir, parents=True, exist_ok=True)
    async with scratch(context, "separate", separation_bytes(duration_s), cache) as folder:
        voices: tuple[VoicePiece, ...] = ()
        if engine.key_name:
            recording = Recording(source, source_id, track, duration_s, cache)
            voices = await isolated(
                context,
                cast(Isolating, engine),
                recording,
                resume_folder,
                folder,
                keys.of(engine.key_name),
                lambda fraction, message: report(fraction * _BOUGHT, message),
            )
        share = _BOUGHT if voices else 0.0
        request = SeparateRequest(
            path=str(source),
            source_id=source_id,
            audio_track=track,
            duration_s=duration_s,
            engine=engine.name,
            model=str(model),
            resume_folder=str(resume_folder),
            spans=str(cache),
            out=str(folder / "background.flac"),
            threads=context.threads,
            voices=voices,
        )
        await run_task(
            "separate",
            request,
            SeparatedSound,
            report=lambda fraction: report(share + (1 - share) * fraction, ""),
            limits=context.limits,
        )
        await asyncio.to_thread(context.blobs.adopt, folder / "background.flac", key)
    return key


def forget_separated(cache: Path) -> None:
    """Delete what `separate` has kept there."""
    for folder in cache.glob(f"{_KEPT}*"):
        shutil.rmtree(folder, ignore_errors=True)
