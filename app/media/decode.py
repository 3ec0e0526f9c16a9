"""Sound out of a container, in blocks on the container's own timeline. Runs in a child process: it imports av and numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from app.domain.errors import AUDIO_TRACK_MISSING, MEDIA_DAMAGED, NOT_MEDIA, DubError
from app.domain.media import FORMAT_WHITELIST
from app.media.whitelists import CODEC_WHITELIST

Block = npt.NDArray[np.float32]

SAMPLE_RATE_HZ = 48_000
_OPEN_TIMEOUT_S = 30.0
_SAMPLE = Fraction(1, SAMPLE_RATE_HZ)
_JUMP_N = SAMPLE_RATE_HZ  # from here on a hole is filled by us, lazily: swresample would allocate it in one piece
_RESTART_S = 10  # ffmpeg's own threshold (dts_delta_threshold)
_LOUDEST = 4.0  # a surround mix folded to stereo may reach 3.4; what a damaged frame decodes to may be anything
_HOLE_S = 0.02  # up to here timestamps may jitter without the sound being cut; one lost AAC frame is 21 ms


def open_input(path: Path) -> InputContainer:
    """A stranger's file, opened for reading with FFmpeg's hands tied: known containers, known decoders, no other file, no network.

    The caller closes it (`with`). Raises NOT_MEDIA, or MEDIA_DAMAGED when it begins like a container and cannot be opened.
    """
    try:
        return av.open(
            f"file:{path.resolve()}",
            timeout=_OPEN_TIMEOUT_S,
            metadata_errors="replace",
            container_options={"format_whitelist": FORMAT_WHITELIST, "protocol_whitelist": "file", "codec_whitelist": CODEC_WHITELIST},
        )
    except FileNotFoundError:
        raise
    except (av.FFmpegError, ValueError) as error:
        raise DubError(MEDIA_DAMAGED if _begins_like_media(path) else NOT_MEDIA) from error


def _begins_like_media(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] in (b"ftyp", b"moov", b"mdat") or head.startswith((b"\x1a\x45\xdf\xa3", b"OggS", b"fLaC")) or head[8:12] in (b"AVI ", b"WAVE")


def restrict(codec_context: Any) -> None:
    """Let a stream's decoder open only when it is one of the known ones. Call it before the first decode. Raises MEDIA_DAMAGED without a decoder."""
    if codec_context is None:
        raise DubError(MEDIA_DAMAGED, "Its codec is not known.")
    codec_context.options = {**codec_context.options, "codec_whitelist": CODEC_WHITELIST}


class PictureEnd:
    """Hears the packets of the first real video stream while the sound is read, and knows when the last picture ends.

    `end_s` counts from the container's start; 0 when there is no picture. Jumps are taken as the sound's are.
    """

    def __init__(self) -> None:
        self.end_s = 0.0
        self._offset_s = 0.0

    def hear(self, packet: Packet[Any], container: InputContainer) -> None:
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None or packet.time_base is None or packet.is_discard:
            return
        length_s = float(packet.duration * packet.time_base) if packet.duration else 0.0
        if not length_s and isinstance(packet.stream, VideoStream) and packet.stream.average_rate:
            length_s = float(1 / packet.stream.average_rate)
        at_s = float(at * packet.time_base) - (container.start_time or 0) / 1e6
        if self.end_s and _restarts(container) and abs(at_s + self._offset_s - self.end_s) > _RESTART_S:
            self._offset_s = self.end_s - at_s
        self.end_s = max(self.end_s, at_s + self._offset_s + length_s)


def _restarts(container: InputContainer) -> bool:
    """Whether the format is known for clocks that jump, where several recordings were joined."""
    return container.format.name in ("mpegts", "mpegtsraw", "mpeg")


def moving_picture(container: InputContainer) -> VideoStream | None:
    """The first video stream that is a film: no cover, no thumbnail track."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return next((stream for stream in container.streams.video if not stream.disposition & still), None)


def picture_end_s(path: Path) -> float:
    """When the last picture ends, from its packets, for a file without sound. Nothing is decoded."""
    end = PictureEnd()
    with open_input(path) as container:
        picture = moving_picture(container)
        for packet in packets(container, picture) if picture is not None else ():
            end.hear(packet, container)
    return end.end_s


def audio_blocks(path: Path, track: int, *, block_n: int = SAMPLE_RATE_HZ, pictures: PictureEnd | None = None) -> Iterator[Block]:
    """The sound of audio stream `track`: float32 (block_n, 2) at 48 kHz; the last block may be shorter.

    Sample 0 is the container's start, which is where a stream copy starts too: a late start, holes and packets that cannot be
    decoded are silence. Mono goes to both sides at full level. Memory does not grow with the length. A truncated file ends
    where its data ends. `pictures` hears the video packets on the way.
    Raises NOT_MEDIA, AUDIO_TRACK_MISSING, and MEDIA_DAMAGED when nothing at all decodes.
    """
    with open_input(path) as container:
        if not 0 <= track < len(container.streams.audio):
            raise DubError(AUDIO_TRACK_MISSING, f"Track {track} of {len(container.streams.audio)}.")
        stream = container.streams.audio[track]
        yield from _reblock(_on_timeline(_decoded(container, stream, pictures), container, stream), block_n)


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


def _decoded(container: InputContainer, stream: AudioStream, pictures: PictureEnd | None) -> Iterator[AudioFrame]:
    """Every frame that decodes. A corrupt packet is skipped; its hole is filled later, by the timestamps around it."""
    restrict(stream.codec_context)
    any_frame = False
    picture = moving_picture(container) if pictures is not None else None
    for packet in packets(container, stream, picture):
        if packet.stream_index != stream.index:
            if pictures is not None:
                pictures.hear(packet, container)
            continue
        try:
            frames = packet.decode()
        except av.FFmpegError:  # PermissionError among them: PyAV's name for one of AAC's errors
            continue
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.samples and frame.sample_rate:
                any_frame = True
                yield frame
    if not any_frame:
        raise DubError(MEDIA_DAMAGED, "No sound could be decoded.")


def _on_timeline(frames: Iterable[AudioFrame], container: InputContainer, stream: AudioStream) -> Iterator[Block]:
    """Pieces of any length that follow each other without a hole, from the container's start on.

    A run is a stretch of frames of one format without a jump; each has its own filter graph. Timestamps that go back by more
    than a second, or jump in a format that is known for it (MPEG-TS joined from several), are taken as continuing, as ffmpeg does.
    """
    restarts = _restarts(container)
    ratio = (stream.time_base or Fraction(1, SAMPLE_RATE_HZ)) * SAMPLE_RATE_HZ
    num, den = ratio.numerator, ratio.denominator  # Fractions would be a fifth of all work here
    start_n = round(Fraction(container.start_time or 0, 1_000_000) * SAMPLE_RATE_HZ)
    run: _Run | None = None
    done_n = 0  # yielded so far
    next_n = 0  # where the coming frame should start, when nothing is missing
    offset_n = 0
    for frame in frames:
        at_n = next_n
        if frame.pts is not None:
            at_n = (2 * frame.pts * num + den) // (2 * den) - start_n + offset_n
            back = at_n < next_n - _JUMP_N
            if run is not None and (back or (restarts and at_n > next_n + _RESTART_S * SAMPLE_RATE_HZ)):
                offset_n += next_n - at_n
                at_n = next_n
        if run is None or run.shape != _shape(frame) or at_n > next_n + _JUMP_N:
            if run is not None:
                for piece in run.flush():
                    done_n += len(piece)
                    yield piece
            for piece in silence(at_n - done_n):
                done_n += len(piece)
                yield piece
            run = _Run(frame, done_n)
        for piece in run.push(frame, at_n):
            done_n += len(piece)
            yield piece
        next_n = at_n + round(frame.samples * SAMPLE_RATE_HZ / frame.sample_rate)
    if run is not None:
        yield from run.flush()


def silence(n: int) -> Iterator[Block]:
    """`n` samples of silence in blocks of at most a second; nothing when n <= 0."""
    while n > 0:
        yield np.zeros((min(n, SAMPLE_RATE_HZ), 2), np.float32)
        n -= SAMPLE_RATE_HZ


def _reblock(pieces: Iterable[Block], block_n: int) -> Iterator[Block]:
    """The same samples in blocks of exactly `block_n`, but for the last."""
    waiting: list[Block] = []
    waiting_n = 0
    for piece in pieces:
        waiting.append(piece)
        waiting_n += len(piece)
        if waiting_n >= block_n:
            joined = _sane(np.concatenate(waiting))
            whole_n = waiting_n - waiting_n % block_n
            for at in range(0, whole_n, block_n):
                yield joined[at : at + block_n]
            waiting, waiting_n = [joined[whole_n:].copy()], waiting_n - whole_n
    if waiting_n:
        yield _sane(np.concatenate(waiting))


def _sane(block: Block) -> Block:
    """Float formats may hold anything: no infinities, no numbers that are no numbers, nothing far beyond full scale."""
    if block.max() <= _LOUDEST and block.min() >= -_LOUDEST:  # false for NaN, too
        return block
    return np.nan_to_num(block, nan=0.0).clip(-_LOUDEST, _LOUDEST)


def _shape(frame: AudioFrame) -> tuple[str, int, str, int]:
    return frame.format.name, frame.sample_rate, frame.layout.name, frame.layout.nb_channels


class _Run:
    """Frames of one format -> 48 kHz stereo float32, starting at sample `base_n` of the timeline."""

    def __init__(self, frame: AudioFrame, base_n: int) -> None:
        self.shape = _shape(frame)
        self._base_n = base_n
        self._waiting_n = 0
        self._mono = frame.layout.nb_channels == 1
        try:
            self._graph = self._build(frame, f"aformat=sample_fmts=flt:channel_layouts={'mono' if self._mono else 'stereo'}")
        except (av.FFmpegError, ValueError):  # a layout that swresample cannot mix ("7 channels"): the first two
            self._graph = self._build(frame, "pan=stereo|c0=c0|c1=c1,aformat=sample_fmts=flt:channel_layouts=stereo")

    def _build(self, frame: AudioFrame, to_stereo: str) -> av.filter.Graph:
        graph = av.filter.Graph()
        source = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format,
            layout=frame.layout,
            channels=frame.layout.nb_channels,
            time_base=_SAMPLE,
        )
        chain = [source]
        for text in (*to_stereo.split(","), f"aresample={SAMPLE_RATE_HZ}:async=1:first_pts=0:min_hard_comp={_HOLE_S}"):
            name, _, args = text.partition("=")
            chain.append(graph.add(name, args))
        chain += [graph.add("asetnsamples", f"n={SAMPLE_RATE_HZ}:p=0"), graph.add("abuffersink")]
        graph.link_nodes(*chain).configure()
        return graph

    def push(self, frame: AudioFrame, at_n: int) -> Iterator[Block]:
        frame.pts = at_n - self._base_n
        frame.time_base = _SAMPLE
        self._graph.push(frame)
        self._waiting_n += frame.samples
        if self._waiting_n >= frame.sample_rate:  # the graph gives a second at a time: asking it after every frame is most of the cost
            self._waiting_n = 0
            yield from self._drain()

    def flush(self) -> Iterator[Block]:
        self._graph.push(None)
        yield from self._drain()

    def _drain(self) -> Iterator[Block]:
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            samples = np.asarray(frame.to_ndarray(), np.float32).reshape(-1, 1 if self._mono else 2)
            yield np.repeat(samples, 2, axis=1) if self._mono else samples
