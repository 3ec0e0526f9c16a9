"""How ElevenLabs refuses, and which keys it takes."""

from __future__ import annotations

from typing import Any

from tests.doubles.http import Request

BODY_KEYS = {
    "text": str,
    "model_id": str,
    "voice_settings": dict,
    "language_code": str,
    "seed": int,
    "previous_text": str,
    "next_text": str,
    "previous_request_ids": list,
    "next_request_ids": list,
    "pronunciation_dictionary_locators": list,
}
SETTING_KEYS = {"stability", "similarity_boost", "style", "use_speaker_boost", "speed"}


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str = "", word: str = "") -> None:
        self.status = status
        self.body = {
            "detail": {
                "type": "error",
                "code": code,
                "message": message or code,
                "status": word or code,
                "request_id": "r",
            }
        }


def json_object(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise schema_refused("body")
    return body


def schema_refused(name: str) -> Refused:
    refused = Refused(422, "")
    refused.body = {"detail": [{"type": "type", "loc": ["body", name], "msg": f"{name} is wrong", "input": None}]}  # type: ignore[dict-item]
    return refused
