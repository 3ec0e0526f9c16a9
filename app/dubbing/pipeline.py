"""What the stages do, each one function: inputs in, outputs out, progress through one callback, cancelled by cancelling
the task.

Their order is in `app.domain.stages`. They keep nothing but blobs, which are named by the hash of what made them; the
rest is kept by `app.jobs`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.domain.dub_options import AudioCodec, AudioFormat, Background, Container, DubOptions, Task, spoken_in
from app.domain.errors import DubError
from app.domain.media import ArtifactKind, MediaInfo
from app.domain.problems.media import AUDIO_TRACK_MISSING, FILE_EMPTY, MEDIA_TOO_LONG, NO_AUDIO, STEM_INVALID
from app.domain.segment import Clip, Placement, Segment
from app.domain.stage_outputs import Mixed as Mixed
from app.domain.stage_outputs import Sound as Sound
from app.dubbing import audio_tracks
from app.dubbing.artifacts import keep_artifact
from app.dubbing.context import Context, Report, fingerprint, fraction_only, local_copies
from app.dubbing.disk_estimate import ingest_bytes, mix_bytes, scratch
from app.dubbing.video.containers import measured, output_extension
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import (
    Ducking,
    FitLine,
    FitRequest,
    Ingested,
    IngestRequest,
    MixClip,
    MixReport,
    MixRequest,
    ProbeRequest,
)

MIXING: Final = 2  # grows when the mix makes another sound of the same inputs
_LISTENING: Final = 2  # grows when recognition hears something else of the same sound


def spoken_language(options: DubOptions, language: str | None) -> str | None:
    """The language that the voice speaks."""
    return spoken_in(options, language)


def written_language(options: DubOptions, language: str | None) -> str | None:
    """The language of the lines as recognition (or the brought file) has them."""
    return "en" if options.recognition.task is Task.TRANSLATE else source_language(options, language)


def source_language(options: DubOptions, language: str | None) -> str | None:
    """The language that is spoken in the original; `language` is what recognition found."""
    return options.recognition.language or language


async def probe(context: Context, source: Path, options: DubOptions, *, has_subtitles: bool) -> MediaInfo:
    """Read what the file says about itself, and refuse what cannot be dubbed. `heard` is the track to take where none
    was chosen.

    Raises file_empty, not_media, playlist_refused, media_damaged, media_too_long, no_audio, and as `check_media`.
    """
    if (await asyncio.to_thread(source.stat)).st_size == 0:
        raise DubError(FILE_EMPTY)
    info = await run_task("probe", ProbeRequest(str(source)), MediaInfo, report=lambda _: None, limits=context.limits)
    _check_length(context, info)
    if not info.audio and (not has_subtitles or info.video is None):
        raise DubError(NO_AUDIO)
    check_media(info, options)
    return msgspec.structs.replace(info, heard=audio_tracks.automatic(info.audio, options.recognition.language))


def check_media(info: MediaInfo, options: DubOptions) -> None:
    """Refuse options that this file does not bear, before anything is spoken. Raises audio_track_missing,
    container_unsuitable."""
    if (
        info.audio
        and options.recognition.audio_track is not None
        and options.recognition.audio_track >= len(info.audio)
    ):
        raise DubError(AUDIO_TRACK_MISSING, audio_tracks.listed(info) or "It has one, which is 0.")
    output_extension(info, options)


async def check_stem(context: Context, stem: Path) -> None:
    """Refuse a background that cannot be read or has no sound. Raises stem_invalid, media_too_long."""
    request = ProbeRequest(str(stem))
    try:
        info = await run_task("probe", request, MediaInfo, report=lambda _: None, limits=context.limits)
    except DubError as error:
        if error.problem.status == 422:  # the file's fault, in the words for a video
            raise DubError(STEM_INVALID, error.message) from error
        raise
    if not info.audio:
        raise DubError(STEM_INVALID, "It has no sound.")
    _check_length(context, info)


def _check_length(context: Context, info: MediaInfo) -> None:
    if info.duration_s > context.max_duration_s:
        raise DubError(
            MEDIA_TOO_LONG,
            f"It lasts {info.duration_s / 60:.0f} minutes; the limit is {context.max_duration_s / 60:.0f}.",
        )


async def ingest(
    context: Context,
    source: Path,
    source_id: str,
    info: MediaInfo,
    options: DubOptions,
    report: Report,
    *,
    cache: Path | None = None,
) -> Sound:
    """Decode the sound once: recognition track, peaks, energies, the true duration, and a thumbnail. `source_id` names
    the bytes.

    `cache` keeps what is done from one kill to the next, until `forget_ingested`.
    """
    track = audio_tracks.heard(info, options)
    base = f"ingest/{fingerprint(source_id, track, _LISTENING)}"
    async with scratch(context, "ingest", ingest_bytes(info), *((cache,) if cache is not None else ())) as folder:
        resume_folder = str(cache / base.replace("/", "-")) if cache is not None else None
        request = IngestRequest(
            path=str(source),
            out=str(folder),
            audio_track=track,
            max_duration_s=context.max_duration_s,
            size_bytes=info.size_bytes,
            resume_folder=resume_folder,
        )
        done = await run_task("ingest", request, Ingested, report=fraction_only(report), limits=context.limits)

        def keep(name: str) -> str:
            key = f"{base}/{name}"
            context.blobs.adopt(folder / name, key)
            return key

        def keep_all() -> Sound:
            thumbnail = keep("thumbnail.jpg") if (folder / "thumbnail.jpg").exists() else None
            speech, peaks, energies = keep("speech.wav"), keep("peaks.dat"), keep("energies.f32")
            return Sound(done.duration_s, speech, peaks, energies, thumbnail, done.obstacle, done.largest)

        return await asyncio.to_thread(keep_all)


def forget_ingested(cache: Path) -> None:
    """Delete what `ingest` has kept there."""
    for folder in cache.glob("ingest-*"):
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # the mix's chunks are there
        cache.rmdir()


def after_ingest(info: MediaInfo, sound: Sound) -> MediaInfo:
    """What the file is, now that it has been read to its end."""
    return measured(info, sound.duration_s, sound.obstacle, sound.largest)


async def fit(
    context: Context,
    segments: Sequence[Segment],
    clips: Sequence[Clip],
    speeds: Mapping[str, float],
    duration_s: float,
    *,
    speech: str | None = None,
) -> tuple[Placement, ...]:
    """Place every clip. `speeds` are those that are wished, by line. `speech` is the blob of the original's sound: with
    it, lines follow its pauses phrase by phrase. Raises does_not_fit."""
    by_id = {segment.id: segment for segment in segments}
    async with local_copies(context.blobs, [*map(sound_of, clips), *([speech] if speech else [])]) as paths:
        lines = []
        for clip in clips:
            line = by_id[clip.segment_id]
            lines.append(
                FitLine(
                    segment_id=line.id,
                    start_s=line.start_s,
                    end_s=line.end_s,
                    speaker=line.speaker,
                    clip=str(paths[sound_of(clip)]),
                    speed=speeds[line.id] * clip.pace / clip.speed,
                    start_locked=line.start_locked,
                    locked_rate=line.locked_rate,
                    pace=clip.pace,
                    words=tuple((word.start_s, word.end_s) for word in line.words) if speech else (),
                )
            )
        request = FitRequest(lines=tuple(lines), video_end_s=duration_s, speech=str(paths[speech]) if speech else None)
        return await run_task("fit", request, tuple[Placement, ...], report=lambda _: None, limits=context.limits)


def sound_of(clip: Clip) -> str:
    """The blob with a clip's sound."""
    return f"{clip.key}.wav"


async def mix(
    context: Context,
    source: Path,
    source_id: str,
    info: MediaInfo,
    sound: Sound,
    segments: Sequence[Segment],
    clips: Sequence[Clip],
    placements: Sequence[Placement],
    options: DubOptions,
    cache: Path,
    report: Report,
    *,
    stem: Path | None = None,
    stem_id: str = "",
    levels_db: Mapping[str, float] = {},
    gentle: bool = False,
) -> Mixed:
    """The voice over the background: one track, exactly as long as the video. `cache` keeps encoded chunks for the next
    edit.

    `source_id` and `stem_id` name the bytes of the source and of the stem (a background without voices that replaces
    the original; `gentle`: it was made of it). `levels_db`, by line, are on top of what the mix finds.
    """
    sounds = {clip.segment_id: sound_of(clip) for clip in clips}
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    wanted_bytes, read = (
        mix_bytes(options, sound.duration_s, placements),
        (sound.energies, *(sounds[p.segment_id] for p in placements)),
    )
    async with scratch(context, "mix", wanted_bytes, cache) as folder, local_copies(context.blobs, read) as paths:
        placed = tuple(
            MixClip(
                path=str(paths[sounds[p.segment_id]]),
                start_s=piece.start_s,
                duration_s=piece.duration_s,
                rate=p.rate,
                trim_start_s=piece.trim_start_s,
                trim_end_s=piece.trim_end_s,
                level_db=levels_db.get(p.segment_id, 0.0),
                line=p.segment_id if p.phrases else "",
            )
            for p in placements
            for piece in p.phrases or (p,)
        )
        codec = track_codec(options)
        if info.video is None:  # nobody needs a track beside the sound: where both can be one file, they are
            codec = AudioCodec.OPUS if options.output.audio_format == AudioFormat.OPUS else AudioCodec.AAC
        own = AudioFormat.OPUS if codec == AudioCodec.OPUS else AudioFormat.M4A
        out = folder / f"track.{own}"
        audio = None if own == options.output.audio_format else folder / f"audio.{options.output.audio_format}"
        request = MixRequest(
            source=str(source) if info.audio else None,
            source_id=source_id,
            audio_track=audio_tracks.heard(info, options),
            duration_s=sound.duration_s,
            clips=placed,
            background=options.mix.background if info.audio or stem else Background.REPLACE,
            energies=str(paths[sound.energies]),
            chunk_cache=str(cache),
            out=str(out),
            threads=context.threads,
            original_spans=original_spans(segments),
            target_lufs=options.mix.loudness_lufs,
            keep_db=options.mix.keep_db,
            stem=str(stem) if stem else None,
            stem_id=stem_id,
            gentle=gentle,
            codec=codec,
            ducking=Ducking(
                options.mix.duck_db, options.mix.duck_attack_s, options.mix.duck_hold_s, options.mix.duck_release_s
            ),
            audio_out=str(audio) if audio else None,
            audio_format=options.output.audio_format,
        )
        done = await run_task("mix", request, MixReport, report=fraction_only(report), limits=context.limits)
        track = await asyncio.to_thread(
            keep_artifact, context, out, ArtifactKind.TRACK if audio else ArtifactKind.AUDIO
        )
        alone = await asyncio.to_thread(keep_artifact, context, audio, ArtifactKind.AUDIO) if audio else track
    return Mixed(track, alone, done.loudness_lufs, done.true_peak_db)


def track_codec(options: DubOptions) -> AudioCodec:
    """How the dub is coded in the video: WebM knows only Opus, MP4 gets AAC (and `auto` becomes MKV where Opus is
    wished)."""
    fixed = {Container.WEBM: AudioCodec.OPUS, Container.MP4: AudioCodec.AAC}
    return fixed.get(options.output.container, options.output.audio_codec)


def original_spans(segments: Sequence[Segment]) -> tuple[tuple[float, float], ...]:
    """Where the original is to be heard although the background is replaced: the lines for which a person said so."""
    return tuple((segment.start_s, segment.end_s) for segment in segments if segment.skip and not segment.unspoken)
