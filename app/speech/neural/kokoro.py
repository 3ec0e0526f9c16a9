"""Kokoro's alphabet, and its model: phonemes and a voice's style to 24 kHz sound.

The letters and their numbers are those of the published model's `config.json` (hexgrad/Kokoro-82M, Apache-2.0); how
espeak-ng's IPA becomes its letters is the rule of misaki, the text front end that it was trained with (Apache-2.0).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np

RATE_HZ: Final = 24_000
LONGEST: Final = 510  # letters of one call
_STYLE_SHAPE: Final = (LONGEST, 1, 256)
_LETTERS: Final = {
    **dict(zip(";:,.!?", range(1, 7), strict=True)),
    **dict(zip('—…"()“” ', range(9, 17), strict=True)),
    **dict(zip("\u0303ʣʥʦʨᵝ\uab67AI", range(17, 26), strict=True)),
    **{"O": 31, "Q": 33, "S": 35, "T": 36, "W": 39, "Y": 41, "ᵊ": 42},
    **dict(zip("abcdef", range(43, 49), strict=True)),
    **dict(zip("hijklmnopqrstuvwxyz", range(50, 69), strict=True)),
    **dict(zip("ɑɐɒæ", range(69, 73), strict=True)),
    **dict(zip("βɔɕç", range(75, 79), strict=True)),
    **{"ɖ": 80, "ð": 81, "ʤ": 82, "ə": 83, "ɚ": 85, "ɛ": 86, "ɜ": 87, "ɟ": 90, "ɡ": 92, "ɥ": 99, "ɨ": 101},
    **{"ɪ": 102, "ʝ": 103, "ɯ": 110, "ɰ": 111, "ŋ": 112, "ɳ": 113, "ɲ": 114, "ɴ": 115, "ø": 116, "ɸ": 118},
    **{"θ": 119, "œ": 120, "ɹ": 123, "ɾ": 125, "ɻ": 126, "ʁ": 128, "ɽ": 129, "ʂ": 130, "ʃ": 131, "ʈ": 132},
    **{"ʧ": 133, "ʊ": 135, "ʋ": 136, "ʌ": 138, "ɣ": 139, "ɤ": 140, "χ": 142, "ʎ": 143, "ʒ": 147, "ʔ": 148},
    **{"ˈ": 156, "ˌ": 157, "ː": 158, "ʰ": 162, "ʲ": 164, "↓": 169, "→": 171, "↗": 172, "↘": 173, "ᵻ": 177},
}
_ONE_SOUND: Final = (
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^z", "ʣ"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("o^ʊ", "O"),
    ("s^s", "S"),
    ("t^s", "ʦ"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
    ("ə^ʊ", "Q"),
)
_ENGLISH: Final = (  # the longest first
    ("ʔˌn\u0329", "ʔn"),
    ("ʔn\u0329", "ʔn"),
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
    ("ə^l", "ᵊl"),
    ("ʲo", "jo"),
    ("ʲə", "jə"),
    ("e", "A"),
    ("ʲ", ""),
    ("ɚ", "əɹ"),
    ("r", "ɹ"),
    ("x", "k"),
    ("ç", "k"),
    ("ɐ", "ə"),
    ("ɬ", "l"),
    ("\u0303", ""),
)
_BRITISH: Final = (("A^ə", "ɛː"), ("iə", "ɪə"), ("ə^ʊ", "Q"))
_AMERICAN: Final = (("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))
_ENGLISH_END: Final = (("o", "ɔ"), ("ɾ", "T"), ("ʔ", "t"))
_SYLLABIC: Final = re.compile("(\\S)\u0329")


def letters(ipa: str, language: str) -> str:
    """Kokoro's letters for espeak-ng's tied IPA; what it has no letter for goes. `language` is espeak-ng's name:
    "en" is British."""
    if language.startswith("en"):
        ipa = _SYLLABIC.sub("ᵊ\\1", _replaced(ipa, _ENGLISH)).replace("\u0329", "")
        ipa = _replaced(ipa, _BRITISH if language == "en" else _AMERICAN)
        ipa = _replaced(ipa, _ENGLISH_END)
    else:
        ipa = _replaced(ipa, _ONE_SOUND).replace("-", "")
    return "".join(letter for letter in ipa if letter in _LETTERS)


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def style_of(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A voice's file: float32 (510, 1, 256), the style for each number of letters. Raises ValueError."""
    return np.fromfile(path, np.float32).reshape(_STYLE_SHAPE)


def feed(spoken: str, style: np.ndarray[Any, np.dtype[np.float32]], speed: float) -> dict[str, Any]:
    """The model's inputs for at most `LONGEST` letters."""
    numbers = [_LETTERS[letter] for letter in spoken]
    return {
        "tokens": np.array([[0, *numbers, 0]], np.int64),
        "style": style[len(numbers) - 1],
        "speed": np.array([speed], np.float32),
    }


def cut(spoken: str) -> list[str]:
    """Letters in parts of at most `LONGEST`, cut at marks, else between words, else anywhere."""
    parts = []
    while len(spoken) > LONGEST:
        head = spoken[:LONGEST]
        at = max(head.rfind(mark) for mark in ";:,.!?—…") + 1 or head.rfind(" ") + 1 or LONGEST
        parts.append(spoken[:at].strip())
        spoken = spoken[at:].strip()
    return [part for part in (*parts, spoken) if part]
