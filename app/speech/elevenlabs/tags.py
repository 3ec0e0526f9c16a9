"""Tags that direct a voice, such as [whispers]: models that know them get them, for others they are no text."""

from __future__ import annotations

import re
from typing import Final

# a word or a few, in letters: [laughs], [speaks slowly]; no number, no name with marks
_TAG: Final = re.compile(r"\s*\[[A-Za-z][A-Za-z' -]{1,40}\]")


def without_tags(text: str) -> str:
    """The text that is spoken; unchanged where nothing else would be left."""
    left = " ".join(_TAG.sub(" ", text).split())
    return left if any(c.isalnum() for c in left) else text
