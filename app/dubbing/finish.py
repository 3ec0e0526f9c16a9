"""The last stage: writes subtitles and the finished video."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from app.domain.dub_options import AudioCodec, DubOptions, Task
from app.domain.iso_639 import name_of
from app.domain.media import ArtifactKind, MediaInfo
from app.domain.segment import Placement, Segment
from app.domain.stage_outputs import Finished as Finished
from app.domain.stage_outputs import Sound
from app.dubbing import audio_tracks
from app.dubbing.artifacts import keep_artifact
from app.dubbing.context import Context, Report
from app.dubbing.disk_estimate import LINES_BYTES, finish_bytes, scratch
from app.dubbing.pipeline import source_language, spoken_language, track_codec, written_language
from app.dubbing.subtitles.ass_writer import style_of, upright_size, write_ass
from app.dubbing.subtitles.cues import Cue, source_subtitles_for, subtitles_for
from app.dubbing.subtitles.cues import cues_for as cues_for
from app.dubbing.subtitles.srt_vtt import write_srt, write_vtt
from app.dubbing.translate import same_language
from app.dubbing.video.containers import must_encode, output_extension
from app.dubbing.video.mux_cache import MuxCache, Muxed
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import ProbeRequest
from app.media import mp4

_BURNING = 0.95  # the share of the work, where the picture is encoded
_BUSY = ("encoding the picture", "burning subtitles")


class FurtherDub(msgspec.Struct, frozen=True):
    """Another language of the same film: its sound, and how its lines are shown. `options` are that language's."""

    track: Path
    segments: tuple[Segment, ...]
    placements: tuple[Placement, ...]
    options: DubOptions


class _Texts(msgspec.Struct, frozen=True):
    """The subtitles of the dub and, where another language is spoken in it than in the original, of the original."""

    spoken: tuple[Cue, ...]
    original: tuple[Cue, ...]


async def finish(
    context: Context,
    source: Path,
    info: MediaInfo,
    sound: Sound,
    track: Path,
    segments: Sequence[Segment],
    placements: Sequence[Placement],
    options: DubOptions,
    language: str | None,
    report: Report,
    *,
    cache: Path | None = None,
    source_id: str = "",
    name: str = "",
    further: Sequence[FurtherDub] = (),
) -> Finished:
    """The finished files: subtitles always, the video unless the source is sound alone. The picture is stream-copied
    unless subtitles are burned into it or it cannot be (`Obstacle`). The video has the sound and the soft subtitles of
    all languages; the first is what a player begins with, and what is burned.

    `cache` keeps what is burned, and the video until it is in the store, from one kill to the next, until
    `forget_burned` and `forget_muxed`. `source_id` names the source's bytes, `name` all that decides the video.

    Raises container_unsuitable, disk_full, media_tool_failed, media_limit.
    """
    extension = output_extension(info, options)
    async with scratch(
        context,
        "mux",
        finish_bytes(info, options, sound.duration_s, dubs=1 + len(further)),
        *((cache,) if cache is not None else ()),
    ) as folder:
        texts, files = await asyncio.to_thread(
            _write_texts, folder, info, sound, segments, placements, options, language
        )
        made, picture, reason, steps = track, None, None, None
        if info.video is not None:
            mux_cache = await asyncio.to_thread(MuxCache, cache, name) if cache is not None else None
            video = await asyncio.to_thread(mux_cache.find) if mux_cache is not None else None
            if video is None:
                out = folder / f"video.{extension}"
                video = await _video(
                    context,
                    source,
                    info,
                    sound,
                    track,
                    texts,
                    options,
                    language,
                    folder,
                    out,
                    report,
                    cache,
                    mux_cache.pieces if mux_cache is not None else None,
                    source_id,
                    further,
                )
                if mux_cache is not None:
                    video = await asyncio.to_thread(mux_cache.keep, video)
            made, picture, reason, steps = (
                Path(video.path),
                video.picture,
                video.encoded_for,
                mux_cache.steps if mux_cache is not None else None,
            )
        duration_s = await _lasts_s(context, made)
        artifacts = await asyncio.to_thread(lambda: [keep_artifact(context, path, kind) for path, kind in files])
        if info.video is not None:  # last: from then on it is no longer where the next run would find it
            artifacts.insert(0, await asyncio.to_thread(keep_artifact, context, made, ArtifactKind.VIDEO, steps))
    return Finished(tuple(artifacts), duration_s, picture, reason)


async def finish_language(
    context: Context,
    info: MediaInfo,
    sound: Sound,
    track: Path,
    segments: Sequence[Segment],
    placements: Sequence[Placement],
    options: DubOptions,
    language: str | None,
) -> Finished:
    """The subtitles of a further language, whose sound goes into the video of the first. Raises disk_full."""
    async with scratch(context, "texts", LINES_BYTES) as folder:
        _, files = await asyncio.to_thread(_write_texts, folder, info, sound, segments, placements, options, language)
        duration_s = await _lasts_s(context, track)
        artifacts = await asyncio.to_thread(lambda: [keep_artifact(context, path, kind) for path, kind in files])
    return Finished(tuple(artifacts), duration_s, None)


async def _lasts_s(context: Context, made: Path) -> float:
    lasts_s = await asyncio.to_thread(mp4.duration_s, made) if made.suffix == ".mp4" else None
    if lasts_s is not None:
        return lasts_s
    info = await run_task("probe", ProbeRequest(str(made)), MediaInfo, report=lambda _: None, limits=context.limits)
    return info.duration_s


def has_source_subtitles(options: DubOptions, language: str | None) -> bool:
    """True when what was recognised is in another language than what is spoken now. What was translated here has its
    original; brought lines are what is spoken; Whisper's own translation has never seen the original's words.
    """
    if options.translation.translator and not same_language(
        written_language(options, language), options.translation.target_language
    ):
        return True
    if options.recognition.recognizer == "subtitles" or options.recognition.task is Task.TRANSLATE:
        return False
    return spoken_language(options, language) != source_language(options, language)


def _write_texts(
    folder: Path,
    info: MediaInfo,
    sound: Sound,
    segments: Sequence[Segment],
    placements: Sequence[Placement],
    options: DubOptions,
    language: str | None,
) -> tuple[_Texts, list[tuple[Path, ArtifactKind]]]:
    spoken = subtitles_for(segments, placements, sound.duration_s)
    both = has_source_subtitles(options, language) or any(line.translation for line in segments)
    original = source_subtitles_for(segments, sound.duration_s) if both else ()
    texts: list[tuple[str, ArtifactKind, Callable[[], str]]] = [
        ("subtitles.srt", ArtifactKind.SRT, lambda: write_srt(spoken)),
        ("subtitles.vtt", ArtifactKind.VTT, lambda: write_vtt(spoken)),
        ("subtitles.ass", ArtifactKind.ASS, lambda: write_ass(spoken, *upright_size(info), style_of(options))),
    ]
    if original:
        texts.append(("source.srt", ArtifactKind.SOURCE_SRT, lambda: write_srt(original)))
    for name, _, text in texts:
        (folder / name).write_text(text(), encoding="utf-8")
    return _Texts(spoken, original), [(folder / name, kind) for name, kind, _ in texts]


async def _video(
    context: Context,
    source: Path,
    info: MediaInfo,
    sound: Sound,
    track: Path,
    texts: _Texts,
    options: DubOptions,
    language: str | None,
    folder: Path,
    out: Path,
    report: Report,
    cache: Path | None,
    pieces: Path | None,
    source_id: str,
    further: Sequence[FurtherDub],
) -> Muxed:
    """Write `out`."""
    from app.dubbing.video import burn as burning
    from app.dubbing.video import mux as muxing

    copied, picture, burned, reason = 0.0, "copied", None, _encoded_for(info, options, texts)
    if reason:
        copied, burned = _BURNING, folder / "burned.mp4"
        burn = burning.BurnRequest(
            source=source,
            out=burned,
            info=info,
            duration_s=sound.duration_s,
            cues=texts.spoken if options.output.burn_subtitles else (),
            work=folder,
            threads=context.threads,
            style=style_of(options),
            hardware=options.output.hardware_encoder,
            limits=context.limits,
            resume_folder=cache,
            source_id=source_id,
        )
        picture = await burning.burn(burn, lambda fraction: report(fraction * _BURNING, _BUSY[reason == "subtitles"]))
    original = (written_language if options.translation.translator else source_language)(options, language)
    target = spoken_language(options, language)
    several = bool(further)
    dubs = [muxing.DubbedTrack(track, track_codec(options).value, target, _title(target, several=several))]
    lines = [muxing.CueTrack(texts.spoken, target, _title(target, several=several))]
    for each in further:
        spoken = spoken_language(each.options, language)
        title = _title(spoken, several=several)
        dubs.append(muxing.DubbedTrack(each.track, track_codec(each.options).value, spoken, title))
        lines.append(muxing.CueTrack(subtitles_for(each.segments, each.placements, sound.duration_s), spoken, title))
    lines.append(muxing.CueTrack(texts.original, original, "Original"))
    heard = audio_tracks.heard(info, options)
    keeps = options.output.keep_original_track and heard < len(info.audio)
    request = muxing.MuxRequest(
        source=source,
        out=out,
        info=info,
        duration_s=sound.duration_s,
        dubs=tuple(dubs),
        work=folder,
        lines=tuple(each for each in lines if each.cues),
        original=info.audio[heard] if keeps else None,
        source_language=original,
        burned=burned,
        pieces=pieces,
        limits=context.limits,
    )
    await muxing.mux(request, lambda fraction: report(copied + fraction * (1 - copied), ""))
    return Muxed(str(out), picture, reason)


def _title(language: str | None, *, several: bool) -> str:
    """What a player calls a track: its language where there are several."""
    return name_of(language) if several and language else "Dub"


def _encoded_for(info: MediaInfo, options: DubOptions, texts: _Texts) -> str | None:
    """Why the picture is encoded; None where it is copied."""
    if options.output.burn_subtitles and texts.spoken:
        return "subtitles"
    if info.video is not None and must_encode(
        info.video, options.output.container, is_opus=options.output.audio_codec == AudioCodec.OPUS
    ):
        return str(info.video.obstacle)
    return None
