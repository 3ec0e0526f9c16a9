"""Makes 48 kHz of decoded frames, as long as they are of one format. Runs in a child process: it imports av and
numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

import av
import av.filter
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame

from app.media.channel_choice import Listener

Block = npt.NDArray[np.float32]

SAMPLE_RATE_HZ: Final = 48_000
_SAMPLE: Final = Fraction(1, SAMPLE_RATE_HZ)
_LOUDEST: Final = 4.0  # a surround mix folded to stereo may reach 3.4; what a damaged frame decodes to may be anything
_HOLE_S: Final = 0.02  # up to here timestamps may jitter without the sound being cut; one lost AAC frame is 21 ms


def _sane(block: Block) -> Block:
    """Float formats may hold anything: no infinities, no numbers that are no numbers, nothing far beyond full scale."""
    if block.max() <= _LOUDEST and block.min() >= -_LOUDEST:  # false for NaN, too
        return block
    return np.nan_to_num(block, nan=0.0).clip(-_LOUDEST, _LOUDEST)


def channels_of(layout: str) -> int:
    """How many channels FFmpeg's layout of this name has."""
    return av.AudioLayout(layout).nb_channels


class FrameRun:
    """Frames of one format -> float32 (n, channels of `layout`) at 48 kHz, starting at sample `base_n` of the timeline;
    with a listener, and what it hears. Mono goes to both sides at full level."""

    def __init__(
        self, frame: AudioFrame, base_n: int, listener: Listener | None = None, layout: str = "stereo"
    ) -> None:
        self._format, self._layout, self._rate_hz = frame.format.name, frame.layout.name, frame.sample_rate
        self.last_n = 0  # the length of the last frame, at 48 kHz
        self._base_n = base_n
        # where the sound goes on without a hole, and how much of it came since, at its own rate
        self._anchor_n, self._since_n = base_n, 0
        self._waiting_n = 0
        self._mono = frame.layout.nb_channels == 1 and layout == "stereo"
        self._channels = channels_of(layout)
        self._listener = listener
        self._names = [channel.name for channel in frame.layout.channels]
        self._native = listener is not None and frame.layout.nb_channels > 2  # and what the two are folded from
        self._columns = 1 if self._mono else self._channels + frame.layout.nb_channels * self._native
        wanted = f"aformat=sample_fmts=flt:channel_layouts={'mono' if self._mono else layout}"
        try:
            self._graph = self._build(frame, wanted)
        except (av.FFmpegError, ValueError):  # a layout that swresample cannot mix ("7 channels"): the first two
            self._graph = self._build(frame, f"pan=stereo|c0=c0|c1=c1,{wanted}")

    def _build(self, frame: AudioFrame, to_layout: str) -> av.filter.Graph:
        graph = av.filter.Graph()
        source = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format,
            layout=frame.layout,
            channels=frame.layout.nb_channels,
            time_base=_SAMPLE,
        )
        chain = [source, graph.add("asplit", "2")] if self._native else [source]
        for text in to_layout.split(","):
            name, _, args = text.partition("=")
            chain.append(graph.add(name, args))
        if self._native:
            chain.append(graph.add("amerge", "inputs=2"))
            beside = graph.add("aformat", "sample_fmts=flt")
            chain[1].link_to(beside, 1, 0)
            beside.link_to(chain[-1], 0, 1)
        chain.append(graph.add("aresample", f"{SAMPLE_RATE_HZ}:async=1:first_pts=0:min_hard_comp={_HOLE_S}"))
        chain += [graph.add("asetnsamples", f"n={SAMPLE_RATE_HZ}:p=0"), graph.add("abuffersink")]
        graph.link_nodes(*chain).configure()
        return graph

    def takes(self, frame: AudioFrame) -> bool:
        """Whether the frame is of this run's format."""
        return (
            frame.sample_rate == self._rate_hz
            and frame.layout.name == self._layout
            and frame.format.name == self._format
        )

    def position(self, at_n: int) -> tuple[int, float] | None:
        """The sample at which the coming frame begins, whose timestamp says `at_n`, and how far beside it; None after a
        hole."""
        exact = self._anchor_n + self._since_n * SAMPLE_RATE_HZ / self._rate_hz
        return None if self._jumps_to(at_n) else (round(exact), abs(exact - round(exact)))

    def _jumps_to(self, at_n: int) -> bool:
        return abs(at_n - self._anchor_n - self._since_n * SAMPLE_RATE_HZ / self._rate_hz) > _HOLE_S * SAMPLE_RATE_HZ

    def push(self, frame: AudioFrame, at_n: int) -> Iterable[Block]:
        """Take a frame that starts at `at_n` of the timeline; what is ready comes out."""
        frame.pts = at_n - self._base_n
        frame.time_base = _SAMPLE
        self._graph.push(frame)
        samples_n = frame.samples
        self.last_n = round(samples_n * SAMPLE_RATE_HZ / self._rate_hz)
        if self._jumps_to(at_n):
            self._anchor_n, self._since_n = at_n, 0
        self._since_n += samples_n
        self._waiting_n += samples_n
        # the graph gives a second at a time: asking it after every frame is most of the cost
        if self._waiting_n >= self._rate_hz:
            self._waiting_n = 0
            return self._drain()
        return ()

    def flush(self) -> Iterator[Block]:
        self._graph.push(None)
        yield from self._drain()

    def _drain(self) -> Iterator[Block]:
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            samples = _sane(np.asarray(frame.to_ndarray(), np.float32).reshape(-1, self._columns))
            sound = np.repeat(samples, 2, axis=1) if self._mono else samples[:, : self._channels]
            yield sound if self._listener is None else np.column_stack([sound, self._heard(sound, samples)])

    def _heard(self, stereo: Block, samples: Block) -> Block:
        if self._listener is None or self._mono:
            return stereo[:, 0]
        return self._listener.hear(stereo, samples[:, 2:] if self._native else None, self._names)
