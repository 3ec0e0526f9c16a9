"""The voices and models of the double of ElevenLabs."""

from __future__ import annotations

from typing import Any

# id -> (name, language, gender, the espeak voice that speaks for it)
VOICES = {
    "EnglishFemale0000001": ("Rachel", "en", "female", "en-us+f2"),
    "EnglishMale000000002": ("Adam", "en", "male", "en-us"),
    "SpanishFemale0000003": ("Lucia", "es", "female", "es+f2"),
    "FrenchMale0000000004": ("Henri", "fr", "male", "fr"),
}
LIBRARY_VOICE = "LibraryVoice00000005"  # usable on a paid plan, listed nowhere
VOICES_IN_ALL = 134

# id -> (characters a request, credits a character, concurrency group)
MODELS = {
    "eleven_multilingual_v2": (10_000, 1.0, "standard"),
    "eleven_flash_v2_5": (40_000, 0.5, "turbo"),
    "eleven_v3": (5_000, 1.0, "standard"),
    "eleven_v4": (10_000, 1.0, "standard"),
}


def model(model_id: str) -> dict[str, Any]:
    limit, multiplier, group = MODELS[model_id]
    return {
        "model_id": model_id,
        "name": model_id.replace("_", " ").title(),
        "can_do_text_to_speech": True,
        "maximum_text_length_per_request": limit,
        "languages": [{"language_id": code, "name": code} for code in ("en", "es", "fr", "de")],
        "model_rates": {"character_cost_multiplier": multiplier},
        "concurrency_group": group,
    }


def listed(number: int) -> dict[str, Any]:
    if number < len(VOICES):
        voice_id, (name, language, gender, _) = list(VOICES.items())[number]
    else:
        voice_id, name, language, gender = f"Extra{number:015d}", f"Extra {number}", "en", "male"
    labels = {"language": language, "gender": gender, "accent": "plain"}
    return {
        "voice_id": voice_id,
        "name": name,
        "labels": labels,
        "preview_url": f"https://example.com/{voice_id}.mp3",
        "category": "premade",
    }
