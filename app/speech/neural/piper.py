"""Piper's models: phonemes to sound. Each has a JSON file beside it that tells its language, rate and phonemes.

The phonemes are espeak-ng's IPA, letter by letter (NFD), a pad after each. The noise that varies the voice is off: the
same text is the same sound, bit for bit.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

import numpy as np

from app.speech.neural.piper_config import Config

_BEGIN: Final = "^"
_PAD: Final = "_"
_END: Final = "$"


def feed(ipa: str, config: Config, speed: float) -> dict[str, Any]:
    """The model's inputs. Phonemes that it does not know go."""
    numbers = [*config.phoneme_id_map[_BEGIN], *config.phoneme_id_map[_PAD]]
    for letter in unicodedata.normalize("NFD", ipa):
        if letter in config.phoneme_id_map:
            numbers += [*config.phoneme_id_map[letter], *config.phoneme_id_map[_PAD]]
    numbers += config.phoneme_id_map[_END]
    inputs = {
        "input": np.array([numbers], np.int64),
        "input_lengths": np.array([len(numbers)], np.int64),
        "scales": np.array([0.0, 1.0 / speed, 0.0], np.float32),
    }
    return inputs | ({"sid": np.array([0], np.int64)} if config.num_speakers > 1 else {})
