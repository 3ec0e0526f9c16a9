"""Parts a long text at sentence ends, for services that take only so much at once."""

from __future__ import annotations

import re
from typing import Final

# after what a part may end, the best first: a sentence, a clause, a word
_ENDS: Final = (
    re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019\u00bb)]*\s+|(?<=[\u3002\uff01\uff1f])"),
    re.compile(r"(?<=[,;:\u2014\u2013])\s+|(?<=[\u3001\uff0c\uff1b\uff1a])"),
    re.compile(r"\s+"),
)


def parts(text: str, most: int) -> tuple[str, ...]:
    """The text in parts of at most `most` characters, in order; nothing but white space between them is lost."""
    found: list[str] = []
    rest = text.strip()
    while len(rest) > most:
        at = next((cut for end in _ENDS if (cut := _last(end, rest, most))), most)
        found.append(rest[:at].strip())
        rest = rest[at:].strip()
    return (*found, rest) if rest else tuple(found)


def _last(end: re.Pattern[str], text: str, most: int) -> int:
    """Where the last part that is short enough ends; 0 where none is."""
    return max((match.end() for match in end.finditer(text) if len(text[: match.end()].rstrip()) <= most), default=0)
