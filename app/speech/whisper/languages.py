"""Converts between ISO 639 codes and Whisper's language codes."""

from __future__ import annotations

from typing import Final

from app.domain.errors import DubError
from app.domain.problems.recognition import LANGUAGE_UNKNOWN

_CODES: Final = """
en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy
sk te fa lv bn sr az sl kn et
mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my
bo tl mg as tt haw ln ha
ba jw su yue
"""

WHISPER: Final = tuple(_CODES.split())

_TO_WHISPER: Final = {"jv": "jw", "nb": "no", "fil": "tl", "iw": "he", "in": "id", "cmn": "zh", "mo": "ro"}
_FROM_WHISPER: Final = {"jw": "jv"}

ISO: Final = tuple(_FROM_WHISPER.get(code, code) for code in WHISPER)


def to_whisper(language: str) -> str:
    """Whisper's code for "es", "pt-BR" or "jv". Raises language_unknown."""
    primary = language.strip().lower().replace("_", "-").partition("-")[0]
    code = _TO_WHISPER.get(primary, primary)
    if code not in WHISPER:
        raise DubError(LANGUAGE_UNKNOWN, f'"{language[:40]}".')
    return code


def from_whisper(code: str) -> str:
    """The ISO 639 code for Whisper's."""
    return _FROM_WHISPER.get(code, code)
