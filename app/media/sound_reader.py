"""A track's sound from any moment on: the same samples, wherever reading began. Runs in a child process: it imports av
and numpy.

The timeline is cut into spans. At the start of each a new decoder begins, some packets earlier, in a run from the
file's beginning as after a seek. So a span depends on nothing before its first packet: not on a bit reservoir, a
prediction, or the noise that a decoder makes up. Where the decoders begin is found by reading once from the beginning.
Later readings seek there, and check that the packets found are those packets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import av
import msgspec
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard

from app.domain.errors import DubError
from app.domain.problems.media import AUDIO_TRACK_MISSING, MEDIA_DAMAGED
from app.media.decode import SAMPLE_RATE_HZ, Block, SeekPoint, Trail, clock_of, on_timeline
from app.media.safe_open import open_input, packets, restrict, unreadable
from app.media.seeking import Mark, Start, mark_of, sought
from app.media.sound_windows import SoundWindows

_WARM_PACKETS: Final = 40  # decoded before the first one that is wanted: a bit reservoir, an overlap, a prediction
_WARM_LOSSLESS: Final = 2
_LOSSLESS: Final = ("pcm_", "flac", "alac")
_RUN_UP_N: Final = SAMPLE_RATE_HZ // 10  # a resampler forgets in less
_SPARE_N: Final = 4 * SAMPLE_RATE_HZ  # from 44.1 kHz, a frame begins at a whole sample every 3.4 s
# Decoders that make up noise by a generator whose state no flush resets. Their streams' parameters are known well
# enough to open another one.
_NOISY: Final = frozenset({"aac", "ac3", "eac3"})


class Spans(msgspec.Struct):
    """The starts of a file's spans as far as they are known; None where a span has none and the one before goes on.
    Span `k` begins at k * length_n - lead_n; the first one at 0.
    """

    length_n: int
    lead_n: int
    starts: list[Start | None] = msgspec.field(default_factory=lambda: [None])

    def begin_n(self, span: int) -> int:
        return span * self.length_n - self.lead_n if span else 0

    def before(self, at_n: int) -> int:
        """The last known span with a start that begins at `at_n` or before."""
        span = min(max((at_n + self.lead_n) // self.length_n, 0), len(self.starts) - 1)
        while span and self.starts[span] is None:
            span -= 1
        return span


class SoundReader:
    """Reads audio stream `track` from the beginning or from where `go_to` leads; what it learns of `spans` it adds to
    them. Close it."""

    def __init__(self, path: Path, track: int, spans: Spans, layout: str = "stereo") -> None:
        """Raises NOT_MEDIA, MEDIA_DAMAGED, AUDIO_TRACK_MISSING."""
        self._path, self._track, self.spans, self._layout = path, track, spans, layout
        self.position_n = 0  # where the next piece begins
        self.opened = 0  # how often the file was opened: more than once where a seek led nowhere
        self._open()

    def _open(self) -> None:
        self.opened += 1
        self._windows = SoundWindows.of(self._path, self._track)
        self._recent: deque[tuple[Mark, Packet[Any]]] = deque()
        if self._windows is not None:
            self._clock, self._stream = self._windows.clock(), self._windows.stream
            restrict(self._stream.codec_context)
            self._source = self._windows.packets()
            self._pieces = self._read(0)
            return
        self._container: InputContainer = open_input(self._path)
        self._clock = clock_of(self._container)
        if not 0 <= self._track < len(self._container.streams.audio):
            self._container.close()
            raise DubError(AUDIO_TRACK_MISSING, f"Track {self._track} of {len(self._container.streams.audio)}.")
        self._stream = self._container.streams.audio[self._track]
        for other in self._container.streams:
            if other.index != self._stream.index:
                other.discard = Discard.all  # the picture is not even read, where the container allows that
        restrict(self._stream.codec_context)
        self._source = self._numbered(packets(self._container, self._stream), 0)
        self._pieces = self._read(0)

    def close(self) -> None:
        self._pieces.close()
        self._close_file()

    def _close_file(self) -> None:
        (self._windows or self._container).close()

    def go_to(self, at_n: int) -> None:
        """Read on from the start of the span in which `at_n` lies, or from further ahead, where reading already is
        nearer."""
        span = self.spans.before(at_n)
        start = self.spans.starts[span]
        if start is None or self.spans.begin_n(span) <= self.position_n <= at_n:
            return
        self._pieces.close()
        found = self._found(start)
        if found is None:  # from the beginning, without decoding
            self._close_file()
            self._open()
        else:
            self._source = found
        self._recent.clear()
        self.position_n = self.spans.begin_n(span)
        self._pieces = self._read(span)

    def _found(self, start: Start) -> Iterator[tuple[Mark, Packet[Any]]] | None:
        if self._windows is not None:
            return self._windows.found(start)
        found = sought(self._container, self._stream, start)
        return None if found is None else self._numbered(found, start.first.number)

    def read(self) -> Block | None:
        """The next samples from `position_n` on, float32 (n, channels of the layout), about a second of them; None at
        the end."""
        return next(self._pieces, None)

    def _read(self, span: int) -> Generator[Block, None, None]:
        """From the beginning of a span to the end of the file, one decoder after the other."""
        following: int | None = span
        while following is not None:
            following = yield from self._span(following)

    def _span(self, span: int) -> Generator[Block, None, int | None]:
        """One span and those after it that have no start of their own; returns the next one that has one, None at the
        end of the file."""
        spans = self.spans
        start = spans.starts[span] if span < len(spans.starts) else None
        trail = Trail(start.place if start else None)
        at_n = start.place.at_n if start else 0
        target = span + 1
        self._look(trail, target)
        frames = self._frames(start, trail)
        pieces = on_timeline(frames, self._clock, self._stream, None, trail, self._layout)
        try:
            for piece in pieces:
                while at_n + len(piece) >= spans.begin_n(target):
                    if self._learn(target, trail):
                        own = piece[max(self.position_n - at_n, 0) : max(spans.begin_n(target) - at_n, 0)]
                        self.position_n = spans.begin_n(target)
                        if len(own):
                            yield own
                        return target
                    target += 1
                    self._look(trail, target)
                own = piece[max(self.position_n - at_n, 0) :]
                at_n += len(piece)
                if len(own):
                    self.position_n = at_n
                    yield own
        finally:
            pieces.close()
            frames.close()
        if span == 0 and at_n == 0:
            raise unreadable(self._path, MEDIA_DAMAGED, "No sound could be decoded.")
        return None

    def _look(self, trail: Trail, target: int) -> None:
        until_n = self.spans.begin_n(target) - _RUN_UP_N
        trail.look(until_n - _SPARE_N, until_n)

    def _learn(self, target: int, trail: Trail) -> bool:
        """Whether that span has a start; kept if it was not known."""
        starts = self.spans.starts
        while len(starts) <= target:
            starts.append(self._start(trail.place) if len(starts) == target else None)
        return starts[target] is not None

    def _start(self, place: SeekPoint | None) -> Start | None:
        if place is None:
            return None
        marks = {mark.number: mark for mark, _ in self._recent}
        first = marks.get(max(place.packet - self._warm(), 0))
        heard = marks.get(place.packet)
        return Start(place, first, heard) if first is not None and heard is not None else None

    def _warm(self) -> int:
        return _WARM_LOSSLESS if self._stream.codec_context.codec.name.startswith(_LOSSLESS) else _WARM_PACKETS

    def _frames(self, start: Start | None, trail: Trail) -> Generator[AudioFrame, None, None]:
        """Every frame that decodes, from the start's packet on. A corrupt packet is skipped; the timestamps around it
        fill its hole."""
        # at the beginning it knows what to skip there
        decoder = self._stream.codec_context if start is None else _decoder(self._stream)
        for mark, packet in self._from(start.first.number if start else 0):
            self._forget(trail, mark.number)
            trail.packet = mark.number
            trail.fresh = True
            try:
                frames = decoder.decode(packet if packet.size else None)
            except av.FFmpegError:  # PermissionError among them: PyAV's name for one of AAC's errors
                continue
            if start is not None and mark.number < start.place.packet:  # the decoder only comes into its state
                continue
            yield from (
                frame for frame in frames if isinstance(frame, AudioFrame) and frame.samples and frame.sample_rate
            )

    def _from(self, number: int) -> Iterator[tuple[Mark, Packet[Any]]]:
        """The packets from this one on: those that were kept, then those of the file."""
        while self._recent and self._recent[0][0].number < number:
            self._recent.popleft()
        yield from list(self._recent)
        for mark, packet in self._source:
            if mark.number >= number:
                self._recent.append((mark, packet))
                yield mark, packet

    def _forget(self, trail: Trail, number: int) -> None:
        """Of the packets, those before the next start's first one."""
        oldest = (trail.place.packet if trail.place is not None else number) - self._warm() - 1
        while self._recent and self._recent[0][0].number < oldest:
            self._recent.popleft()

    @staticmethod
    def _numbered(found: Iterator[Packet[Any]], first: int) -> Iterator[tuple[Mark, Packet[Any]]]:
        """One packet late: whether a position is a packet's own, its successor says."""
        before: int | None = None
        waiting: Packet[Any] | None = None
        number = first
        for packet in found:
            if waiting is not None:
                yield mark_of(waiting, number, sole=waiting.pos not in (None, before, packet.pos)), waiting
                before, number = waiting.pos, number + 1
            waiting = packet
        if waiting is not None:
            yield mark_of(waiting, number, sole=waiting.pos not in (None, before)), waiting


def _decoder(stream: Any) -> AudioCodecContext:
    """One that remembers nothing."""
    own: AudioCodecContext = stream.codec_context
    if own.codec.name not in _NOISY:
        if own.is_open:
            own.flush_buffers()
        return own
    decoder = av.codec.CodecContext.create(own.codec.name, "r")
    if not isinstance(decoder, AudioCodecContext):
        raise DubError(MEDIA_DAMAGED, "Its codec is not known.")
    restrict(decoder)
    decoder.extradata = own.extradata
    if own.sample_rate and own.layout.nb_channels:
        decoder.sample_rate, decoder.layout = own.sample_rate, own.layout
    return decoder
