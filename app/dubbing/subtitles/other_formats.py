"""Recognises other subtitle formats by their beginning, so that a refusal can name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_KINDS: Final = (
    ("MicroDVD (it counts pictures)", re.compile(r"\{\d{1,7}\}\{\d{0,7}\}")),
    ("MPL2", re.compile(r"\[\d{1,7}\]\[\d{0,7}\]")),
    ("LRC (lyrics)", re.compile(r"\[(?:(?:ar|ti|al|by|la|offset|length):.*|\d{1,3}:\d{2}(?:[.:]\d{1,3})?)\]")),
    ("SAMI", re.compile(r"<SAMI\b", re.I)),
    ("TTML", re.compile(r"<(?:\w+:)?tt[\s>]", re.I)),
    ("XML", re.compile(r"<\?xml|<(?:transcript|timedtext)\b", re.I)),
    ("HTML", re.compile(r"<(?:!doctype|html|head|body)\b", re.I)),
    ("JSON", re.compile(r"[\[{]\s*(?:[\"{\[]|$)")),
    ("VobSub, which are pictures", re.compile(r"# VobSub")),
    ("EBU STL", re.compile(r"\d{3}STL\d{2}\.\d")),
    ("Spruce STL", re.compile(r"\$\w+\s*=|//Font select")),
    ("RealText", re.compile(r"<window\b", re.I)),
    ("Scenarist SCC", re.compile(r"Scenarist_SCC")),
    ("a playlist", re.compile(r"#EXTM3U|ffconcat\b")),
    ("RTF", re.compile(r"\{\\rtf")),
    ("a PDF", re.compile(r"%PDF-")),
)


def kind_of(lines: Sequence[str]) -> str:
    """What the file seems to be; "" when it is like nothing that is known. XML is looked at further, for what it
    holds."""
    heads = [line.strip()[:200] for line in lines[:50] if line.strip()][:8]
    if not heads:
        return ""
    named = next((name for name, pattern in _KINDS if pattern.match(heads[0])), "")
    if named in ("XML", "HTML", ""):
        return next((name for name, pattern in _KINDS[3:5] if any(pattern.search(head) for head in heads)), named)
    return named
