"""What keeps an engine or a voice from speaking."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

ENGINE_UNKNOWN: Final = Problem("engine_unknown", 422, "There is no such engine.", "See GET /api/engines.")
ENGINE_UNAVAILABLE: Final = Problem(
    "engine_unavailable", 503, "This engine is not available here.", "`autodubber doctor` says what it needs."
)
VOICE_UNKNOWN: Final = Problem("voice_unknown", 422, "There is no such voice.", "Choose one of GET /api/voices.")
VOICE_MODEL_UNKNOWN: Final = Problem(
    "voice_model_unknown", 422, "There is no such voice model.", "Choose one of the engine's models."
)
KEY_MISSING: Final = Problem(
    "key_missing",
    401,
    "This voice needs an API key.",
    "Enter the key in the settings, or set ELEVENLABS_API_KEY or AUTODUBBER_SPEECH_KEY.",
)
KEY_INVALID: Final = Problem(
    "key_invalid",
    401,
    "The voice service refused the API key.",
    "Check the key; it may be mistyped, expired or without permission.",
)
QUOTA_EXCEEDED: Final = Problem(
    "quota_exceeded",
    402,
    "The voice service's credits are spent.",
    "Add credits or wait for the reset, then retry: finished lines are kept.",
)
PLAN_REQUIRED: Final = Problem(
    "plan_required",
    402,
    "The voice service requires a higher plan for this.",
    "Choose another voice or upgrade the plan.",
)
SPEECH_BUSY: Final = Problem(
    "speech_busy", 503, "The voice service is busy.", "Retry in a while: finished lines are kept."
)
SPEECH_FAILED: Final = Problem(
    "speech_failed", 502, "The voice service gave no usable sound.", "Retry: finished lines are kept."
)
SPEECH_REFUSED: Final = Problem("speech_refused", 422, "The voice service refused a line.", "Change the named line.")
PREVIEW_UNAVAILABLE: Final = Problem(
    "preview_unavailable", 404, "There is no sample of this voice.", "A line's preview speaks with it."
)
NO_LIBRARY: Final = Problem(
    "no_library", 422, "This engine has no public library of voices.", "GET /api/engines says which one has (library)."
)
CLONE_RIGHT: Final = Problem(
    "clone_right",
    422,
    "A voice is cloned only by somebody who has the right to.",
    "Have the speaker's consent, and say so (have_the_right).",
)
CLONE_TOO_SHORT: Final = Problem(
    "clone_too_short", 422, "The speaker says too little to be cloned.", "Give the speaker more lines."
)
SPEED_RANGE: Final = Problem(
    "speed_range", 422, "This voice does not support that speed.", "Choose a speed within its engine's limits."
)
