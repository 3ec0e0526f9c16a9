"""Describes a container's streams through PyAV. Runs in a child process: it imports av and reads an untrusted file."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

import av
import msgspec
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from app.domain.media import AudioStream, MediaInfo, VideoStream
from app.domain.problems.media import NOT_MEDIA
from app.media.completeness import missing
from app.media.picture_stream import moving_picture
from app.media.safe_open import open_input, packets, restrict, unreadable
from app.media.silent_tracks import silent_tracks

_ROTATION_PACKETS: Final = 400  # enough for the first key frame of a stream that was cut in the middle
_PURPOSES: Final = {
    Disposition.comment: "commentary",
    Disposition.visual_impaired: "description",
    Disposition.descriptions: "description",
}
_MAX_PIXELS: Final = 16_384 * 16_384


def describe(path: Path) -> MediaInfo:
    """Container, duration by its header, the first real video stream, every audio stream. Raises NOT_MEDIA,
    MEDIA_DAMAGED, MEDIA_INCOMPLETE."""
    with open_input(path) as container:
        audio = tuple(_audio(stream, track) for track, stream in enumerate(container.streams.audio))
        if len(audio) > 1:
            silent = silent_tracks(path)
            audio = tuple(msgspec.structs.replace(stream, silent=stream.track in silent) for stream in audio)
        moving = moving_picture(container)
        video = _video(container, moving) if moving is not None else None
        if video is None and not audio:
            raise unreadable(path, NOT_MEDIA, "It has neither pictures nor sound.")
        return MediaInfo(
            format=container.format.name,
            duration_s=max(0.0, (container.duration or 0) / 1e6),
            start_s=(container.start_time or 0) / 1e6,
            size_bytes=path.stat().st_size,
            video=video,
            audio=audio,
            incomplete=missing(path),
        )


def _audio(stream: AvAudioStream, track: int) -> AudioStream:
    context = stream.codec_context
    return AudioStream(
        index=stream.index,
        track=track,
        codec=_codec_name(stream),
        sample_rate_hz=(context.sample_rate or 0) if context else 0,
        channels=(context.layout.nb_channels or 0) if context else 0,
        language=_word(stream, "language"),
        title=_word(stream, "title"),
        default=bool(stream.disposition & Disposition.default),
        purpose=next((word for flag, word in _PURPOSES.items() if stream.disposition & flag), None),
    )


def _word(stream: Stream, key: str) -> str | None:
    text = "".join(c for c in stream.metadata.get(key, "") if c.isprintable()).strip()[:200]
    return text if text and text != "und" else None


def _codec_name(stream: AvAudioStream | AvVideoStream) -> str:
    """FFmpeg's name of the codec ("h264", "av1"), whichever decoder reads it; "unknown" where none does."""
    return stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"


def _video(container: InputContainer, stream: AvVideoStream) -> VideoStream | None:
    context = stream.codec_context
    if context is None or not 0 < context.width * context.height <= _MAX_PIXELS:
        return None
    frame = _first_frame(container, stream)
    rate = stream.average_rate or stream.guessed_rate or 0
    shown = frame or context
    return VideoStream(
        index=stream.index,
        codec=_codec_name(stream),
        width=shown.width,
        height=shown.height,
        fps=float(rate),
        rotation_deg=-frame.rotation % 360 if frame else 0,
    )


def _first_frame(container: InputContainer, stream: AvVideoStream) -> VideoFrame | None:
    """The next frame that decodes from where the container stands; None when the first packets hold none."""
    restrict(stream.codec_context)
    stream.thread_type = "NONE"  # a frame-threaded decoder wants many packets before its first frame
    for packet in itertools.islice(packets(container, stream), _ROTATION_PACKETS):
        try:
            for frame in packet.decode():
                if isinstance(frame, VideoFrame):
                    return frame
        except av.FFmpegError:
            continue
    return None
