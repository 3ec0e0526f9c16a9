"""Text to phonemes (IPA) by espeak-ng's library. Runs in the child of the neural voices only."""

from __future__ import annotations

import ctypes
import re
from typing import Final

_UTF8: Final = 1
IPA: Final = 0x02
# as IPA, with "^" between the letters of one sound: "t^ʃ"
IPA_TIED: Final = IPA | 0x80 | ord("^") << 8
_MARK: Final = ';:,.!?—…"()“”«»¿¡'
# marks at the edge of a word; those inside stay with it ("3.5", "10:30")
_MARKS: Final = re.compile(rf"(\s*(?<!\w)[{_MARK}]+\s*|\s*[{_MARK}]+(?!\w)\s*)")
_SIGNS: Final = re.compile(r"(\[\[[^\[\]]*\]\])")
_SIGNS_FLAG: Final = 0x100
_SWITCHED: Final = re.compile(r"\([a-z^-]+\)")  # "(en)": the voice took a word for one of another language
_SENTENCES: Final = re.compile(r"(?<=[.!?…])\s+")


class NoPhonemes(Exception):
    """espeak-ng does not know the language."""


class Phonemizer:
    """espeak-ng, opened in this process. `library` has been initialised."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._signs = False
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]

    def take_signs(self, taken: bool) -> None:
        """Whether [[signs]] in a text are phonemes. The library has no other way to be told than by speaking."""
        if taken != self._signs:
            flags = _UTF8 | (_SIGNS_FLAG if taken else 0)
            self._library.espeak_Synth(b" \0", ctypes.c_size_t(2), 0, 0, 0, flags, None, None)
            self._library.espeak_Synchronize()
            self._signs = taken

    def phonemes(self, text: str, language: str, mode: int) -> str:
        """The phonemes of a text, its punctuation in its place. `language` is espeak-ng's name. Raises NoPhonemes."""
        if self._library.espeak_SetVoiceByName(language.encode()) != 0:
            raise NoPhonemes(language)
        parts = [
            part if _MARKS.fullmatch(part) else self._spoken(part, mode)
            for some in (_SIGNS.split(text) if self._signs else [text])
            for part in ([some] if _SIGNS.fullmatch(some) else _MARKS.split(some))
            if part
        ]
        return _SWITCHED.sub("", "".join(parts)).strip()

    def _spoken(self, text: str, mode: int) -> str:
        at, said = ctypes.c_char_p(text.encode()), []
        while at.value:  # a clause at a time
            said.append(self._library.espeak_TextToPhonemes(ctypes.byref(at), _UTF8, mode).decode())
        before = " " if text[:1].isspace() else ""
        return before + " ".join(clause.strip() for clause in said) + (" " if text[-1:].isspace() else "")


def sentences(text: str) -> list[str]:
    """The sentences of a text; a long one is a model's work of several calls."""
    return [sentence for sentence in _SENTENCES.split(text.strip()) if sentence]
