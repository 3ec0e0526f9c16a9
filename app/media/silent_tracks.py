"""Finds audio tracks without sound. Runs in a child process: it imports av and numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from app.domain.errors import DubError
from app.media.safe_open import open_input, packets, restrict

_PLACES: Final = 24  # across the file; a second is heard at each
_HEARD_S: Final = 1.0
_MOST_PACKETS: Final = 2_000  # at one place: a file of many streams, or one whose clock stands still
_FEW_PLANES: Final = 7  # PyAV counts eight as nine, and reads the ninth from nowhere
_FAINT_DB: Final = -50.0  # the loudest moment of an unused input: hiss of a preamplifier, dither
_BELOW_DB: Final = 20.0  # and at least this much fainter than another track: a quiet recording is not silence


def silent_tracks(path: Path) -> frozenset[int]:
    """The tracks, counted from 0, in which nothing is heard wherever one listens, while another track sounds. A few
    places are decoded, and as few as are needed. A track that cannot be decoded is silent. Raises as `open_input`.
    """
    levels: dict[int, float] = {}
    with open_input(path) as container:
        streams = [stream for stream in container.streams.audio if _decodable(stream)]
        levels = dict.fromkeys(range(len(container.streams.audio)), -math.inf)
        track_of = {stream.index: track for track, stream in enumerate(container.streams.audio)}
        length_us = container.duration or 0
        for place in range(_PLACES if length_us else 1):
            if place and not _go(container, (container.start_time or 0) + length_us * place // _PLACES):
                break
            faint = [stream for stream in streams if levels[track_of[stream.index]] < _FAINT_DB]
            if not faint:
                break
            for index, level_db in _listen(container, faint).items():
                levels[track_of[index]] = max(levels[track_of[index]], level_db)
    loudest_db = max(levels.values(), default=-math.inf)
    return frozenset(
        track for track, level_db in levels.items() if level_db < _FAINT_DB and level_db < loudest_db - _BELOW_DB
    )


def _decodable(stream: AudioStream) -> bool:
    try:
        restrict(stream.codec_context)
    except DubError:
        return False
    return True


def _go(container: InputContainer, at_us: int) -> bool:
    try:
        container.seek(at_us)
    except av.FFmpegError:
        return False
    return True


def _listen(container: InputContainer, streams: Sequence[AudioStream]) -> dict[int, float]:
    """The loudest frame of each stream, by its index, in the next second of each; dBFS."""
    levels = {stream.index: -math.inf for stream in streams}
    heard_s = dict.fromkeys(levels, 0.0)
    for count, packet in enumerate(packets(container, *streams)):
        if count >= _MOST_PACKETS or all(seconds >= _HEARD_S for seconds in heard_s.values()):
            break
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.samples and frame.sample_rate:
                heard_s[packet.stream_index] += frame.samples / frame.sample_rate
                levels[packet.stream_index] = max(levels[packet.stream_index], _level_db(frame))
    return levels


def _level_db(frame: AudioFrame) -> float:
    samples = _all_channels(frame).to_ndarray()
    scale = 1.0 if samples.dtype.kind == "f" else 2.0 ** (8 * samples.dtype.itemsize - 1)
    values = np.nan_to_num(samples.astype(np.float64) / scale).clip(-4, 4)
    power = float(np.square(values - values.mean()).mean())
    return 10 * math.log10(power) if power > 0 else -math.inf


def _all_channels(frame: AudioFrame) -> AudioFrame:
    """A frame whose samples PyAV can hand out: of many channels, each in a plane of its own, the resampler makes one
    plane."""
    if not frame.format.is_planar or len(frame.layout.channels) <= _FEW_PLANES:
        return frame
    return AudioResampler(format=frame.format.packed.name).resample(frame)[0]
