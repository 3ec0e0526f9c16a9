"""Writes AAC packets into an M4A with the index in front, in memory that does not grow with the sound.

FFmpeg's muxer holds the index of a file until its end, and then writes the media once more behind it. Here it writes
fragments behind room for the index, which is made of them at the end (`app.media.mp4_placed`). Runs in a child
process: it imports av and numpy.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

import av
from av.audio.stream import AudioStream
from av.packet import Packet

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_TOOL_FAILED
from app.media import mp4_placed
from app.media.mp4_movie import Movie

_FRAGMENTED: Final = {
    "movflags": "empty_moov+default_base_moof+frag_discont+skip_trailer",
    "use_editlist": "0",
    "frag_duration": "1000000",
    "avoid_negative_ts": "disabled",
}
_HEADER_BYTES: Final = 8_192  # of the index, without its tables
_BYTES_A_PACKET: Final = 5  # in the tables: a size, and its share of the place of a fragment


class _Appended:
    """A file that is only written to; PyAV seeks in none without `seek`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        return self._file.write(data)


class M4aFile:
    """`packets` is about how many there will be. Use `close`, or `discard` after an error."""

    def __init__(
        self, path: Path, encoder: str, rate_hz: int, bit_rate: int, packets: int, layout: str = "stereo"
    ) -> None:
        self._path, self._options = path, (encoder, rate_hz, bit_rate, layout)
        self._work = Path(tempfile.mkdtemp(prefix="m4a-", dir=path.parent))
        self._room = _HEADER_BYTES + _BYTES_A_PACKET * packets
        self._file: BinaryIO | None = None
        self._output: av.container.OutputContainer | None = None
        self._stream: AudioStream | None = None

    def write(self, packet: Packet) -> None:  # type: ignore[type-arg]
        """Append a packet with its times."""
        if self._output is None:
            self._begin(packet)
        if self._output is None or self._stream is None:
            raise RuntimeError("not begun")
        packet.stream = self._stream
        self._output.mux(packet)

    def close(self) -> None:
        """Write the index. A file without packets has none."""
        try:
            if self._output is not None and self._file is not None:
                self._output.close()
                self._file.close()
                with Movie(self._head) as frame:
                    mp4_placed.finish(self._path, frame, 1, self._room, [None], self._work)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def discard(self) -> None:
        """Delete what lies beside the file, also where the file itself cannot be written to its end."""
        try:
            if self._output is not None and self._file is not None:
                self._output.close()
                self._file.close()
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    @property
    def _head(self) -> Path:
        return self._work / "head.m4a"

    def _begin(self, first: Packet) -> None:  # type: ignore[type-arg]
        """Let FFmpeg write the headers with one packet, and begin the file."""
        with av.open(str(self._head), "w", format="ipod", options={"movie_timescale": str(self._options[1])}) as head:
            packet = av.Packet(bytes(first))
            packet.pts = packet.dts = first.pts
            packet.duration, packet.time_base, packet.is_keyframe = first.duration, first.time_base, True
            packet.stream = self._added(head)
            head.mux(packet)
        with Movie(self._head) as frame:
            mp4_placed.begin(self._path, frame, 1, self._room, 0, self._work)
        self._file = self._path.open("ab")
        self._output = av.open(_Appended(self._file), "w", format="mp4", options=_FRAGMENTED)
        self._stream = self._added(self._output)

    def _added(self, container: av.container.OutputContainer) -> AudioStream:
        encoder, rate_hz, bit_rate, layout = self._options
        stream = container.add_stream(encoder, rate=rate_hz)
        if not isinstance(stream, AudioStream):
            raise DubError(MEDIA_TOOL_FAILED, f"There is no {encoder} encoder.")
        stream.layout, stream.bit_rate = layout, bit_rate
        return stream
