"""The stages in order, each one function: inputs in, outputs out, progress through one callback, cancelled by cancelling the task.

prepare: probe -> ingest -> transcribe -> [the person]        render: synthesize -> fit -> mix -> mux

Stages keep nothing but blobs, which are named by the hash of what made them. Who runs them (the server's jobs, the command line) keeps the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.domain.errors import AUDIO_TRACK_MISSING, DISK_FULL, FILE_EMPTY, MEDIA_TOO_LONG, NO_AUDIO, DubError
from app.domain.job import Background, DubOptions, Task
from app.domain.media import Artifact, ArtifactKind, MediaInfo
from app.domain.segment import Clip, Placement, Segment
from app.dubbing.kit import Kit, Report, fingerprint, fraction_only
from app.dubbing.subtitles import Cue, write_srt, write_vtt
from app.dubbing.tasks import FitRequest, Ingested, IngestRequest, Line, MixClip, MixReport, MixRequest, ProbeRequest
from app.dubbing.worker import run_task
from app.storage.blobs import sha256_of

MEDIA_TYPES: Final = {
    "mp4": "video/mp4", "mkv": "video/x-matroska", "m4a": "audio/mp4", "srt": "application/x-subrip", "vtt": "text/vtt",
    "jpg": "image/jpeg", "dat": "application/octet-stream",
}  # fmt: skip


# FFmpeg's demuxer names -> media type, extension
_SOURCE_TYPES: Final = (
    (("webm",), "video/webm", "webm"),
    (("mov", "mp4", "m4a", "3gp"), "video/mp4", "mp4"),
    (("matroska",), "video/x-matroska", "mkv"),
    (("avi",), "video/x-msvideo", "avi"),
    (("mpegts",), "video/mp2t", "ts"),
    (("mp3",), "audio/mpeg", "mp3"),
    (("wav",), "audio/wav", "wav"),
    (("flac",), "audio/flac", "flac"),
    (("ogg",), "video/ogg", "ogg"),
)


_PROBE_CPU_S: Final = 60  # a header is read in milliseconds; a file that takes longer is built to


class Sound(msgspec.Struct, frozen=True):
    """What ingest leaves in the blob store. `energies` are 100 ms K-weighted mean squares; `thumbnail` is None for sound alone."""

    duration_s: float
    speech: str
    peaks: str
    energies: str
    thumbnail: str | None

    def keys(self) -> tuple[str, ...]:
        return tuple(key for key in (self.speech, self.peaks, self.energies, self.thumbnail) if key)


class Mixed(msgspec.Struct, frozen=True):
    """The dubbed track and what was measured while it was made. LUFS and dBTP; None where the sound is silent."""

    track: Artifact
    loudness_lufs: float | None
    true_peak_db: float | None


def spoken_language(options: DubOptions, language: str | None) -> str | None:
    """The language that the voice speaks."""
    return "en" if options.task is Task.TRANSLATE else options.language or language


async def probe(kit: Kit, source: Path, options: DubOptions, *, has_subtitles: bool) -> MediaInfo:
    """Read what the file says about itself, and refuse what cannot be dubbed.

    Raises file_empty, not_media, playlist_refused, media_damaged, media_too_long, no_audio, audio_track_missing.
    """
    if (await asyncio.to_thread(source.stat)).st_size == 0:
        raise DubError(FILE_EMPTY)
    info = await run_task(
        "probe", ProbeRequest(str(source)), MediaInfo, report=lambda _: None, limits=msgspec.structs.replace(kit.limits, cpu_s=_PROBE_CPU_S)
    )
    if info.duration_s > kit.max_duration_s:
        raise DubError(MEDIA_TOO_LONG, f"It lasts {info.duration_s / 60:.0f} minutes; the limit is {kit.max_duration_s / 60:.0f}.")
    if not info.audio and (not has_subtitles or info.video is None):
        raise DubError(NO_AUDIO)
    if info.audio and options.audio_track >= len(info.audio):
        raise DubError(AUDIO_TRACK_MISSING, f"It has {len(info.audio)}.")
    return info


async def ingest(kit: Kit, source: Path, source_id: str, info: MediaInfo, options: DubOptions, report: Report) -> Sound:
    """Decode the sound once: recognition track, peaks, energies, the true duration, and a thumbnail. `source_id` names the bytes."""
    base = f"ingest/{fingerprint(source_id, options.audio_track)}"
    with kit.workspace.folder("ingest") as folder:
        request = IngestRequest(
            path=str(source), out=str(folder), audio_track=options.audio_track, max_duration_s=kit.max_duration_s, size_bytes=info.size_bytes
        )
        done = await run_task("ingest", request, Ingested, report=fraction_only(report), limits=kit.limits)

        def keep(name: str) -> str:
            key = f"{base}/{name}"
            kit.blobs.adopt(folder / name, key)
            return key

        def keep_all() -> Sound:
            thumbnail = keep("thumbnail.jpg") if (folder / "thumbnail.jpg").exists() else None
            return Sound(done.duration_s, keep("speech.wav"), keep("peaks.dat"), keep("energies.f32"), thumbnail)

        return await asyncio.to_thread(keep_all)


async def fit(kit: Kit, segments: Sequence[Segment], clips: Sequence[Clip], options: DubOptions, duration_s: float) -> tuple[Placement, ...]:
    """Place every clip. Raises does_not_fit."""
    by_id = {segment.id: segment for segment in segments}
    lines = []
    for clip in clips:
        line = by_id[clip.segment_id]
        path = str(kit.blobs.path(f"{clip.key}.wav"))
        lines.append(
            Line(segment_id=line.id, start_s=line.start_s, end_s=line.end_s, speaker=line.speaker, clip=path, speed=options.speed / clip.speed)
        )
    request = FitRequest(lines=tuple(lines), video_end_s=duration_s)
    return await run_task("fit", request, tuple[Placement, ...], report=lambda _: None, limits=kit.limits)


async def mix(
    kit: Kit,
    source: Path,
    info: MediaInfo,
    sound: Sound,
    segments: Sequence[Segment],
    clips: Sequence[Clip],
    placements: Sequence[Placement],
    options: DubOptions,
    cache: Path,
    report: Report,
) -> Mixed:
    """The voice over the background: one AAC track, exactly as long as the video. `cache` keeps encoded chunks for the next edit."""
    keys = {clip.segment_id: clip.key for clip in clips}
    placed = [
        MixClip(
            path=str(kit.blobs.path(f"{keys[p.segment_id]}.wav")), start_s=p.start_s, duration_s=p.duration_s, rate=p.rate,
            trim_start_s=p.trim_start_s, trim_end_s=p.trim_end_s,
        )
        for p in placements
    ]  # fmt: skip
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    with kit.workspace.folder("mix") as folder:
        out = folder / "track.m4a"
        request = MixRequest(
            source=str(source) if info.audio else None, audio_track=options.audio_track, duration_s=sound.duration_s, clips=tuple(placed),
            background=options.background if info.audio else Background.REPLACE, energies=str(kit.blobs.path(sound.energies)),
            chunk_cache=str(cache), out=str(out), threads=kit.threads, kept=kept_spans(segments),
        )  # fmt: skip
        done = await run_task("mix", request, MixReport, report=fraction_only(report), limits=kit.limits)
        track = await asyncio.to_thread(keep_artifact, kit, out, ArtifactKind.AUDIO)
    return Mixed(track, done.loudness_lufs, done.true_peak_db)


def kept_spans(segments: Sequence[Segment]) -> tuple[tuple[float, float], ...]:
    """Where the original is to be heard although the background is replaced: the lines that keep it."""
    return tuple((segment.start_s, segment.end_s) for segment in segments if segment.skip)


def cues_for(segments: Sequence[Segment], placements: Sequence[Placement]) -> tuple[Cue, ...]:
    """Subtitles that follow the placed clips; lines that keep the original sound keep their times."""
    placed = {p.segment_id: p for p in placements}
    cues = []
    for segment in segments:
        p = placed.get(segment.id)
        start_s, end_s = (p.start_s, p.start_s + p.duration_s) if p else (segment.start_s, segment.end_s)
        if segment.text.strip():
            cues.append(Cue(start_s, end_s, segment.text.strip()))
    return tuple(sorted(cues, key=lambda cue: (cue.start_s, cue.end_s)))


async def mux(
    kit: Kit,
    source: Path,
    info: MediaInfo,
    sound: Sound,
    track: Path,
    cues: Sequence[Cue],
    options: DubOptions,
    language: str | None,
    report: Report,
) -> tuple[Artifact, ...]:
    """The finished files: subtitles always, the video unless the source is sound alone. The picture is stream-copied unless subtitles are burned."""
    from app.dubbing import burn as burning
    from app.dubbing import mux as muxing

    free = kit.blobs.free_bytes()
    if free < 2 * info.size_bytes + (64 << 20):
        raise DubError(DISK_FULL, f"{free >> 20} MB are free.")
    with kit.workspace.folder("mux") as folder:
        srt, vtt = folder / "subtitles.srt", folder / "subtitles.vtt"
        srt.write_text(write_srt(cues), encoding="utf-8")
        vtt.write_text(write_vtt(cues), encoding="utf-8")
        video: Path | None = None
        if info.video is not None:
            burned: Path | None = None
            copied = 0.0
            if options.burn_subtitles and cues:
                copied = 0.95
                burned = folder / "burned.mp4"
                await burning.burn(
                    burning.BurnRequest(
                        source=source,
                        out=burned,
                        info=info,
                        duration_s=sound.duration_s,
                        cues=tuple(cues),
                        work=folder,
                        threads=kit.threads,
                        limits=kit.limits,
                    ),
                    lambda fraction: report(fraction * copied, "burning subtitles"),
                )
            extension = "mp4" if burned is not None else muxing.output_extension(info)
            video = folder / f"video.{extension}"
            await muxing.mux(
                muxing.MuxRequest(
                    source=source, track=track, out=video, info=info, duration_s=sound.duration_s, language=spoken_language(options, language),
                    source_language=options.language or language, subtitles_srt=srt if cues else None,
                    keep_original_track=options.keep_original_track and bool(info.audio), audio_track=options.audio_track, burned=burned,
                    limits=kit.limits,
                ),
                lambda fraction: report(copied + fraction * (1 - copied), ""),
            )  # fmt: skip

        def keep_all() -> tuple[Artifact, ...]:
            files = [(video, ArtifactKind.VIDEO), (srt, ArtifactKind.SRT), (vtt, ArtifactKind.VTT)]
            return tuple(keep_artifact(kit, path, kind) for path, kind in files if path is not None)

        return await asyncio.to_thread(keep_all)


def keep_artifact(kit: Kit, path: Path, kind: ArtifactKind) -> Artifact:
    """Move a finished file into the store under its own hash."""
    size_bytes, digest, extension = path.stat().st_size, sha256_of(path), path.suffix.lstrip(".")
    key = f"artifacts/{digest}.{extension}"
    kit.blobs.adopt(path, key)
    return Artifact(kind, key, size_bytes, digest, MEDIA_TYPES[extension], extension)


def source_artifact(key: str, info: MediaInfo, digest: str) -> Artifact:
    """The person's own file, for the player: its media type follows what it is, never its name."""
    for names, media_type, extension in _SOURCE_TYPES:
        if any(name in names for name in info.format.split(",")):
            if info.video is None:
                media_type = media_type.replace("video/", "audio/")
            return Artifact(ArtifactKind.SOURCE, key, info.size_bytes, digest, media_type, extension)
    return Artifact(ArtifactKind.SOURCE, key, info.size_bytes, digest, "application/octet-stream", "bin")


def studio_artifacts(kit: Kit, sound: Sound) -> tuple[Artifact, ...]:
    """What the studio shows of a prepared job: peaks and thumbnail."""

    def artifact(key: str, kind: ArtifactKind) -> Artifact:
        path = kit.blobs.path(key)
        extension = path.suffix.lstrip(".")
        return Artifact(kind, key, path.stat().st_size, sha256_of(path), MEDIA_TYPES[extension], extension)

    found = [artifact(sound.peaks, ArtifactKind.PEAKS)]
    if sound.thumbnail:
        found.append(artifact(sound.thumbnail, ArtifactKind.THUMBNAIL))
    return tuple(found)
