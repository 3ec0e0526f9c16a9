"""Opens untrusted files with whitelisted containers and decoders only. Runs in a child process: it imports av."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from app.domain.errors import DubError
from app.domain.media import FORMAT_WHITELIST
from app.domain.problems.media import MEDIA_DAMAGED, MEDIA_INCOMPLETE, NOT_MEDIA
from app.media.codecs import CODEC_WHITELIST
from app.media.completeness import missing

RESTART_S: Final = 10  # ffmpeg's own threshold (dts_delta_threshold)
_OPEN_TIMEOUT_S: Final = 30.0
_LEAST_BITS_S: Final = 1_000  # AMR at its lowest, half of it pauses; no recording takes less
_ALWAYS_BELIEVED_S: Final = 60.0
_MXF: Final = b"\x06\x0e\x2b\x34"  # SMPTE 298: every key begins so


def open_input(path: Path) -> InputContainer:
    """Open an untrusted file: known containers and decoders only, no other file, no network.
    FFmpeg does not get its name: the container is detected from its bytes, as in the ffmpeg program.

        The caller closes it (`with`). Raises NOT_MEDIA, or MEDIA_DAMAGED when it begins like a container and cannot be
        opened, MEDIA_INCOMPLETE when that is because its end is missing.
    """
    with path.open("rb", buffering=0) as file:  # FFmpeg duplicates the descriptor
        options = {
            "fd": str(file.fileno()),
            "protocol_whitelist": "fd",
            "format_whitelist": FORMAT_WHITELIST,
            "codec_whitelist": CODEC_WHITELIST,
        }
        try:
            return av.open("fd:", timeout=_OPEN_TIMEOUT_S, metadata_errors="replace", container_options=options)
        except (av.FFmpegError, ValueError) as error:
            raise unreadable(path, NOT_MEDIA if not _begins_like_media(path) else MEDIA_DAMAGED) from error


def open_part(data: BinaryIO) -> InputContainer:
    """Open a part of an MP4 that was written here, with the same whitelists. Raises av.FFmpegError."""
    options = {"format_whitelist": FORMAT_WHITELIST, "codec_whitelist": CODEC_WHITELIST}
    return av.open(data, "r", format="mov", metadata_errors="replace", container_options=options)


def unreadable(path: Path, otherwise: Any, detail: str = "") -> DubError:
    """The error for an unreadable file: media_incomplete when its structure shows a missing end, else the problem
    `otherwise`."""
    lack = missing(path)
    return DubError(MEDIA_INCOMPLETE, lack) if lack else DubError(otherwise, detail)


def _begins_like_media(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    known = head.startswith((b"\x1a\x45\xdf\xa3", b"OggS", b"fLaC", b"FLV", _MXF))
    return known or head[4:8] in (b"ftyp", b"moov", b"mdat") or head[8:12] in (b"AVI ", b"WAVE")


def restrict(codec_context: Any) -> None:
    """Let a stream's decoder open only when it is one of the known ones, in this thread alone: on a machine with 64
    processors its threads would take more address space than the child may have. Call it before the first decode.
    Raises MEDIA_DAMAGED without a decoder.
    """
    if codec_context is None:
        raise DubError(MEDIA_DAMAGED, "Its codec is not known.")
    codec_context.options = {**codec_context.options, "codec_whitelist": CODEC_WHITELIST}
    codec_context.thread_count = 1


def restarts(container: InputContainer) -> bool:
    """Whether the format is known for clocks that jump, where several recordings were joined."""
    return container.format.name in ("mpegts", "mpegtsraw", "mpeg")


def latest_s(container: InputContainer) -> float:
    """The latest plausible time: the container's duration, or, when that is missing or too short, the longest that its
    bytes could last. Otherwise a single damaged timestamp would add hours of silence.
    """
    return latest_of((container.duration or 0) / 1e6, container.size)


def latest_of(duration_s: float, size_bytes: int) -> float:
    """`latest_s` of a file that is not open here."""
    slowest_s = size_bytes * 8 / _LEAST_BITS_S if size_bytes > 0 else 0.0
    return max(duration_s + RESTART_S, slowest_s, _ALWAYS_BELIEVED_S)


def packets(container: InputContainer, *streams: Stream | None) -> Iterator[Packet[Any]]:
    """The packets of these streams, as far as the container can be read."""
    packets = container.demux(*[stream for stream in streams if stream is not None])
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # the container breaks off here
            return
        except IndexError:  # its end, where PyAV 18 stumbles over streams that appeared on the way (MPEG-TS, FLV)
            return
        if packet is None:
            return
        yield packet
