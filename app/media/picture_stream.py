"""Finds a container's video stream, its end, and obstacles to copying it. Runs in a child process: it imports av."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from app.domain.media import Obstacle
from app.media.safe_open import RESTART_S, latest_s, open_input, packets, restarts, restrict

_STILL: Final = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_STILL_CODECS: Final = frozenset({"mjpeg", "png", "bmp", "gif", "webp"})
_STILL_S: Final = 0.5
_MOST_SIZES: Final = 1_000  # each costs one decode

Size = tuple[int, int]


class PictureEnd:
    """Hears the packets of the film while the sound is read, and knows when the last picture ends.

    `end_s` counts from the container's start; 0 when there is no picture. Jumps are taken as the sound's are. `sizes`
    are those that new parameter sets announce on the way, the first one included; empty where there are none.
    """

    def __init__(self) -> None:
        self.end_s = 0.0
        self.sizes: list[Size] = []
        self._offset_s = 0.0
        self._tick_s = 0.0
        self._edits = _Edits()

    @property
    def largest(self) -> Size | None:
        """The size of the most pixels, the first of them; None where no size was announced."""
        return max(self.sizes, key=lambda size: size[0] * size[1], default=None)

    @property
    def obstacle(self) -> Obstacle | None:
        """Why the picture cannot be copied unchanged; None when it can."""
        if self._edits.cut:
            return Obstacle.EDITS
        if self.sizes:
            return Obstacle.SIZES if len(set(self.sizes)) > 1 else Obstacle.PARAMETERS
        return Obstacle.START if self._edits.starts_inside else None

    def hear(self, packet: Packet[Any], container: InputContainer) -> None:
        if not self._tick_s:
            self._learn(packet, container)
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None:
            return
        if self._has_edits:
            self._edits.hear(at, packet)
        if packet.is_discard:
            return
        if packet.has_sidedata("new_extradata") and len(self.sizes) < _MOST_SIZES:
            self._measure(packet)
        at_s = at * self._tick_s - self._start_s
        if self.end_s and self._restarts and abs(at_s + self._offset_s - self.end_s) > RESTART_S:
            self._offset_s = self.end_s - at_s
        if at_s + self._offset_s <= self._latest_s:  # else one damaged packet, not the film, is that late
            self.end_s = max(
                self.end_s, at_s + self._offset_s + ((packet.duration or 0) * self._tick_s or self._picture_s)
            )

    def _learn(self, packet: Packet[Any], container: InputContainer) -> None:
        """What is the same for all packets: asking for it each time would be most of the work."""
        self._tick_s = float(packet.time_base or 0)
        self._start_s = (container.start_time or 0) / 1e6
        self._restarts = restarts(container)
        self._latest_s = latest_s(container)
        self._has_edits = container.format.name.startswith("mov")
        rate = packet.stream.average_rate if isinstance(packet.stream, VideoStream) else None
        self._picture_s = float(1 / rate) if rate else 0.0

    def _measure(self, packet: Packet[Any]) -> None:
        """The size that the packet's new parameter sets give it; a packet that does not decode says nothing."""
        context = packet.stream.codec_context
        if context is None:
            return
        first = (context.width, context.height)
        size = _size_of(packet, context.name)
        if size is not None:
            self.sizes += [size] if self.sizes or not all(first) else [first, size]


class _Edits:
    """What an MP4's edit list does to the picture, as the demuxer carries it out: packets that are decoded and not
    shown, and clocks that go back.

    `starts_inside`: the film begins within a group of pictures. `cut`: something within it was cut out or moved, which
    no copy can keep.
    """

    def __init__(self) -> None:
        self.starts_inside = self.cut = False
        self._last_dts: int | None = None
        self._first_shown: int | None = None
        self._earliest_hidden: int | None = None  # of those within the film

    def hear(self, at: int, packet: Packet[Any]) -> None:
        if packet.dts is not None:
            self.cut = self.cut or (self._last_dts is not None and packet.dts <= self._last_dts)
            self._last_dts = packet.dts
        if not packet.is_discard:
            self._first_shown = at if self._first_shown is None else min(at, self._first_shown)
            # At the film's end, pictures that are decoded first and shown last are hidden, and none that is shown comes
            # after them.
            self.cut = self.cut or (self._earliest_hidden is not None and at >= self._earliest_hidden)
        elif self._first_shown is None:
            self.starts_inside = True
        elif at >= self._first_shown:
            self._earliest_hidden = at if self._earliest_hidden is None else min(at, self._earliest_hidden)


def _size_of(packet: Packet[Any], codec: str) -> Size | None:
    decoder = CodecContext.create(codec, "r")
    restrict(decoder)
    side = packet.get_sidedata("new_extradata")
    decoder.extradata = bytes(side)
    alone: Packet[Any] = av.Packet(bytes(packet))
    try:
        for frame in (*decoder.decode(alone), *decoder.decode(None)):  # type: ignore[attr-defined]
            if isinstance(frame, VideoFrame):
                return frame.width, frame.height
    except av.FFmpegError:
        pass
    return None


def moving_picture(container: InputContainer) -> VideoStream | None:
    """The first video stream that is a film: no cover, no thumbnail track, and no still before the film, whether it is
    marked as one or not."""
    films = [stream for stream in container.streams.video if not stream.disposition & _STILL]
    if len(films) > 1:
        films.sort(key=lambda stream: (_is_still(stream, container), _codec(stream) in _STILL_CODECS))
    return films[0] if films else None


def _is_still(stream: VideoStream, container: InputContainer) -> bool:
    """Whether the container says that the stream holds one picture, or lasts no time in a file that does."""
    counts = {value.strip() for key, value in stream.metadata.items() if key.startswith("NUMBER_OF_FRAMES")}
    return stream.frames == 1 or "1" in counts or _lasts_s(stream) < min(_STILL_S, (container.duration or 0) / 1e6)


def _lasts_s(stream: VideoStream) -> float:
    """By the header or Matroska's tag; a long time where neither says."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 1e9


def _codec(stream: VideoStream) -> str:
    return stream.codec_context.name if stream.codec_context else "unknown"


def watch(path: Path) -> PictureEnd:
    """Read the packets of the film to their end. Nothing is decoded but the first picture of every new size."""
    pictures = PictureEnd()
    with open_input(path) as container:
        picture = moving_picture(container)
        for packet in packets(container, picture) if picture is not None else ():
            pictures.hear(packet, container)
    return pictures
