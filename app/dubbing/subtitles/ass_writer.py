"""ASS as libass draws it: the same file is burned in and handed out."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain.dub_options import BurnPosition, BurnSize, DubOptions
from app.domain.media import MediaInfo
from app.dubbing.subtitles.cues import Cue
from app.dubbing.subtitles.line_breaks import break_lines


class Style(msgspec.Struct, frozen=True):
    """`box` puts an opaque black box behind the text, which without it has a black outline."""

    size: BurnSize = BurnSize.MEDIUM
    position: BurnPosition = BurnPosition.BOTTOM
    box: bool = False


_HEAD: Final = """[Script Info]
ScriptType: v4.00+
PlayResX: {width}
PlayResY: {height}
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,{font},{size},&H00FFFFFF,&H00FFFFFF,&H00000000,&H80000000,0,0,0,0,100,100,0,0,\
{border},{outline},{shadow},{place},{side},{side},{edge},-1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""

# how many lines of text the picture is high
_PER_HEIGHT: Final = {BurnSize.SMALL: 19, BurnSize.MEDIUM: 15, BurnSize.LARGE: 11.5}
_PLACES: Final = {BurnPosition.BOTTOM: 2, BurnPosition.TOP: 8}  # as on a telephone's keys
_OUTLINED, _BOXED = 1, 3  # BorderStyle

# libass sizes a font by its tallest glyph; in fonts with tall marks the letters come out small.
_SMALL_SCRIPTS: Final = (
    (re.compile("[\u0600-\u06ff\u0750-\u077f]"), "Noto Sans Arabic", 1.5),
    (re.compile("[\u0e00-\u0e7f]"), "Noto Sans Thai", 1.25),
    (re.compile("[\u0e80-\u0eff]"), "Noto Sans Lao", 1.3),
    (re.compile("[\u1000-\u109f]"), "Noto Sans Myanmar", 1.7),
)


def style_of(options: DubOptions) -> Style:
    return Style(options.output.burn_size, options.output.burn_position, options.output.burn_box)


def upright_size(info: MediaInfo) -> tuple[int, int]:
    """The picture's width and height as it is seen; 1280 x 720 for sound alone."""
    if info.video is None:
        return 1280, 720
    size = info.video.width, info.video.height
    return size if info.video.rotation_deg % 180 == 0 else size[::-1]


def write_ass(cues: Sequence[Cue], width: int, height: int, style: Style = Style(), *, font: str = "Noto Sans") -> str:  # noqa: B008 - frozen
    """ASS for libass at the picture's size; sizes follow the shorter side, so that an upright phone video reads as well
    as a wide one.

    Encoding -1 lets libass find each line's direction: right-to-left lines come out right.
    """
    unit = min(width, height, width * 9 // 12)
    size = max(10, round(unit / _PER_HEIGHT[style.size]))
    head = _HEAD.format(
        width=width,
        height=height,
        font=font,
        size=size,
        border=_BOXED if style.box else _OUTLINED,
        place=_PLACES[style.position],
        outline=round(size / 6, 2) if style.box else round(max(1.0, size / 20), 2),
        shadow=0 if style.box else round(size / 60, 2),
        side=round(width * 0.05),
        edge=round(height * 0.05),
    )
    events = []
    for cue in cues:
        larger = next(
            (
                f"{{\\fn{name}\\fs{round(size * factor)}}}"
                for script, name, factor in _SMALL_SCRIPTS
                if script.search(cue.text)
            ),
            "",
        )
        events.append(
            f"Dialogue: 0,{_clock(cue.start_s)},{_clock(cue.end_s)},Default,,0,0,0,,{larger}{escape_ass(cue.text)}\n"
        )
    return head + "".join(events)


def escape_ass(text: str) -> str:
    """Text that libass draws as it stands: braces would open an override, a backslash one of its escapes."""
    lines = break_lines(text)
    # libass knows \\{ and \\}; a backslash is kept apart from what follows by a word joiner, which has no width.
    return "\\N".join(line.replace("\\", "\\\u2060").replace("{", "\\{").replace("}", "\\}") for line in lines)


def _clock(seconds: float) -> str:
    cs = max(0, math.floor(seconds * 100 + 0.5))
    return f"{cs // 360_000}:{cs // 6000 % 60:02}:{cs // 100 % 60:02}.{cs % 100:02}"
