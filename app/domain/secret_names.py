"""API keys, each for one engine, and the names under which they are kept (encrypted, by `app.storage.secrets`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

ELEVENLABS: Final = "elevenlabs"
CHAT: Final = "chat"
LIBRETRANSLATE: Final = "libretranslate"
DEEPL: Final = "deepl"
OPENAI: Final = "openai"
OPENAI_TRANSCRIPTION: Final = "openai-transcription"


class Keys:
    """API keys by the name of the engine that each is for. No engine gets the key of another. Its repr shows the
    engines' names, never a key."""

    def __init__(self, by_engine: Mapping[str, str] | None = None) -> None:
        self._by_engine = {engine: key.strip() for engine, key in (by_engine or {}).items() if key.strip()}

    def of(self, engine: str) -> str | None:
        """The key for this engine, if there is one."""
        return self._by_engine.get(engine)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Pairs of engine and key, for storing them."""
        return iter(self._by_engine.items())

    def __bool__(self) -> bool:
        return bool(self._by_engine)

    def __repr__(self) -> str:
        return f"Keys(for {', '.join(self._by_engine) or 'no engine'})"


NO_KEYS: Final = Keys()


def engine_key(engine: str) -> str:
    """The name of the server's own key for an engine, as entered in the page."""
    return f"{engine}_key"


def job_key(job_id: str, engine: str) -> str:
    """The name of a job's own key for an engine; it is deleted when the render is done."""
    return f"{job_keys(job_id)}:{engine}"


def job_keys(job_id: str) -> str:
    """How the names of all keys of a job begin. One that is named just so is ElevenLabs', from before keys were kept by
    engine."""
    return f"job:{job_id}:key"
