"""AAC and Opus by PyAV: a piece of sound -> packets, packets -> a file. Runs in a child process: it imports av and
numpy."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import msgspec
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_TOOL_FAILED
from app.media.m4a import M4aFile
from app.system.durable_files import Durable, replacing

SAMPLE_RATE_HZ: Final = 48_000
TICK: Final = Fraction(1, SAMPLE_RATE_HZ)

Samples = npt.NDArray[np.float32]
Packets = list[tuple[int, bytes]]


class PacketCodec(msgspec.Struct, frozen=True):
    """A codec whose packets can be cut and joined. `priming_n` is the encoder's delay: its first packet begins that
    much before the sound.

    `name` is part of every cached packet's name: change it with anything that changes the packets.
    """

    name: str
    encoder: str
    decoder: str
    container: str
    frame_n: int
    priming_n: int
    bit_rate: int
    mono_bit_rate: int
    options: dict[str, str]
    container_options: dict[str, str]


# FFmpeg's documentation recommends aac_coder=fast from 64 kb/s on. Measured at 192 kb/s, signal to noise: speech 56 dB
# (twoloop: 39), speech over music 26 (28), in a third of the time. The same sound in both channels cannot spend 192
# kb/s, and the encoder then tries every frame five times; at 128 kb/s it is at 47 dB. The edit list ends at a sample,
# not at a millisecond, by the movie's timescale.
AAC: Final = PacketCodec(
    name="aac-192-fast-1",
    encoder="aac",
    decoder="aac",
    container="ipod",
    frame_n=1_024,
    priming_n=1_024,
    bit_rate=192_000,
    mono_bit_rate=128_000,
    options={"aac_coder": "fast"},
    container_options={"movflags": "+faststart", "movie_timescale": str(SAMPLE_RATE_HZ)},
)
# RFC 7845: 312 samples are libopus's look-ahead at 48 kHz. 128 kb/s stereo is transparent to most listeners (Opus's own
# listening tests).
OPUS: Final = PacketCodec(
    name="opus-128-1",
    encoder="libopus",
    decoder="libopus",
    container="opus",
    frame_n=960,
    priming_n=312,
    bit_rate=128_000,
    mono_bit_rate=96_000,
    options={"frame_duration": "20", "application": "audio", "vbr": "on"},
    container_options={"fflags": "+bitexact"},
)
_FRAMES_AT_ONCE: Final = 50
_PACKET: Final = struct.Struct("<qI")  # its position, and its size
_MONO: Final = 1e-6  # the sides' share of the energy up to which sound counts as mono: -60 dB


class Encoded(msgspec.Struct, frozen=True):
    """Packets with the position of each one's first sample, and the header that a decoder wants to see before them."""

    packets: Packets
    header: bytes


def encode(codec: PacketCodec, samples: Samples, first_n: int, layout: str = "stereo") -> Encoded:
    """Every packet of float32 (n, channels of `layout`) samples; `first_n` is the position of samples[0].

    Decoding the packets gives the samples back at their positions, after `priming_n` of silence before `first_n`. The
    last frame is filled with silence. Releases the GIL while it encodes.
    """
    context = av.codec.CodecContext.create(codec.encoder, "w")
    if not isinstance(context, av.AudioCodecContext):
        raise DubError(MEDIA_TOOL_FAILED, f"There is no {codec.encoder} encoder.")
    sample_format = "fltp" if codec.encoder == "aac" else "flt"
    context.sample_rate, context.layout, context.format = SAMPLE_RATE_HZ, layout, sample_format
    context.bit_rate = _bit_rate(codec, samples)
    context.options, context.time_base = codec.options, TICK
    packets: Packets = []
    step_n = _FRAMES_AT_ONCE * codec.frame_n
    for at_n in range(0, len(samples), step_n):
        part = samples[at_n : at_n + step_n]
        frame = _frame(part, sample_format, layout)
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, first_n + at_n, TICK
        packets += [(packet.pts, bytes(packet)) for packet in context.encode(frame) if packet.pts is not None]
    packets += [(packet.pts, bytes(packet)) for packet in context.encode(None) if packet.pts is not None]
    return Encoded(packets, bytes(context.extradata or b""))


def decode(codec: PacketCodec, encoded: Encoded) -> Iterator[Samples]:
    """What a player makes of the packets, from the first one's position on: float32 (n, 2), about a second at a
    time."""
    context = av.codec.CodecContext.create(codec.decoder, "r")
    if not isinstance(context, av.AudioCodecContext):
        raise DubError(MEDIA_TOOL_FAILED, f"There is no {codec.decoder} decoder.")
    context.extradata, context.sample_rate, context.layout = encoded.header, SAMPLE_RATE_HZ, "stereo"
    waiting: list[Samples] = []
    for index, (_, data) in enumerate(encoded.packets, 1):
        for frame in context.decode(av.Packet(data)):
            sound = frame.to_ndarray()
            scaled = (
                sound.astype(np.float32) / np.float32(32_768)
                if sound.dtype == np.int16
                else np.asarray(sound, np.float32)
            )
            waiting.append(scaled.T if frame.format.is_planar else scaled.reshape(-1, 2))
        if index % _FRAMES_AT_ONCE == 0 or index == len(encoded.packets):
            yield np.concatenate(waiting) if waiting else np.zeros((0, 2), np.float32)
            waiting = []


def _frame(samples: Samples, sample_format: str, layout: str) -> AudioFrame:
    """PyAV's own `from_ndarray` counts nine planes where there are eight."""
    frame = AudioFrame(format=sample_format, layout=layout, samples=len(samples))
    for number, plane in enumerate(samples.T if sample_format == "fltp" else samples.reshape(1, -1)):
        frame.planes[number].update(plane.tobytes())
    return frame


def _bit_rate(codec: PacketCodec, samples: Samples) -> int:
    channels = samples.shape[1]
    if channels == 2:
        return codec.mono_bit_rate if is_mono(samples) else codec.bit_rate
    return codec.mono_bit_rate if channels == 1 else codec.bit_rate * channels // 3  # a pair is cheaper than two


def packed(packets: Packets, start_n: int) -> bytes:
    """Packets as bytes, their positions counted from `start_n`."""
    return b"".join(_PACKET.pack(at_n - start_n, len(data)) + data for at_n, data in packets)


def unpacked(data: bytes, start_n: int) -> Packets:
    """What `packed` was given."""
    packets, at = [], 0
    while at < len(data):
        at_n, size = _PACKET.unpack_from(data, at)
        at += _PACKET.size + size
        packets.append((start_n + at_n, data[at - size : at]))
    return packets


def is_mono(samples: Samples) -> bool:
    """Whether both channels of float32 (n, 2) have the same sound, silence among it."""
    side = whole = 0.0
    for at_n in range(0, len(samples), SAMPLE_RATE_HZ):
        left, right = samples[at_n : at_n + SAMPLE_RATE_HZ].T
        side += float(np.square(left - right).sum())
        whole += float(np.square(left).sum() + np.square(right).sum())
    return side <= _MONO * 2 * whole


@contextlib.contextmanager
def packet_file(codec: PacketCodec, path: Path, duration_n: int, layout: str = "stereo") -> Iterator[PacketWriter]:
    """A file of packets of one codec that plays exactly `duration_n` samples from the first one at position 0.

    It appears under its name, on disk, when the block ends without an error; before that, and after an error, it is
    absent.
    """
    with replacing(path, durable=Durable.CONTENT) as written:
        writer = PacketWriter(codec, written, duration_n, layout)
        try:
            yield writer
        except BaseException:
            writer.discard()
            raise
        writer.close()


class PacketWriter:
    """Writes packets to an open file. They come in order, from position -priming_n on; the container tells a decoder to
    drop that silence, and what lies after the end."""

    def __init__(self, codec: PacketCodec, path: Path, duration_n: int, layout: str = "stereo") -> None:
        self._codec, self._duration_n = codec, duration_n
        packets = (duration_n + codec.priming_n) // codec.frame_n + 1
        self._file: M4aFile | OggFile = (
            M4aFile(path, codec.encoder, SAMPLE_RATE_HZ, codec.bit_rate, packets, layout)
            if codec is AAC
            else OggFile(path, codec, layout)
        )

    def write(self, packets: Iterable[tuple[int, bytes]]) -> None:
        """Append packets; what lies wholly after the end is left out, the last one counts only up to the end."""
        for at_n, data in packets:
            if at_n >= self._duration_n:
                continue
            packet = av.Packet(data)
            packet.time_base = TICK
            packet.pts = packet.dts = at_n
            packet.duration = min(self._codec.frame_n, self._duration_n - at_n)
            packet.is_keyframe = True
            self._file.write(packet)

    def close(self) -> None:
        """Write the container's end."""
        self._file.close()

    def discard(self) -> None:
        """Leave nothing but the file itself, which is not whole."""
        self._file.discard()


class OggFile:
    """An Ogg is written as it comes: it has no index."""

    def __init__(self, path: Path, codec: PacketCodec, layout: str) -> None:
        self._container = av.open(str(path), "w", format=codec.container, container_options=codec.container_options)
        stream = self._container.add_stream(codec.encoder, rate=SAMPLE_RATE_HZ)
        if not isinstance(stream, AudioStream):
            raise DubError(MEDIA_TOOL_FAILED, f"There is no {codec.encoder} encoder.")
        stream.layout, stream.bit_rate = layout, codec.bit_rate
        self._stream = stream

    def write(self, packet: av.Packet) -> None:  # type: ignore[type-arg]
        packet.stream = self._stream
        self._container.mux(packet)

    def close(self) -> None:
        self._container.close()

    def discard(self) -> None:
        self._container.close()
