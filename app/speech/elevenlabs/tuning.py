"""How a voice is asked to sound: only what was asked for is sent, the voice's own settings stand else."""

from __future__ import annotations

from typing import Any, Final

from app.domain.voice_tuning import VoiceTuning
from app.speech.ports import SpeedLimits

SPEEDS: Final = SpeedLimits(0.7, 1.2)


def settings_of(tuning: VoiceTuning, speed: float) -> dict[str, Any]:
    """The fields of `voice_settings`."""
    told = {
        "stability": tuning.stability,
        "similarity_boost": tuning.similarity,
        "style": tuning.style,
        "use_speaker_boost": tuning.boost,
        "speed": speed if speed != 1.0 else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def speed_of(wished: float) -> float:
    """A speed that the service takes."""
    return min(SPEEDS.max, max(SPEEDS.min, round(wished, 2)))
