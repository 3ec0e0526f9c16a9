"""The packets of an MP4's sound, of which FFmpeg sees a window at a time. Runs in a child process: it imports av and
numpy.

FFmpeg holds the index of a file that it has open, of all tracks, as long as it is open. Here it opens a few thousand
packets as a file of their own, and then the next ones. They have the times that they have in the whole file.
"""

from __future__ import annotations

import bisect
import io
import itertools
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from app.media.decode import Clock
from app.media.mp4_movie import Block, Edit, Movie, Track, is_plain
from app.media.mp4_outline import write_window
from app.media.mp4_tables import UnsuitableError, read
from app.media.safe_open import latest_of, open_part, packets
from app.media.seeking import Mark, Start, check

_FIRST: Final = 64  # packets: enough for FFmpeg to know the stream
_MOST_SKIPPED: Final = 8  # packets that only bring the decoder into its state
_MOST_PACKETS: Final = 2_048  # in a window: 44 s of AAC
_MOST_WINDOW_BYTES: Final = 1 << 23
_TEXT_EARLIER_S: Final = 1  # FFmpeg's own: such a start of a track that is neither counts (`update_stream_timings`)


class SoundWindows:
    """One sound track of an MP4. `stream` says what it is. Close it."""

    def __init__(self, movie: Movie, track: Track) -> None:
        """Raises UnsuitableError, OSError."""
        self._movie, self._track = movie, track
        edit = track.edit or Edit()
        self._end = None
        if edit.length_s is not None:
            self._end = edit.media_start + round(edit.length_s * track.timescale)
        begin = next(self._blocks(0), None)
        if begin is None:
            raise UnsuitableError("no sound")
        if int(np.searchsorted(begin[1].starts, edit.media_start)) > _MOST_SKIPPED:
            raise UnsuitableError("the sound begins within the track")
        self.container, at = self._opened(begin[1].part(0, _FIRST), has_edits=True)
        self.stream: AudioStream = self.container.streams.audio[0]
        if self.stream.codec_context.name != "aac":  # others drop what comes first of every file
            self.container.close()
            raise UnsuitableError("no AAC")
        first = next((packet for packet in packets(self.container, self.stream) if packet.size), None)
        if first is None or first.pts is None:
            self.container.close()
            raise UnsuitableError("no sound")
        # which sample the first packet is
        self._skipped = int(np.searchsorted(np.cumsum(begin[1].sizes), (first.pos or at) - at, "right"))
        self._shift = first.pts - int(begin[1].starts[self._skipped])

    @classmethod
    def of(cls, path: Path, track: int) -> SoundWindows | None:
        """Of this sound track, counted from 0; None where FFmpeg must read the whole file."""
        try:
            movie = Movie(path)
        except UnsuitableError:
            return None
        try:
            sounds = [each for each in movie.tracks if each.handler == b"soun"]
            if track < len(sounds) and sounds[track].samples and is_plain(movie, sounds[track]):
                return cls(movie, sounds[track])
        except (UnsuitableError, av.FFmpegError):
            pass
        movie.file.close()
        return None

    def close(self) -> None:
        self.container.close()
        self._movie.file.close()

    def clock(self) -> Clock:
        """As FFmpeg's of the whole file."""
        movie = self._movie
        at, end = movie.header
        header = read(movie.file, at, end - at)
        narrow = header[0] != 1
        (duration,) = struct.unpack(">I", header[16:20]) if narrow else struct.unpack(">Q", header[24:32])
        seen = [_start_s(track) for track in movie.tracks if track.handler in (b"vide", b"soun") and track.samples]
        others = [
            _start_s(track) for track in movie.tracks if track.handler not in (b"vide", b"soun") and track.samples
        ]
        start_s = min(seen)
        if others and 0 < start_s - min(others) < _TEXT_EARLIER_S:
            start_s = min(others)
        return Clock(Fraction(round(start_s * 1_000_000), 1_000_000), latest_of(duration / movie.timescale, movie.size))

    def packets(self, number: int = 0) -> Iterator[tuple[Mark, Packet[Any]]]:
        """The packets from this one on, counted from 0, with their times in the whole file. A `number` other than 0
        lies behind what the edit list skips."""
        for base, block in self._blocks(number + self._skipped):
            container, at = self._opened(block, has_edits=base == 0)
            ends, times = np.cumsum(block.sizes).tolist(), (block.starts + self._shift).tolist()
            with container:
                for packet in packets(container, container.streams.audio[0]):
                    if not packet.size or packet.pos is None:
                        continue
                    index = bisect.bisect_right(ends, packet.pos - at)
                    packet.pts = packet.dts = times[index]
                    yield Mark(base + index - self._skipped, times[index], None, check(packet), sole=False), packet

    def found(self, start: Start) -> Iterator[tuple[Mark, Packet[Any]]] | None:
        """The packets from the start's first one on; None where they are not what they were."""
        if start.first.number < 0:
            return None
        following = self.packets(start.first.number)
        count = start.heard.number - start.first.number + 1
        begun = list(itertools.islice(following, count))
        if len(begun) < count or not all(
            mark.number == known.number and mark.pts == known.pts and mark.check == known.check
            for (mark, _), known in ((begun[0], start.first), (begun[-1], start.heard))
        ):
            return None
        return itertools.chain(begun, following)

    def _blocks(self, first: int) -> Iterator[tuple[int, Block]]:
        """The samples from this one on, with the number of the first of each block."""
        base = 0
        for block in self._movie.blocks(self._track):
            count = len(block.sizes)
            until = count if self._end is None else int(np.searchsorted(block.starts[:-1], self._end))
            begin = max(first - base, 0)
            for at in _even(block, begin, until):
                yield base + at[0], block.part(*at)
            base += count

    def _opened(self, block: Block, *, has_edits: bool) -> tuple[InputContainer, int]:
        data = io.BytesIO()
        at = write_window(self._movie, self._track, block, data, has_edits=has_edits)
        data.seek(0)
        return open_part(data), at


def _even(block: Block, begin: int, until: int) -> Iterator[tuple[int, int]]:
    """Parts of a block that are not too long to be held."""
    while begin < until:
        reached = np.cumsum(block.sizes[begin : min(until, begin + _MOST_PACKETS)])
        many = max(int(np.searchsorted(reached, _MOST_WINDOW_BYTES, "right")), 1)
        if int(block.sizes[begin]) > _MOST_WINDOW_BYTES:
            raise UnsuitableError("a packet is very large")
        yield begin, begin + many
        begin += many


def _start_s(track: Track) -> float:
    edit = track.edit or Edit()
    return edit.delay_s + max(track.first_shown - edit.media_start, 0) / track.timescale
