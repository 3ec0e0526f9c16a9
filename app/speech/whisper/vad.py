"""Finds speech in a long recording and cuts it at pauses into chunks of at most 29 s. Runs in the recognition child
only.

The recording is read block by block, so memory stays flat. Silero VAD gives one probability per 32 ms; its state is
carried from block to block. Pauses longer than 0.8 s are shortened to 0.8 s inside a chunk (Whisper hallucinates in
silence); pauses of 3 s or more end it. A chunk maps each of its pieces to the recording.
"""

from __future__ import annotations

import bisect
import importlib.util
import wave
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

RATE_HZ: Final = 16_000
FRAME_N: Final = 512
FRAME_S: Final = FRAME_N / RATE_HZ

_SPEECH: Final = 0.5  # Silero's own threshold; speech goes on down to _SPEECH_GOES_ON
_SPEECH_GOES_ON: Final = 0.35
_PAD: Final = round(0.4 / FRAME_S)  # frames of silence kept on each side of speech
_CLOSE: Final = round(3.0 / FRAME_S)  # a pause this long ends the chunk
_SOFT: Final = int(20.0 / FRAME_S)  # from here on a chunk may be cut at a pause
_HARD: Final = int(29.0 / FRAME_S)  # Whisper's window is 30 s
_MERGE: Final = round(0.25 / FRAME_S)  # speech with a shorter gap is one region
_SHORTEST: Final = 3  # frames; shorter regions are clicks
_LEAST: Final = 5  # frames of speech that make a chunk worth transcribing
_BLOCK: Final = 10 * RATE_HZ // FRAME_N * FRAME_N

Samples = np.ndarray[Any, np.dtype[np.float32]]


class SpeechChunk(msgspec.Struct, frozen=True):
    """A stretch of the recording with its silence shortened; all times are seconds of the recording.

    `samples` is float32 mono, (n,), -1..1, 16 kHz, empty when there is no speech. `pieces` are (frame of the chunk,
    second of the recording) where a piece begins. `speech` are the regions with speech. Everything before `end_s` is
    done when this chunk is.
    """

    samples: Samples
    pieces: tuple[tuple[int, float], ...]
    speech: tuple[tuple[float, float], ...]
    end_s: float

    @property
    def speech_s(self) -> float:
        return sum(end - start for start, end in self.speech)

    @property
    def speech_end_s(self) -> float:
        """Where the last speech ends, in seconds of the chunk."""
        begin, second = self.pieces[-1]
        return begin * FRAME_S + self.speech[-1][1] - second

    def at(self, chunk_s: float, *, end: bool = False) -> float:
        """Where a moment of the chunk lies in the recording. On a seam a start belongs to the later piece, an end to
        the earlier."""
        frame = chunk_s / FRAME_S
        begins = [piece[0] for piece in self.pieces]
        index = (bisect.bisect_left(begins, frame) if end else bisect.bisect_right(begins, frame)) - 1
        begin, second = self.pieces[max(0, index)]
        return second + (frame - begin) * FRAME_S


class Silero:
    """Silero VAD v6 on onnxruntime, with the state carried between calls."""

    def __init__(self) -> None:
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(str(silero_path()), options, providers=["CPUExecutionProvider"])
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(64, np.float32)

    def __call__(self, samples: Samples) -> Samples:
        """Probabilities of speech, one per 512 samples; `samples` is float32 mono, a multiple of 512 long."""
        frames = samples.reshape(-1, FRAME_N)
        context = np.concatenate([self._context[None], frames[:-1, -64:]])
        self._context = frames[-1, -64:].copy()
        feed = {"input": np.concatenate([context, frames], 1), "h": self._h, "c": self._c}
        out, self._h, self._c = self._session.run(None, feed)
        return np.asarray(out, np.float32).reshape(-1)


def silero_path() -> Path:
    """The ONNX file inside the faster-whisper wheel, found without importing the package."""
    spec = importlib.util.find_spec("faster_whisper")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder, "assets").glob("silero_vad*.onnx")):
            return path
    raise FileNotFoundError("silero_vad.onnx")


def wav_blocks(path: Path, start_s: float) -> Iterator[Samples]:
    """The 16 kHz mono s16 WAV from `start_s` on, as float32 blocks of 10 s; the last one is padded to a whole frame."""
    with wave.open(str(path), "rb") as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE_HZ, 1, 2):
            raise wave.Error("not a 16 kHz mono 16-bit WAV")
        file.setpos(min(round(start_s * RATE_HZ), file.getnframes()))
        while raw := file.readframes(_BLOCK):
            samples = np.frombuffer(raw[: len(raw) // 2 * 2], "<i2").astype(np.float32) / 32768
            yield np.pad(samples, (0, -len(samples) % FRAME_N))


class _Frame(msgspec.Struct, frozen=True):
    index: int
    samples: Samples
    probability: float
    speech: bool


def chunks(blocks: Iterator[Samples], start_s: float = 0.0) -> Iterator[SpeechChunk]:
    """Cut the blocks, the first of which begins at `start_s`. A block of silence gives an empty chunk, so that progress
    goes on."""
    vad = Silero()
    before: deque[_Frame] = deque(maxlen=_PAD)  # the silence that comes before the next speech
    pending: list[_Frame] = []
    index, quiet, speaking = 0, 0, False
    for block in blocks:
        emitted = False
        for samples, probability in zip(block.reshape(-1, FRAME_N), vad(block), strict=True):
            speaking = bool(probability >= (_SPEECH_GOES_ON if speaking else _SPEECH))
            frame = _Frame(index, samples, float(probability), speaking)
            index += 1
            quiet = 0 if speaking else quiet + 1
            if speaking:
                pending += [*before, frame]
                before.clear()
            elif pending and quiet <= _PAD:
                pending.append(frame)
            else:
                before.append(frame)
            if pending and quiet >= _CLOSE:
                yield _chunk(pending, index - len(before), start_s)
                pending, emitted = [], True
            elif len(pending) >= _HARD:
                cut = _cut(pending)
                yield _chunk(pending[:cut], pending[cut].index, start_s)
                pending, emitted = pending[cut:], True
        if not pending and not emitted:
            yield _chunk([], index - len(before), start_s)
    yield _chunk(pending, index, start_s)


def _cut(frames: list[_Frame]) -> int:
    """Where to cut a full chunk: in the middle of its longest late pause, or else where speech is least likely."""
    best, cut, begin = 0, 0, None
    for position in range(_SOFT, len(frames)):
        if frames[position].speech:
            begin = None
            continue
        begin = position if begin is None else begin
        length = frames[position].index - frames[begin].index + 1
        if length > best:
            best, cut = length, (begin + position + 1) // 2
    if best >= _MERGE:
        return cut
    likely = np.convolve([frame.probability for frame in frames[_SOFT:]], np.ones(5) / 5, "same")
    return _SOFT + int(np.argmin(likely[2:-2])) + 2


def _chunk(frames: list[_Frame], end: int, start_s: float) -> SpeechChunk:
    regions = _regions([frame.index for frame in frames if frame.speech])
    end_s = start_s + end * FRAME_S
    if sum(last - first for first, last in regions) < _LEAST:
        return SpeechChunk(np.zeros(0, np.float32), (), (), end_s)
    jumps = [0, *(place for place, (a, b) in enumerate(pairwise(frames), 1) if b.index != a.index + 1)]
    return SpeechChunk(
        np.concatenate([frame.samples for frame in frames]),
        tuple((place, start_s + frames[place].index * FRAME_S) for place in jumps),
        tuple((start_s + first * FRAME_S, start_s + last * FRAME_S) for first, last in regions),
        end_s,
    )


def _regions(indices: list[int]) -> list[tuple[int, int]]:
    """Frames with speech as (first, one after the last), short gaps closed and clicks removed."""
    regions: list[tuple[int, int]] = []
    for index in indices:
        if regions and index - regions[-1][1] < _MERGE:
            regions[-1] = (regions[-1][0], index + 1)
        else:
            regions.append((index, index + 1))
    return [region for region in regions if region[1] - region[0] >= _SHORTEST]
