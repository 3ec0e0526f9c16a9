"""The rate of a recording that is separated. Imports nothing: the server reads it."""

from __future__ import annotations

from typing import Final

SOUND_HZ: Final = 48_000
