"""A sample of how a speaker sounds, cut out of a recording."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Final

MOST_S: Final = 120.0  # more makes an instant clone no better
_LONGEST_LINE_S: Final = 30.0


def sample_of(speech: Path, spans: Sequence[tuple[float, float]], most_s: float = MOST_S) -> tuple[bytes, float]:
    """A WAV of the longest of these spans (start_s, end_s), `most_s` in all, in their order, and how long it is.
    Blocks."""
    chosen: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans, key=lambda span: span[0] - span[1]):
        left_s = most_s - sum(end - start for start, end in chosen)
        length_s = min(end_s - start_s, _LONGEST_LINE_S, left_s)
        if length_s > 0:
            chosen.append((start_s, start_s + length_s))
    out = io.BytesIO()
    with wave.open(str(speech)) as file, wave.open(out, "wb") as made:
        rate_hz = file.getframerate()
        made.setparams((1, 2, rate_hz, 0, "NONE", ""))
        for start_s, end_s in sorted(chosen):
            first_n = min(round(start_s * rate_hz), file.getnframes())
            file.setpos(first_n)
            made.writeframes(file.readframes(round(end_s * rate_hz) - first_n))
        length_s = made.getnframes() / rate_hz
    return out.getvalue(), length_s
