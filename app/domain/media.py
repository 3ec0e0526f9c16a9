"""Media files: their streams, which files are accepted, and the artifacts of a job."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from app.domain.json_decoding import Count


class Obstacle(StrEnum):
    """Why a picture cannot be copied unchanged, as its packets show.

    EDITS: an MP4's edit list cuts something out of it: it is encoded. START: it begins within a group of pictures,
    which only MP4 can say. PARAMETERS: its decoder's parameters change on the way; SIZES: and with them its size. They
    are copied into the stream where its codec takes them.
    """

    EDITS = "edits"
    SIZES = "sizes"
    START = "start"
    PARAMETERS = "parameters"


class VideoStream(msgspec.Struct, frozen=True):
    """The video stream. `rotation_deg` is clockwise, as a player must turn it. `obstacle` is known once the file has
    been read to its end; of a film that changes its size, `width` and `height` are then the largest.
    """

    index: Count
    codec: str
    width: Count
    height: Count
    fps: float
    rotation_deg: int
    obstacle: Obstacle | None = None


class AudioStream(msgspec.Struct, frozen=True):
    """One audio stream; `track` counts audio streams from 0 (ffmpeg's `0:a:track`).

    `default`: the file says that a player starts with it. `silent`: nothing was heard in it, and something in another.
    `purpose` is "commentary" or "description" (of the picture, for the blind); None for the film's own sound.
    """

    index: Count
    track: Count
    codec: str
    sample_rate_hz: Count
    channels: Count
    language: str | None
    title: str | None
    default: bool = False
    silent: bool = False
    purpose: str | None = None


class MediaInfo(msgspec.Struct, frozen=True):
    """A probed source. `duration_s` is the container's claim until ingest has decoded the file, then the measured
        value. `heard` is the audio
    track that is used when none was chosen. `incomplete` says what is missing at the file's end, "" when nothing is:
    such a file is dubbed as far as it goes.
    """

    format: str
    duration_s: float
    start_s: float
    size_bytes: Count
    video: VideoStream | None
    audio: tuple[AudioStream, ...]
    heard: int | None = None
    incomplete: str = ""


class ArtifactKind(StrEnum):
    """The kinds of files that a job makes. Those up to REPORT are for the person, the others for the page and the next
    stage.

    SRT, VTT and ASS are in the language that is spoken now; SOURCE_SRT is in the original's, where that is another.
    TRACK is the dub as the video has it, when the AUDIO file is in another format.
    """

    VIDEO = "video"
    AUDIO = "audio"
    SRT = "srt"
    VTT = "vtt"
    ASS = "ass"
    SOURCE_SRT = "source_srt"
    REPORT = "report"
    SOURCE = "source"
    PEAKS = "peaks"
    THUMBNAIL = "thumbnail"
    TRACK = "track"


# The part of a file name after the title: no two files of a job have the same name.
NAMED: Final = {ArtifactKind.SOURCE_SRT: ".original", ArtifactKind.REPORT: ".report"}


class Artifact(msgspec.Struct, frozen=True):
    """One finished file. `key` names the blob; `sha256` is of its bytes and serves as ETag."""

    kind: ArtifactKind
    key: str
    size_bytes: Count
    sha256: str
    media_type: str
    extension: str


# FFmpeg demuxer names. Playlists and scripts (hls, dash, concat, sdp, lavfi) are never allowed: they read other files.
# MXF and DV read only their own bytes, and the codecs that cameras put into them are among the decoders.
FORMAT_WHITELIST: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,flv,live_flv,asf,ogg,wav,w64,mp3,aac,flac,mpeg,mpegvideo,"
    "ac3,eac3,dts,aiff,au,caf,amr,wv,tta,rm,mxf,dv"
)

MAX_TEXT_CHARACTERS: Final = 5_000
