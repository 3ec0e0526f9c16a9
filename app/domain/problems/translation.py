"""What keeps lines from being translated."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

TRANSLATOR_UNAVAILABLE: Final = Problem(
    "translator_unavailable",
    503,
    "This translator is not set up here.",
    "The operator sets its address; docs/environment.md lists the settings.",
)
TARGET_LANGUAGE_MISSING: Final = Problem(
    "target_language_missing",
    422,
    "A translator was chosen, but no language to translate into.",
    "Choose the language of the lines.",
)
TRANSLATOR_KEY_MISSING: Final = Problem(
    "translator_key_missing", 401, "This translator needs an API key.", "Enter the key in the settings."
)
TRANSLATOR_KEY_INVALID: Final = Problem(
    "translator_key_invalid",
    401,
    "The translator refused the API key.",
    "Check the key; it may be mistyped or expired.",
)
TRANSLATOR_QUOTA: Final = Problem(
    "translator_quota_exceeded",
    402,
    "The translator's quota is spent.",
    "Wait for the reset or raise it, then retry: translated lines are kept.",
)
TRANSLATION_BUSY: Final = Problem(
    "translation_busy", 503, "The translator is busy.", "Retry in a while: translated lines are kept."
)
TRANSLATION_FAILED: Final = Problem(
    "translation_failed", 502, "The translator gave no usable answer.", "Retry: translated lines are kept."
)
TRANSLATION_REFUSED: Final = Problem(
    "translation_refused", 422, "The translator refused the lines.", "Check its address, its model and the languages."
)
TRANSLATION_UNMATCHED: Final = Problem(
    "translation_unmatched",
    422,
    "The translation has nothing for any of the lines.",
    "Number its lines as the subtitles are numbered, or bring one line for each line.",
)
