"""Facts about ElevenLabs' models, and how many concurrent calls each plan allows (November 2026; limits are read from
the service at run time)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from app.speech.ports import ModelInfo


class SpeechModel(msgspec.Struct, frozen=True):
    """`honours_speed`: the service applies speed itself. `stitches`: it takes the neighbours' text. `takes_language`:
    it takes language_code; `tags`: it acts on [whispers] and speaks none of it."""

    id: str
    name: str
    max_characters: int
    languages: tuple[str, ...]
    credits_per_character: float
    group: str
    honours_speed: bool
    stitches: bool
    takes_language: bool
    tags: bool = False

    @property
    def fast(self) -> bool:
        """Flash and turbo: half the price, twice as many at once."""
        return is_fast(self.id)

    def info(self) -> ModelInfo:
        return ModelInfo(self.id, self.name, True, 0, self.max_characters, self.languages, self.credits_per_character)


_V2: Final = (
    "eleven_multilingual_v2",
    "eleven_flash_v2",
    "eleven_turbo_v2",
    "eleven_multilingual_v1",
    "eleven_monolingual_v1",
)
_CODED: Final = ("eleven_flash_v2_5", "eleven_turbo_v2_5", "eleven_v3", "eleven_v4")
_TAGGED: Final = ("eleven_v3", "eleven_v4")
_LIMITS: Final = {
    "eleven_multilingual_v2": 10_000,
    "eleven_flash_v2_5": 40_000,
    "eleven_v3": 5_000,
    "eleven_v4": 10_000,
    "eleven_v4_turbo": 10_000,
}
_PLANS: Final = {  # plan -> (multilingual, flash) calls at once
    "free": (2, 4),
    "starter": (3, 6),
    "creator": (5, 10),
    "pro": (10, 20),
    "scale": (15, 30),
    "growing_business": (15, 30),
    "business": (15, 30),
    "enterprise": (15, 30),
}


def _model(
    model_id: str, name: str, limit: int, languages: tuple[str, ...], multiplier: float, group: str
) -> SpeechModel:
    second = model_id.startswith(_V2)  # an unknown model gets no parameter that it might refuse
    return SpeechModel(
        model_id,
        name,
        limit,
        languages,
        multiplier,
        group,
        honours_speed=second,
        stitches=second,
        takes_language=model_id.startswith(_CODED),
        tags=model_id.startswith(_TAGGED),
    )


def is_fast(model_id: str) -> bool:
    """Whether it is one of the models of half the price."""
    return "flash" in model_id or "turbo" in model_id


def known_models() -> tuple[SpeechModel, ...]:
    """The models known in advance: for a key that may speak but not list."""
    return tuple(
        _model(one, one.replace("_", " ").title(), limit, (), 0.5 if "flash" in one else 1.0, "")
        for one, limit in _LIMITS.items()
    )


def read_model(listed: Any) -> SpeechModel | None:
    """One entry of models.list; nothing in it is taken for granted. None when it does not speak."""
    model_id = getattr(listed, "model_id", None)
    if not isinstance(model_id, str) or getattr(listed, "can_do_text_to_speech", True) is False:
        return None
    limit = getattr(listed, "maximum_text_length_per_request", None)
    rates = getattr(listed, "model_rates", None)
    multiplier = getattr(rates, "character_cost_multiplier", None)
    languages = tuple(
        code
        for one in getattr(listed, "languages", None) or ()
        if isinstance(code := getattr(one, "language_id", None), str)
    )
    return _model(
        model_id,
        getattr(listed, "name", None) or model_id,
        limit if isinstance(limit, int) and limit > 0 else _LIMITS.get(model_id, 5_000),
        languages,
        float(multiplier) if isinstance(multiplier, int | float) else 1.0,
        getattr(listed, "concurrency_group", None) or "",
    )


def at_once(tier: str | None, model: SpeechModel) -> int:
    """Calls that the plan allows at once; the free plan's number when the plan is not known."""
    slow, fast = _PLANS.get((tier or "").lower(), _PLANS["free"])
    return fast if model.fast else slow
