"""Samples of the published voices, which come with the program: they are heard before anything is downloaded.

`deploy/voices/samples.py` makes them of the published weights.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

from app.domain.errors import DubError
from app.domain.problems.voices import PREVIEW_UNAVAILABLE

KIND: Final = "audio/ogg"


def has_sample(voice_id: str) -> bool:
    """Whether there is one. `voice_id` is a known voice's."""
    return (resources.files("app.speech.neural") / "samples" / f"{voice_id}.opus").is_file()


def sample_of(voice_id: str) -> tuple[str, bytes]:
    """Its media type and bytes. Raises preview_unavailable. Blocks."""
    if not has_sample(voice_id):
        raise DubError(PREVIEW_UNAVAILABLE)
    return KIND, (resources.files("app.speech.neural") / "samples" / f"{voice_id}.opus").read_bytes()
