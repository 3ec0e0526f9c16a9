"""Renders one chunk: backgrounds at their levels, clips at their places, then the limiter.

Everything that a chunk hears before its own first sample is there to bring filters, limiter and encoder into the state
that they would be in had they run since the beginning: the samples are those of one continuous pass, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from app.dubbing.mixing.chunk_plan import Chunk, Layer
from app.dubbing.mixing.clip_cache import StoredClip
from app.dubbing.mixing.limiter import DELAY_N, Limiter
from app.dubbing.mixing.loudness import SAMPLE_RATE_HZ, Floats, linear
from app.dubbing.mixing.window_reader import silence

_BLOCK_N: Final = SAMPLE_RATE_HZ


def mixed(
    chunk: Chunk,
    layers: Sequence[Layer],
    heard: list[Floats],
    samples_of: Callable[[StoredClip], Floats],
    gain_db: float,
    ceiling_dbtp: float,
) -> Floats:
    """Float32 (until_n - first_n, 2), exact from MEMORY_N after `first_n` on. `heard` are the layers' own samples and
    are written over."""
    count_n = chunk.until_n - chunk.first_n
    mix = heard[0] if heard else silence(count_n)
    for position, (number, sound) in enumerate(zip(chunk.layers, heard, strict=True)):
        for at_n in range(0, count_n, _BLOCK_N):
            part = sound[at_n : at_n + _BLOCK_N]
            part *= layers[number].gain.block(chunk.first_n + at_n, len(part)) * np.float32(linear(gain_db))
            if position:
                mix[at_n : at_n + _BLOCK_N] += part
    for placed in chunk.clips:
        from_n, to_n = max(placed.start_n, chunk.first_n), min(placed.end_n, chunk.until_n)
        spoken = samples_of(placed.clip)[from_n - placed.start_n : to_n - placed.start_n] * np.float32(
            linear(placed.gain_db + gain_db)
        )
        mix[from_n - chunk.first_n : to_n - chunk.first_n] += spoken[:, None]
    limit(mix, ceiling_dbtp)
    return mix


def limit(mix: Floats, ceiling_dbtp: float) -> None:
    """Limit float32 (n, 2) where it lies."""
    count_n = len(mix)
    limiter = Limiter(ceiling_dbtp)
    for at_n in range(0, count_n, _BLOCK_N):
        out = limiter.push(mix[at_n : at_n + _BLOCK_N])
        late_n = max(DELAY_N - at_n, 0)
        mix[at_n + late_n - DELAY_N : at_n + len(out) - DELAY_N] = out[late_n:]
    mix[max(count_n - DELAY_N, 0) :] = limiter.flush()[-min(DELAY_N, count_n) :]
