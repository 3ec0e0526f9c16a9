"""Cleans text from outside for one line: it cannot move a cursor, break a line or reverse the direction of text.

Removed are control characters, line and paragraph separators, lone surrogates, and marks that override the direction of
the following text (U+202A to U+202E, U+2066 to U+2069: "exe.4pm" after U+202E is shown as "mp4.exe"). Joiners of
letters and emoji stay.
"""

from __future__ import annotations

import re
from typing import Final

_ODD: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def plain(text: str) -> str:
    """Remove these characters: for stored titles and names."""
    return _ODD.sub("", text)


def one_line(text: str) -> str:
    """Remove control characters and lone surrogates. Direction marks stay: Arabic and Hebrew subtitles need them."""
    return _CONTROLS.sub("", text)


def visible(text: str) -> str:
    """The text with each of them as its escape, such as \\x1b: for a person's eyes."""
    return _ODD.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def json_safe(text: str) -> str:
    """Write each of these characters in JSON text as a JSON escape, except line breaks between tokens. The value stays
    the same."""
    return _ODD.sub(lambda found: found[0] if found[0] in "\n\r\t" else f"\\u{ord(found[0]):04x}", text)
