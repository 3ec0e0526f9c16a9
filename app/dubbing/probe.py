"""Container -> MediaInfo. Runs in a child process: it imports av and reads a stranger's file."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import av
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from app.domain.errors import FILE_EMPTY, NOT_MEDIA, PLAYLIST, DubError
from app.domain.media import AudioStream, MediaInfo, VideoStream
from app.dubbing.tasks import ProbeRequest
from app.media.decode import moving_picture, open_input, restrict

_HEAD_BYTES: Final = 64 << 10
_ROTATION_PACKETS: Final = 400  # enough for the first key frame of a stream that was cut in the middle
_MAX_PIXELS: Final = 16_384 * 16_384

# How the scripts begin that FFmpeg would open and that name other files: HLS, ffconcat, SDP, DASH, Smooth Streaming, ISMV, PLS, ASX, SMIL, XSPF.
_SCRIPTS: Final = (
    re.compile(rb"#EXTM3U\b"),
    re.compile(rb"ffconcat version\b"),
    re.compile(rb"file\s+['\"/\w]"),
    re.compile(rb";FFMETADATA"),
    re.compile(rb"v=0\r?\n\s*o="),
    re.compile(rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<(?:\w+:)?(?:MPD|SmoothStreamingMedia|asx|smil|playlist)\b", re.I | re.S),
    re.compile(rb"\[playlist\]", re.I),
    re.compile(rb"\[Reference\]", re.I),
    re.compile(rb"(?:https?|rtsp|rtmp|ftp|concat|subfile|data|file|crypto|cache|async|tcp|udp)(?::|\+|,,)\S+\s*\Z", re.I),
)


def probe_task(request: ProbeRequest, report: Callable[[float], None]) -> MediaInfo:
    """`probe`, as the child process calls it."""
    return probe(Path(request.path))


def probe(path: Path) -> MediaInfo:
    """What the file is: container, duration by its header, the first real video stream, every audio stream.

    `rotation_deg` comes from a decoded frame. Cover pictures are no video. A file without audio is reported as such, not refused.
    Raises FILE_EMPTY, PLAYLIST, NOT_MEDIA.
    """
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise DubError(FILE_EMPTY)
    refuse_scripts(path)
    with open_input(path) as container:
        audio = tuple(_audio(stream, track) for track, stream in enumerate(container.streams.audio))
        moving = moving_picture(container)
        video = _video(container, moving) if moving is not None else None
        if video is None and not audio:
            raise DubError(NOT_MEDIA, "It has neither pictures nor sound.")
        return MediaInfo(
            format=container.format.name, duration_s=max(0.0, (container.duration or 0) / 1e6), start_s=(container.start_time or 0) / 1e6,
            size_bytes=size_bytes, video=video, audio=audio,
        )


def refuse_scripts(path: Path) -> None:
    """Raise PLAYLIST when the file is a text that tells FFmpeg to read other files, whatever its name says."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", errors="ignore").encode()
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if any(script.match(head) for script in _SCRIPTS) or _is_commented_concat(head):
        raise DubError(PLAYLIST)


def _is_commented_concat(head: bytes) -> bool:
    """A list of `file ...` lines behind comments, which FFmpeg's concat demuxer takes too."""
    lines = [line.strip() for line in head.splitlines()]
    spoken = next((line for line in lines if line and not line.startswith(b"#")), b"")
    return bool(re.match(rb"(?:file|ffconcat|stream|option|duration)\s+\S", spoken)) and b"\0" not in head


def _audio(stream: AvAudioStream, track: int) -> AudioStream:
    context = stream.codec_context
    return AudioStream(
        index=stream.index, track=track, codec=codec_name(stream), sample_rate_hz=(context.sample_rate or 0) if context else 0,
        channels=(context.layout.nb_channels or 0) if context else 0, language=_word(stream, "language"), title=_word(stream, "title"),
    )


def _word(stream: Stream, key: str) -> str | None:
    text = "".join(c for c in stream.metadata.get(key, "") if c.isprintable()).strip()[:200]
    return text if text and text != "und" else None


def codec_name(stream: AvAudioStream | AvVideoStream) -> str:
    """FFmpeg's name of the codec ("h264", "av1"), whichever decoder reads it; "unknown" where none does."""
    return stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"


def _video(container: InputContainer, stream: AvVideoStream) -> VideoStream | None:
    context = stream.codec_context
    if context is None or not 0 < context.width * context.height <= _MAX_PIXELS:
        return None
    frame = first_frame(container, stream)
    rate = stream.average_rate or stream.guessed_rate or 0
    return VideoStream(
        index=stream.index, codec=codec_name(stream), width=frame.width if frame else context.width, height=frame.height if frame else context.height,
        fps=float(rate), rotation_deg=-frame.rotation % 360 if frame else 0,
    )


def first_frame(container: InputContainer, stream: AvVideoStream) -> VideoFrame | None:
    """The next frame that decodes from where the container stands; None when the first packets hold none."""
    restrict(stream.codec_context)
    stream.thread_type = "NONE"  # a frame-threaded decoder wants many packets before its first frame
    packets = container.demux(stream)
    for _ in range(_ROTATION_PACKETS):
        try:
            packet = next(packets, None)
            if packet is None:
                return None
            for frame in itertools.islice(packet.decode(), 1):
                if isinstance(frame, VideoFrame):
                    return frame
        except av.FFmpegError:
            continue
    return None
