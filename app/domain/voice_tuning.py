"""How a voice that can be tuned speaks."""

from __future__ import annotations

import msgspec


class VoiceTuning(msgspec.Struct, frozen=True):
    """What engines that know it make of a voice; None leaves it to the voice. `stability`, `similarity` and `style` are
    0..1; `boost` keeps closer to the speaker; with the same `seed`, the same text sounds alike."""

    stability: float | None = None
    similarity: float | None = None
    style: float | None = None
    boost: bool | None = None
    seed: int | None = None


UNTUNED = VoiceTuning()
