"""An encoded picture that lies in pieces, put together without encoding it again. Runs in a child process: it imports
av and numpy."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_TOOL_FAILED
from app.media.packets import AAC, SAMPLE_RATE_HZ, TICK, encode
from app.system.durable_files import Durable, replacing

_CLOCK_N: Final = SAMPLE_RATE_HZ // 10
# else libavformat decodes pictures of each piece to describe it: 30 ms instead of 0.2 for 4K
_NO_DECODER: Final = {"codec_whitelist": "none"}


def join(pieces: Sequence[Callable[[], bytes]], out: Path) -> None:
    """Write the pieces (NUT, each beginning with a key frame that nothing reaches behind) as one MP4, every picture at
    its own time.

    An MP4 whose pictures start late would be shifted to 0 when it is read again; a short silence from 0 on holds its
    clock. It is on disk when this returns.
    """
    order = _Order(packet.pts for packet in _packets(pieces))
    with (
        replacing(out, durable=Durable.CONTENT) as written,
        av.open(io.BytesIO(pieces[0]()), "r", format="nut") as first,
        av.open(str(written), "w", format="mp4") as container,
    ):
        picture = container.add_stream_from_template(first.streams.video[0])
        picture.time_base = first.streams.video[0].time_base
        clock = container.add_stream("aac", rate=SAMPLE_RATE_HZ)
        if not isinstance(clock, AudioStream):
            raise DubError(MEDIA_TOOL_FAILED, "There is no aac encoder.")
        clock.layout = "stereo"
        container.start_encoding()
        for at_n, data in encode(AAC, np.zeros((_CLOCK_N, 2), np.float32), 0).packets:
            silence = Packet(data)
            silence.stream, silence.time_base, silence.pts, silence.dts = clock, TICK, at_n, at_n
            silence.duration, silence.is_keyframe = AAC.frame_n, True
            container.mux(silence)
        for packet in _packets(pieces):
            packet.dts = order.next()
            packet.stream = picture
            container.mux(packet)


def _packets(pieces: Sequence[Callable[[], bytes]]) -> Iterator[Packet[Any]]:
    for piece in pieces:
        with av.open(io.BytesIO(piece()), "r", format="nut", options=_NO_DECODER) as container:
            for packet in container.demux(video=0):
                if packet.pts is not None:
                    yield packet


class _Order:
    """When each packet is decoded: the pictures' times in order, as much earlier as the encoder's reordering takes.
    Pieces know only their own."""

    def __init__(self, shown: Iterable[int | None]) -> None:
        times = np.fromiter((at for at in shown if at is not None), np.int64)
        if not len(times):
            raise DubError(MEDIA_TOOL_FAILED, "No picture was encoded.")
        self._times = np.sort(times)
        ranks = np.searchsorted(self._times, times)
        self._late = int(max(0, (np.arange(len(times)) - ranks).max()))
        self._step = max(1, int(Fraction(int(self._times[-1] - self._times[0]), max(1, len(times) - 1))))
        self._at = 0

    def next(self) -> int:
        place = self._at - self._late
        self._at += 1
        return int(self._times[place]) if place >= 0 else int(self._times[0]) + place * self._step
