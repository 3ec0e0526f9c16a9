"""What a mux is asked for."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.domain.media import AudioStream, MediaInfo
from app.dubbing.subtitles.srt_vtt import Cue
from app.system.children import NO_LIMITS, Limits


class DubbedTrack(msgspec.Struct, frozen=True):
    """The first sound of a file, on the video's timeline. `codec` is FFmpeg's name of it; `language` is ISO 639-1 or
    None, `disposition` FFmpeg's: "dub" or "original"."""

    path: Path
    codec: str
    language: str | None
    title: str = "Dub"
    disposition: str = "dub"


class CueTrack(msgspec.Struct, frozen=True):
    """Soft subtitles. `language` is ISO 639-1 or None."""

    cues: tuple[Cue, ...]
    language: str | None
    title: str


class MuxRequest(msgspec.Struct, frozen=True):
    """`out`'s extension names the container: mp4, mkv, webm, or m4a for sound alone; `output_extension` says which
    takes the picture.

    The first dub comes first; `default` counts them and is what a player starts with. `original` is the source's track
    to keep, `source_language` what is spoken in it. `burned` is what `app.dubbing.video.burn` made: it replaces the
    source's picture. `work` is a folder for small files; `pieces`, where given, is one that outlives a kill: a copy
    goes on there where it was.
    """

    source: Path
    out: Path
    info: MediaInfo
    duration_s: float
    dubs: tuple[DubbedTrack, ...]
    work: Path
    lines: tuple[CueTrack, ...] = ()
    original: AudioStream | None = None
    source_language: str | None = None
    burned: Path | None = None
    default: int = 0
    pieces: Path | None = None
    limits: Limits = NO_LIMITS
