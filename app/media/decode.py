"""Decodes sound in blocks on the container's own timeline. Runs in a child process: it imports av and numpy."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from app.domain.errors import DubError
from app.domain.problems.media import AUDIO_TRACK_MISSING, MEDIA_DAMAGED
from app.media.channel_choice import Listener, Listening
from app.media.frame_run import SAMPLE_RATE_HZ as SAMPLE_RATE_HZ
from app.media.frame_run import Block as Block
from app.media.frame_run import FrameRun, channels_of
from app.media.picture_stream import PictureEnd, moving_picture
from app.media.safe_open import RESTART_S, latest_s, open_input, packets, restarts, restrict, unreadable

_JUMP_N = SAMPLE_RATE_HZ  # from here on a hole is filled by us, lazily: swresample would allocate it in one piece
_NEVER_N = 1 << 62
_AS_GOOD = 1e-6  # samples
_WARM_PACKETS = 40  # decoded before the first one that is wanted: a bit reservoir, an overlap, a prediction


class SeekPoint(msgspec.Struct, frozen=True):
    """Where a decode can begin anew: a packet of the stream, counted from the first, and where its sound lies on the
    timeline."""

    packet: int
    at_n: int
    offset_n: int
    listening: Listening | None = None


class Trail:
    """Of one decode: where it begins (None: at the beginning), and the place between `from_n` and `until_n` at which
    another one would begin best: where a frame's sound begins (nearly) at a whole sample, resampling goes on as if it
    had never stopped.
    """

    def __init__(self, start: SeekPoint | None) -> None:
        self.start = start
        self.packet = -1
        self.fresh = True  # the coming frame is its packet's first
        self.look(0, -1)

    def look(self, from_n: int, until_n: int) -> None:
        """Look for a place there; the last one is forgotten."""
        self.place: SeekPoint | None = None
        self._from_n, self._until_n, self._beside = from_n, until_n, 1.0

    def note(self, position: tuple[int, float], at_n: int, offset_n: int, listener: Listener | None) -> None:
        """A frame's sound is heard from `position` on, a sample and how far beside it; `at_n` is where its timestamp,
        rounded, puts it."""
        position_n, beside = position
        # the last one of the best: less is heard twice
        if self._from_n <= position_n <= self._until_n and beside <= self._beside + _AS_GOOD:
            state = listener.state() if listener is not None else None
            self.place, self._beside = SeekPoint(self.packet, position_n, offset_n + position_n - at_n, state), beside


def audio_blocks(
    path: Path,
    track: int,
    *,
    block_n: int = SAMPLE_RATE_HZ,
    pictures: PictureEnd | None = None,
    listener: Listener | None = None,
    trail: Trail | None = None,
    from_n: int = 0,
) -> Iterator[Block]:
    """The sound of audio stream `track`: float32 (block_n, 2) at 48 kHz; the last block may be shorter. With a
    `listener` there is a third column: what recognition hears.

    Sample 0 is the container's start, which is where a stream copy starts too: a late start, holes and packets that
    cannot be decoded are silence. Mono goes to both sides at full level. Memory does not grow with the length. A
    truncated file ends where its data ends. `pictures` hears the video packets on the way. `from_n`: without the
    samples before it, which are not even decoded up to where `trail` starts.
    Raises NOT_MEDIA, AUDIO_TRACK_MISSING, and MEDIA_DAMAGED or MEDIA_INCOMPLETE when nothing at all decodes.
    """
    with open_input(path) as container:
        if not 0 <= track < len(container.streams.audio):
            raise DubError(AUDIO_TRACK_MISSING, f"Track {track} of {len(container.streams.audio)}.")
        stream = container.streams.audio[track]
        trail = trail or Trail(None)
        if listener is not None and trail.start is not None and trail.start.listening is not None:
            listener.go_on(trail.start.listening)
        pieces = on_timeline(
            _decoded(path, container, stream, pictures, trail), clock_of(container), stream, listener, trail
        )
        yield from _reblock(_without(pieces, from_n - (trail.start.at_n if trail.start else 0)), block_n)


def _without(pieces: Iterable[Block], count_n: int) -> Iterator[Block]:
    """All but the first samples."""
    for piece in pieces:
        if count_n < len(piece):
            yield piece[count_n:] if count_n > 0 else piece
        count_n -= min(max(count_n, 0), len(piece))


def _decoded(
    path: Path, container: InputContainer, stream: AudioStream, pictures: PictureEnd | None, trail: Trail
) -> Iterator[AudioFrame]:
    """Every frame that decodes. A corrupt packet is skipped; its hole is filled later, by the timestamps around it."""
    restrict(stream.codec_context)
    any_frame = trail.start is not None
    first = trail.start.packet if trail.start is not None else 0
    picture = moving_picture(container) if pictures is not None else None
    for packet in packets(container, stream, picture):
        if packet.stream_index != stream.index:
            if pictures is not None:
                pictures.hear(packet, container)
            continue
        trail.packet += 1
        trail.fresh = True
        if trail.packet < first - _WARM_PACKETS:
            continue
        try:
            frames = packet.decode()
        except av.FFmpegError:  # PermissionError among them: PyAV's name for one of AAC's errors
            continue
        if trail.packet < first:  # the decoder only comes into its state
            continue
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.samples and frame.sample_rate:
                any_frame = True
                yield frame
    if not any_frame:
        raise unreadable(path, MEDIA_DAMAGED, "No sound could be decoded.")


class Clock(msgspec.Struct, frozen=True):
    """Of a file: its start and the latest plausible time in seconds, and whether it is of a format whose clocks
    jump."""

    start_s: Fraction
    latest_s: float
    restarts: bool = False


def clock_of(container: InputContainer) -> Clock:
    """The clock of an open file."""
    return Clock(Fraction(container.start_time or 0, 1_000_000), latest_s(container), restarts(container))


def on_timeline(
    frames: Iterable[AudioFrame],
    clock: Clock,
    stream: AudioStream,
    listener: Listener | None,
    trail: Trail,
    layout: str = "stereo",
) -> Generator[Block, None, None]:
    """Pieces of any length that follow each other without a hole, from the container's start on: float32 (n, channels
    of `layout`), and what the listener hears.

    A run is a stretch of frames of one format without a jump; each has its own filter graph. Timestamps that go back by
    more than a second, jump in a format that is known for it (MPEG-TS joined from several), or jump to where nothing
    can be (`latest_s`), are taken as continuing, as ffmpeg does.
    """
    leap_n = RESTART_S * SAMPLE_RATE_HZ if clock.restarts else _NEVER_N
    latest_n = round(clock.latest_s * SAMPLE_RATE_HZ)
    ratio = (stream.time_base or Fraction(1, SAMPLE_RATE_HZ)) * SAMPLE_RATE_HZ
    num, den = ratio.numerator, ratio.denominator  # Fractions would be a fifth of all work here
    start_n = round(clock.start_s * SAMPLE_RATE_HZ)
    run: FrameRun | None = None
    columns = channels_of(layout) + (listener is not None)
    done_n = trail.start.at_n if trail.start else 0  # yielded so far
    next_n = done_n  # where the coming frame should start, when nothing is missing
    offset_n = trail.start.offset_n if trail.start else 0
    for frame in frames:
        at_n = next_n
        if frame.pts is not None:
            at_n = (2 * frame.pts * num + den) // (2 * den) - start_n + offset_n
            if at_n > latest_n or (run is not None and not next_n - _JUMP_N <= at_n <= next_n + leap_n):
                offset_n += next_n - at_n
                at_n = next_n
        if run is not None and trail.fresh and run.takes(frame) and (position := run.position(at_n)) is not None:
            trail.note(position, at_n, offset_n, listener)
        trail.fresh = False
        if run is None or at_n > next_n + _JUMP_N or not run.takes(frame):
            if run is not None:
                for piece in run.flush():
                    done_n += len(piece)
                    yield piece
            for piece in silence(at_n - done_n, columns):
                done_n += len(piece)
                yield piece
            run = FrameRun(frame, done_n, listener, layout)
        for piece in run.push(frame, at_n):
            done_n += len(piece)
            yield piece
        next_n = at_n + run.last_n
    if run is not None:
        yield from run.flush()


def silence(n: int, channels: int = 2) -> Iterator[Block]:
    """`n` samples of silence in blocks of at most a second; nothing when n <= 0."""
    while n > 0:
        yield np.zeros((min(n, SAMPLE_RATE_HZ), channels), np.float32)
        n -= SAMPLE_RATE_HZ


def _reblock(pieces: Iterable[Block], block_n: int) -> Iterator[Block]:
    """The same samples in blocks of exactly `block_n`, but for the last."""
    waiting: list[Block] = []
    waiting_n = 0
    for piece in pieces:
        waiting.append(piece)
        waiting_n += len(piece)
        if waiting_n >= block_n:
            joined = np.concatenate(waiting)
            whole_n = waiting_n - waiting_n % block_n
            for at in range(0, whole_n, block_n):
                yield joined[at : at + block_n]
            waiting, waiting_n = [joined[whole_n:].copy()], waiting_n - whole_n
    if waiting_n:
        yield np.concatenate(waiting)
