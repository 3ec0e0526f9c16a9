"""Text that somebody else has written, fit for one line: nothing in it moves a cursor, breaks a line or turns its direction.

What goes: control characters, line and paragraph separators, halves of surrogate pairs, and the marks that turn the direction of what follows
(U+202A to U+202E, U+2066 to U+2069: "exe.4pm" behind U+202E is shown as "mp4.exe"). What joins letters and emoji stays.
"""

from __future__ import annotations

import re
from typing import Final

_ODD: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def plain(text: str) -> str:
    """The text without them: for titles and names that are kept."""
    return _ODD.sub("", text)


def one_line(text: str) -> str:
    """The text without control characters and half characters; what turns the direction stays, as Arabic and Hebrew subtitles have it."""
    return _CONTROLS.sub("", text)


def visible(text: str) -> str:
    """The text with each of them as its escape, such as \\x1b: for a person's eyes."""
    return _ODD.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def json_safe(text: str) -> str:
    """JSON with each of them as JSON's own escape, but for the line breaks between its tokens: it means the same."""
    return _ODD.sub(lambda found: found[0] if found[0] in "\n\r\t" else f"\\u{ord(found[0]):04x}", text)
