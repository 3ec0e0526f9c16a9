"""The neural voices that can be had: names, languages, files with their hashes, licences.

Kokoro's grades are those of its makers (hexgrad/Kokoro-82M, VOICES.md). Only languages in which its voices were heard
back right, with espeak-ng's phonemes, are here: not its Hindi, Japanese and Chinese.
"""

from __future__ import annotations

import functools
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from app.speech.model_files import ModelFile
from app.speech.neural.piper_config import Config, config_of

KOKORO_LICENCE: Final = "Apache-2.0"
_KOKORO_MODEL: Final = (
    "https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0/kokoro-v1.0.int8.onnx"
)
_KOKORO_VOICE: Final = "https://huggingface.co/onnx-community/Kokoro-82M-v1.0-ONNX/resolve/main/voices/{name}.bin"
_PIPER: Final = "https://huggingface.co/rhasspy/piper-voices/resolve/main/en/en_US/joe/medium/{file}"
_STYLE_BYTES: Final = 510 * 256 * 4
# the first letter of a Kokoro voice: espeak-ng's name of the language, ISO 639-1, for people
_KOKORO_LANGUAGES: Final = {
    "a": ("en-us", "en", "American"),
    "b": ("en", "en", "British"),
    "e": ("es", "es", ""),
    "f": ("fr", "fr", ""),
    "i": ("it", "it", ""),
    "p": ("pt-br", "pt", "Brazilian"),
}
_GENDERS: Final = {"f": "female", "m": "male"}
# speed asked -> speed got, over sentences of two voices each (`python -m bench.voices`)
_KOKORO_SPEEDS: Final = (
    (0.5, 0.48),
    (0.7, 0.675),
    (0.8, 0.805),
    (0.9, 0.93),
    (1.0, 1.0),
    (1.1, 1.06),
    (1.2, 1.135),
    (1.3, 1.22),
    (1.4, 1.54),
    (1.5, 1.6),
    (1.7, 1.72),
)
_PIPER_SPEEDS: Final = (
    (0.6, 0.64),
    (0.7, 0.757),
    (0.8, 0.878),
    (0.9, 0.964),
    (1.0, 1.0),
    (1.1, 1.04),
    (1.2, 1.096),
    (1.3, 1.186),
    (1.4, 1.269),
    (1.5, 1.376),
    (1.7, 1.55),
)


class NeuralVoice(msgspec.Struct, frozen=True):
    """One voice. `files` are what has to be there: the model first, then Kokoro's style or Piper's JSON.

    `language` is espeak-ng's name ("": as Piper's own file says), `iso` ISO 639-1. `grade` is "" where none is given.
    """

    id: str
    title: str
    family: str
    language: str
    iso: str | None
    gender: str | None
    grade: str
    licence: str
    files: tuple[ModelFile, ...]

    def asked_speed(self, speed: float) -> float:
        """The speed to ask the model for, so that the sound has `speed` times its usual pace."""
        pairs = _KOKORO_SPEEDS if self.family == "kokoro" else _PIPER_SPEEDS
        for (asked, got), (next_asked, next_got) in pairwise(pairs):
            if speed <= next_got:
                return asked + (max(speed, got) - got) / (next_got - got) * (next_asked - asked)
        return pairs[-1][0]


def _kokoro_model() -> ModelFile:
    return ModelFile(
        "kokoro/kokoro-v1.0.int8.onnx",
        _KOKORO_MODEL,
        "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
        92_361_271,
    )


def _kokoro(line: str) -> NeuralVoice:
    voice_id, grade, sha256 = line.split()
    language, iso, people = _KOKORO_LANGUAGES[voice_id[0]]
    style = ModelFile(f"kokoro/voices/{voice_id}.bin", _KOKORO_VOICE.format(name=voice_id), sha256, _STYLE_BYTES)
    name = voice_id.partition("_")[2].capitalize()
    return NeuralVoice(
        voice_id,
        f"{name} ({people})" if people else name,
        "kokoro",
        language,
        iso,
        _GENDERS[voice_id[1]],
        "" if grade == "-" else grade,
        KOKORO_LICENCE,
        (_kokoro_model(), style),
    )


_JOE: Final = NeuralVoice(
    "en_US-joe-medium",
    "Joe (American)",
    "piper",
    "",
    "en",
    "male",
    "",
    "see its model card",
    (
        ModelFile(
            "piper/en_US-joe-medium.onnx",
            _PIPER.format(file="en_US-joe-medium.onnx"),
            "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            63_201_294,
        ),
        ModelFile(
            "piper/en_US-joe-medium.onnx.json",
            _PIPER.format(file="en_US-joe-medium.onnx.json"),
            "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
            4_794,
        ),
    ),
)


@functools.cache
def published() -> tuple[NeuralVoice, ...]:
    """Every voice that can be downloaded, the best of a language first."""
    text = resources.files("app.speech.neural").joinpath("kokoro_voices.txt").read_text(encoding="utf-8")
    return (*(_kokoro(line) for line in text.splitlines() if not line.startswith("#")), _JOE)


def own(folder: Path) -> tuple[NeuralVoice, ...]:
    """The Piper voices of the operator in `piper/` of the models folder; a damaged one is left out. Blocks."""
    known = {file.file for voice in published() for file in voice.files}
    found = []
    for path in sorted(folder.joinpath("piper").glob("*.onnx")):
        name = f"piper/{path.name}"
        if name in known or not path.name.isprintable():
            continue
        try:
            config: Config = config_of(path.with_name(f"{path.name}.json"))
        except (OSError, msgspec.DecodeError):
            continue
        iso = (config.language.family or config.espeak.voice.partition("-")[0])[:2] or None
        files = tuple(ModelFile(file, "", "", 0) for file in (name, f"{name}.json"))
        found.append(NeuralVoice(path.stem, f"{path.stem} (models folder)", "piper", "", iso, None, "", "", files))
    return tuple(found)
