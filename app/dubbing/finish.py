"""The last stage: subtitles, and the finished video."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from app.domain.errors import DISK_FULL, DubError
from app.domain.job import DubOptions
from app.domain.media import Artifact, ArtifactKind, MediaInfo
from app.domain.segment import Placement, Segment
from app.dubbing.kit import Kit, Report
from app.dubbing.outputs import keep_artifact
from app.dubbing.pipeline import Sound, spoken_language
from app.dubbing.subtitles import Cue, write_srt, write_vtt


class Finished(msgspec.Struct, frozen=True):
    """The files, and what the report says of them: `duration_s` is the finished video's (or sound's) as the file itself says; `picture` is
    "copied", or the encoder that drew the subtitles; None without a picture.
    """

    artifacts: tuple[Artifact, ...]
    duration_s: float
    picture: str | None


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


async def finish(
    kit: Kit,
    source: Path,
    info: MediaInfo,
    sound: Sound,
    track: Path,
    segments: Sequence[Segment],
    placements: Sequence[Placement],
    options: DubOptions,
    language: str | None,
    report: Report,
) -> Finished:
    """The finished files: subtitles always, the video unless the source is sound alone. The picture is stream-copied unless subtitles are burned."""
    from app.dubbing import burn as burning
    from app.dubbing import mux as muxing

    cues = cues_for(segments, placements)
    free = kit.blobs.free_bytes()
    if free < 2 * info.size_bytes + (64 << 20):
        raise DubError(DISK_FULL, f"{free >> 20} MB are free.")
    with kit.workspace.folder("mux") as folder:
        srt, vtt = folder / "subtitles.srt", folder / "subtitles.vtt"
        srt.write_text(write_srt(cues), encoding="utf-8")
        vtt.write_text(write_vtt(cues), encoding="utf-8")
        video: Path | None = None
        burned: Path | None = None
        if info.video is not None:
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

        made = await asyncio.to_thread(keep_all)
    return Finished(made, sound.duration_s, None if info.video is None else "libx264" if burned is not None else "copied")
