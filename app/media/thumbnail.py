"""Makes a film's thumbnail for the library. Runs in a child process: it imports av."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.codec.context import CodecContext
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from app.media.safe_open import open_input, packets, restrict

_MAX_SIDE: Final = 480
_DARK: Final = 24.0  # a frame with a lower mean luma counts as a fade
_PACKETS: Final = 300


def write_thumbnail(path: Path, stream_index: int, duration_s: float, out: Path) -> bool:
    """Write a JPEG of at most 480 pixels a side, upright, from a tenth into the film, or later where that is black.
    False when no frame decodes."""
    chosen: tuple[VideoFrame, Fraction] | None = None
    for share in (0.1, 0.3, 0.5, 0.0):
        found = _frame_at(path, stream_index, duration_s * share)
        if found is None:
            continue
        chosen = found
        if float(np.mean(found[0].to_ndarray(format="gray"))) > _DARK:
            break
    if chosen is None:
        return False
    out.write_bytes(_jpeg(*chosen))
    return True


def _frame_at(path: Path, stream_index: int, at_s: float) -> tuple[VideoFrame, Fraction] | None:
    """The key frame before `at_s`, which costs one decode, and how wide its pixels are."""
    with open_input(path) as container:
        stream = container.streams[stream_index]
        if not isinstance(stream, VideoStream) or stream.codec_context is None:
            return None
        restrict(stream.codec_context)
        try:
            if at_s > 0:
                container.seek((container.start_time or 0) + round(at_s * 1_000_000))
            frame = next(_frames(container, stream), None)
        except av.FFmpegError:
            return None
        return (frame, stream.sample_aspect_ratio or Fraction(1)) if frame is not None else None


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in itertools.islice(packets(container, stream), _PACKETS):
        try:
            yield from (frame for frame in packet.decode() if isinstance(frame, VideoFrame))
        except av.FFmpegError:  # a frame whose references were cut off
            continue


def _jpeg(frame: VideoFrame, aspect: Fraction) -> bytes:
    width, height = frame.width * float(aspect), float(frame.height)
    scale = min(1.0, _MAX_SIDE / max(width, height))
    small = frame.reformat(width=max(2, round(width * scale)), height=max(2, round(height * scale)), format="rgb24")
    pixels = np.rot90(small.to_ndarray(), k=frame.rotation // 90 % 4)
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(pixels, dtype=np.uint8), format="rgb24").reformat(
        format="yuvj420p"
    )
    encoder = CodecContext.create("mjpeg", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise TypeError("mjpeg encodes pictures")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = (
        picture.width,
        picture.height,
        "yuvj420p",
        Fraction(1, 25),
    )
    encoder.options = {"qmin": "4", "qmax": "4"}
    picture.pts, picture.time_base = 0, encoder.time_base
    return b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))
