"""A line as a voice on this machine is given it: one line, no control characters, and something to say."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.errors import DubError
from app.domain.glossary import replaced
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.problems.lines import TEXT_INVALID, TEXT_TOO_LONG


def clean(text: str) -> str:
    """The text on one line. Control characters go: espeak-ng takes some of them for commands."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def speakable(text: str) -> str:
    """The clean text. Raises text_too_long, text_invalid."""
    text = clean(text)
    if len(text) > MAX_TEXT_CHARACTERS:
        raise DubError(
            TEXT_TOO_LONG, f"It has {len(text)} characters; at most {MAX_TEXT_CHARACTERS} can be spoken at once."
        )
    if not any(c.isalnum() for c in text):
        raise DubError(TEXT_INVALID, "There is nothing to speak in it.")
    return text


def with_phonemes(text: str, phonemes: Sequence[tuple[str, str]]) -> str:
    """The text with espeak-ng's signs, in double brackets, in place of words. Brackets of the text's own are none."""
    if not phonemes:
        return text
    return replaced(text.replace("[[", "[ ["), [(words, f"[[{signs}]]") for words, signs in phonemes])
