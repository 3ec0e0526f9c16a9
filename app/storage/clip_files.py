"""A clip is two files, the sound and what is said of it: in the database the sound's key stands for both, which is half
the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_FOLDER: Final = "clips/"
_SOUND, _ABOUT = ".wav", ".json"


def row_of(key: str) -> str:
    """The key whose row says that a file is needed: for what is said of a clip its sound's, else its own."""
    if key.startswith(_FOLDER) and key.endswith(_ABOUT):
        return key.removesuffix(_ABOUT) + _SOUND
    return key


def files_of(rows: Iterable[str]) -> list[str]:
    """All files that these rows stand for, each once. Keys in order stay in order."""
    found: dict[str, None] = {}
    for key in rows:
        if key.startswith(_FOLDER) and key.endswith(_SOUND):
            found[key.removesuffix(_SOUND) + _ABOUT] = None
        found[key] = None
    return list(found)
