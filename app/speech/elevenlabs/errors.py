"""Maps ElevenLabs' error answers to catalogue errors and to whether a retry makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.domain.errors import Problem
from app.domain.problems.lines import TEXT_INVALID, TEXT_TOO_LONG
from app.domain.problems.voices import (
    KEY_INVALID,
    PLAN_REQUIRED,
    QUOTA_EXCEEDED,
    SPEECH_BUSY,
    SPEECH_FAILED,
    SPEECH_REFUSED,
    VOICE_MODEL_UNKNOWN,
    VOICE_UNKNOWN,
)
from app.speech.failures import CallFailure, Retry, retry_after_s, shown

# code or status of the body -> problem; checked before the HTTP status, because 401 and 400 stand for many things
_BY_CODE: Final[dict[str, Problem]] = {
    **dict.fromkeys(
        ("invalid_api_key", "needs_authorization", "missing_permissions", "api_key_not_found"), KEY_INVALID
    ),
    **dict.fromkeys(("quota_exceeded", "insufficient_credits"), QUOTA_EXCEEDED),
    **dict.fromkeys(
        (
            "paid_plan_required",
            "payment_required",
            "subscription_required",
            "output_format_not_allowed",
            "detected_unusual_activity",
        ),
        PLAN_REQUIRED,
    ),
    **dict.fromkeys(("voice_not_found", "voice_does_not_exist"), VOICE_UNKNOWN),
    **dict.fromkeys(("model_not_found", "invalid_model_id"), VOICE_MODEL_UNKNOWN),
    **dict.fromkeys(("text_too_long", "max_character_limit_exceeded"), TEXT_TOO_LONG),
    "input_text_empty": TEXT_INVALID,
}
_PLACE: Final = frozenset({"concurrent_limit_exceeded", "too_many_concurrent_requests"})
_BUSY: Final = frozenset({"system_busy", "rate_limit_exceeded"})
_BY_STATUS: Final[dict[int, Problem]] = {401: KEY_INVALID, 402: PLAN_REQUIRED, 413: TEXT_TOO_LONG}


class _Detail(msgspec.Struct, frozen=True):
    words: frozenset[str]
    message: str


def trouble(status: int | None, body: Any, headers: Mapping[str, str] | None, key: str) -> CallFailure:
    """Classify an error answer. `key` is only used to keep it out of what is shown."""
    failure = _failure(status, body, headers, key)
    failure.unbilled = status is not None and status >= 400
    return failure


def _failure(status: int | None, body: Any, headers: Mapping[str, str] | None, key: str) -> CallFailure:
    found = _detail(body)
    message = shown(found.message, key)
    after_s = retry_after_s((headers or {}).get("retry-after", ""))
    if found.words & _PLACE:
        return CallFailure(SPEECH_BUSY, "Too many lines at once for the plan.", Retry.PLACE, after_s)
    if any(word.startswith("pronunciation_dictionary") for word in found.words):
        return CallFailure(SPEECH_REFUSED, message, dictionary=True)
    for word in sorted(found.words & _BY_CODE.keys()):
        return CallFailure(_BY_CODE[word], message, scope=word == "missing_permissions")
    if found.words & _BUSY or status in (408, 425, 429) or (status or 0) >= 500:
        return CallFailure(SPEECH_BUSY, message or f"It answered {status}.", Retry.BUSY, after_s)
    if status is None or status < 400:
        return CallFailure(SPEECH_FAILED, "Its answer was not understood.", Retry.ANSWER)
    return CallFailure(_BY_STATUS.get(status, SPEECH_REFUSED), message or f"It answered {status}.")


def _detail(body: Any) -> _Detail:
    """The body's words (code, status) and message, in each of the forms that the service has used."""
    detail = body.get("detail", body) if isinstance(body, Mapping) else body
    if isinstance(detail, Mapping):
        words = {str(detail[name]).lower() for name in ("code", "status") if isinstance(detail.get(name), str)}
        return _Detail(frozenset(words), str(detail.get("message") or ""))
    if isinstance(detail, list):  # the schema's complaints: [{"loc": [...], "msg": ...}]
        first = next((one for one in detail if isinstance(one, Mapping)), {})
        return _Detail(frozenset(), str(first.get("msg") or ""))
    text = detail if isinstance(detail, str) and "<" not in detail else ""  # never a web page
    return _Detail(frozenset(), text)
