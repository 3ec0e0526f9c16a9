"""What is told of an engine: whether it can work here, its models, its price, its limits."""

from __future__ import annotations

import msgspec


class Availability(msgspec.Struct, frozen=True):
    """Whether an engine is available; if not, why, and how to fix it."""

    available: bool
    reason: str
    remedy: str


class ModelInfo(msgspec.Struct, frozen=True):
    """A model of an engine. `size_bytes` is the download's (0: nothing to download); `ready`: it is downloaded.

    `max_characters` is per spoken line (0: not a voice model); `languages` are ISO 639-1, empty when not told.
    `usd_per_character` is its own price, None where it is that of the engine's units.
    """

    id: str
    name: str
    ready: bool
    size_bytes: int
    max_characters: int
    languages: tuple[str, ...]
    credits_per_character: float
    usd_per_character: float | None = None


class SpeedLimits(msgspec.Struct, frozen=True):
    """The speeds that an engine can speak at, as factors of its usual one."""

    min: float
    max: float

    def allow(self, speed: float) -> bool:
        return self.min <= speed <= self.max


class CostUnit(msgspec.Struct, frozen=True):
    """What an engine counts its price in. `name` is for one of them ("credit"); `usd` is the list price of one, None
    when not known."""

    name: str
    usd: float | None


class Quota(msgspec.Struct, frozen=True):
    """How many cost units an account has used of those that it has, and when it begins anew (Unix time)."""

    used: float
    limit: float
    resets_at: float | None = None


class EngineInfo(msgspec.Struct, frozen=True):
    """`kind` is "recognizer", "voice", "translator", "separator" or "diarizer". Of a voice: the speeds that it takes,
    and what it costs (None: nothing); `names_voices`: it may speak with voices that it does not list, by their names;
    `tunable`: it knows stability, similarity, style, boost and seed; `library`: it has a public library of voices.
    `licence` is that of what it works with ("": told by each model or voice, or the service's own terms). `translates`:
    a recogniser that can write English whatever is spoken."""

    name: str
    kind: str
    title: str
    needs_key: bool
    availability: Availability
    models: tuple[ModelInfo, ...]
    speeds: SpeedLimits | None = None
    cost_unit: CostUnit | None = None
    names_voices: bool = False
    tunable: bool = False
    library: bool = False
    quota: Quota | None = None
    licence: str = ""
    translates: bool = False
