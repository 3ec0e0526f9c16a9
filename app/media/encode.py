"""AAC by PyAV: a piece of sound -> packets, packets -> an M4A file. Runs in a child process: it imports av and numpy."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from app.domain.errors import MEDIA_TOOL_FAILED, DubError

SAMPLE_RATE_HZ: Final = 48_000
FRAME_N: Final = 1_024  # samples in an AAC frame
PRIMING_N: Final = 1_024  # the encoder's delay: its first packet decodes to silence from before the start
BIT_RATE: Final = 160_000
CODER: Final = "twoloop"

Samples = npt.NDArray[np.float32]
_TICK = Fraction(1, SAMPLE_RATE_HZ)


def encode_aac(samples: Samples, first_n: int) -> list[tuple[int, bytes]]:
    """Every packet of float32 (n, 2) samples, with the position of its first sample; `first_n` is that of samples[0].

    Decoding the packets gives the samples back at their positions, after PRIMING_N of silence before `first_n`. The last frame is filled
    with silence. Releases the GIL while it encodes.
    """
    context = av.codec.CodecContext.create("aac", "w")
    if not isinstance(context, av.AudioCodecContext):
        raise DubError(MEDIA_TOOL_FAILED, "There is no AAC encoder.")
    context.sample_rate, context.layout, context.format = SAMPLE_RATE_HZ, "stereo", "fltp"
    context.bit_rate, context.options, context.time_base = BIT_RATE, {"aac_coder": CODER}, _TICK
    packets: list[tuple[int, bytes]] = []
    for at_n in range(0, len(samples), SAMPLE_RATE_HZ):
        part = samples[at_n : at_n + SAMPLE_RATE_HZ]
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(part.T), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, first_n + at_n, _TICK
        packets += [(packet.pts, bytes(packet)) for packet in context.encode(frame) if packet.pts is not None]
    return packets + [(packet.pts, bytes(packet)) for packet in context.encode(None) if packet.pts is not None]


class M4aWriter:
    """Writes AAC packets to an M4A that plays exactly `duration_n` samples from the first one at position 0.

    The file appears under its name when the `with` block ends without an error; before that, and after an error, it is absent.
    Packets come in order, from position -PRIMING_N on; the edit list tells a decoder to drop that silence.
    """

    def __init__(self, path: Path, duration_n: int) -> None:
        self._path = path
        self._written = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._duration_n = duration_n
        options = {"movflags": "+faststart", "movie_timescale": str(SAMPLE_RATE_HZ)}  # the edit list then ends at a sample, not at a millisecond
        self._container = av.open(str(self._written), "w", format="ipod", container_options=options)
        stream = self._container.add_stream("aac", rate=SAMPLE_RATE_HZ)
        if not isinstance(stream, AudioStream):
            raise DubError(MEDIA_TOOL_FAILED, "There is no AAC encoder.")
        stream.layout, stream.bit_rate = "stereo", BIT_RATE
        self._stream = stream

    def __enter__(self) -> M4aWriter:
        return self

    def write(self, packets: Iterable[tuple[int, bytes]]) -> None:
        """Append packets; what lies wholly after the end is left out, the last one counts only up to the end."""
        for at_n, data in packets:
            if at_n >= self._duration_n:
                continue
            packet = av.Packet(data)
            packet.stream, packet.time_base = self._stream, _TICK
            packet.pts = packet.dts = at_n
            packet.duration = min(FRAME_N, self._duration_n - at_n)
            packet.is_keyframe = True
            self._container.mux(packet)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._container.close()
                with self._written.open("rb+") as written:
                    os.fsync(written.fileno())
                self._written.replace(self._path)
        finally:
            self._written.unlink(missing_ok=True)
