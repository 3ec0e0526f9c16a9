"""The engines and limits that the settings ask for: for the server and for the command line alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.processes import Limits
from app.settings import Settings

if TYPE_CHECKING:
    from app.speech.registry import Registry


def engines_of(settings: Settings, key: Callable[[], str | None] | None = None) -> Registry:
    """The recognisers and voices. `key` gives ElevenLabs' key; without it, the environment's is taken."""
    from app.speech.registry import build_registry

    return build_registry(
        models=settings.models,
        model_url=settings.model_url,
        threads=settings.thread_count,
        device=settings.device,
        elevenlabs_key=key or (lambda: settings.elevenlabs_key or None),
        elevenlabs_url=settings.elevenlabs_url,
        elevenlabs_model=settings.elevenlabs_model,
        elevenlabs_at_once=settings.elevenlabs_at_once,
    )


def limits_of(settings: Settings) -> Limits:
    """What a media child may use."""
    return Limits(memory_bytes=settings.child_memory_bytes)
