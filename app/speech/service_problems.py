"""Which catalogue error a failure of a service is, by what the service does: speak, or recognise."""

from __future__ import annotations

from typing import Final

import msgspec

from app.domain.errors import Problem
from app.domain.problems.recognition import (
    MODEL_UNKNOWN,
    RECOGNITION_BUSY,
    RECOGNITION_KEY_INVALID,
    RECOGNITION_KEY_MISSING,
    RECOGNITION_QUOTA,
    RECOGNITION_REFUSED,
    RECOGNITION_UNUSABLE,
)
from app.domain.problems.voices import (
    KEY_INVALID,
    KEY_MISSING,
    PLAN_REQUIRED,
    QUOTA_EXCEEDED,
    SPEECH_BUSY,
    SPEECH_FAILED,
    SPEECH_REFUSED,
    VOICE_MODEL_UNKNOWN,
)


class ServiceProblems(msgspec.Struct, frozen=True):
    """The errors of one kind of service. `failed`: what it gave could not be used."""

    key_missing: Problem
    key_invalid: Problem
    quota: Problem
    plan: Problem
    busy: Problem
    failed: Problem
    refused: Problem
    model_unknown: Problem


SPEAKING: Final = ServiceProblems(
    KEY_MISSING,
    KEY_INVALID,
    QUOTA_EXCEEDED,
    PLAN_REQUIRED,
    SPEECH_BUSY,
    SPEECH_FAILED,
    SPEECH_REFUSED,
    VOICE_MODEL_UNKNOWN,
)
RECOGNISING: Final = ServiceProblems(
    RECOGNITION_KEY_MISSING,
    RECOGNITION_KEY_INVALID,
    RECOGNITION_QUOTA,
    RECOGNITION_QUOTA,
    RECOGNITION_BUSY,
    RECOGNITION_UNUSABLE,
    RECOGNITION_REFUSED,
    MODEL_UNKNOWN,
)
_BY_CODE: Final = {
    getattr(SPEAKING, name).code: getattr(RECOGNISING, name) for name in ServiceProblems.__struct_fields__
}


def of_recognition(problem: Problem) -> Problem:
    """The same failure where the service was to recognise."""
    found: Problem = _BY_CODE.get(problem.code, problem)
    return found
