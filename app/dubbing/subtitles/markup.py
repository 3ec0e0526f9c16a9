"""Parses marked-up text of SRT and WebVTT: the words, the speaker, and times inside the text."""

from __future__ import annotations

import html
import re
from typing import Final

_TAG: Final = re.compile(
    r"</?(?:b|i|u|s|c|v|font|ruby|rt|lang|span|em|strong|br)\b[^<>]{0,200}>|<\d+:[\d:.]+>|</?c\.[^<>]{0,200}>|\[br\]",
    re.I,
)
_BREAK: Final = re.compile(r"<br\s*/?>|\[br\]", re.I)
_ASS_TAG: Final = re.compile(r"\{\\[^{}]{0,200}\}")
_VOICE: Final = re.compile(r"<v(?:\.[^\s<>]{0,80})?[ \t]+([^<>]{1,200})>", re.I)
_TIME_TAG: Final = re.compile(r"<(?:(\d{1,4}):)?(\d{1,2}):(\d{2})\.(\d{1,6})>")
_MARK: Final = re.compile("\x01(\\d+)\x02")
_INVISIBLE: Final = "\u200c\u200d\u200e\u200f\u00a0\u00ad"


def plain(text: str, *, is_vtt: bool = False) -> str:
    """Spoken words only: no tags, no ASS overrides, no control characters, no empty lines."""
    return marked(text, is_vtt=is_vtt)[0]


def marked(text: str, *, is_vtt: bool = False) -> tuple[str, tuple[tuple[int, float], ...]]:
    """As `plain`, with the times that stand between the words: (which character of the plain text comes next,
    seconds)."""
    text = text.replace("\x01", "").replace("\x02", "")
    times_s: list[float] = []

    def mark(found: re.Match[str]) -> str:
        hours, minutes, seconds, fraction = found.groups()
        times_s.append(int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}"))
        return f"\x01{len(times_s) - 1}\x02"

    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", _TIME_TAG.sub(mark, text)))
    elif "[" in text:
        text = _BREAK.sub("\n", text)
    if not is_vtt and "\\" in text:  # what programs leave behind that turn ASS into SRT
        text = _ASS_TAG.sub("", text).replace("\\N", "\n").replace("\\h", " ")
    if "&" in text:
        text = html.unescape(text)
    if not times_s:
        lines = (_printable(line).strip() for line in text.split("\n"))
        return "\n".join(line for line in lines if line), ()
    return _with_marks(text, times_s)


def _with_marks(text: str, times_s: list[float]) -> tuple[str, tuple[tuple[int, float], ...]]:
    said: list[str] = []
    marks: list[tuple[int, float]] = []
    at, waiting = 0, ""  # `waiting`: white space, which is only written when a letter follows
    for line in text.split("\n"):
        pieces = _MARK.split(line)
        for number, piece in enumerate(pieces):
            if number % 2:
                marks.append((at + len(waiting) if at else 0, times_s[int(piece)]))
                continue
            for c in _printable(piece):
                if c.isspace():
                    waiting = waiting or (c if at else "")
                    continue
                if waiting:
                    said.append(waiting)
                    at += 1
                    waiting = ""
                said.append(c)
                at += 1
        waiting = "\n" if at else ""
    whole = "".join(said)
    # a time before a space is that of the word behind the space
    moved = (((place + 1) if whole[place : place + 1].isspace() else place, time_s) for place, time_s in marks)
    return whole, tuple((place, time_s) for place, time_s in moved if place < len(whole))


def voices(text: str) -> tuple[str, ...]:
    """The names of WebVTT's voice spans, in order, each once."""
    return (
        tuple(dict.fromkeys(" ".join(html.unescape(name).split()) for name in _VOICE.findall(text)))
        if "<" in text
        else ()
    )


def _printable(text: str) -> str:
    return (
        text
        if text.isprintable()
        else "".join(c for c in text if c.isprintable() or c in _INVISIBLE or c == "\t").replace("\t", " ")
    )
