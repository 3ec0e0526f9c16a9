"""Finds the language of a recording: heard at several places, so that a song or a greeting at the start does not
decide. Runs in the recognition child only."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from app.speech.whisper.heard import Model
from app.speech.whisper.vad import SpeechChunk, chunks, wav_blocks

_PLACES: Final = 5
_EVERY_S: Final = 60.0  # of the recording for each place
_REACH_S: Final = 60.0  # how far from a place speech is looked for
_FEWEST: Final = 3  # places that have to agree before the others are left out
_SURE: Final = 0.95
ENOUGH_S: Final = 3.0  # speech that is enough to tell the language by


class LanguageVotes:
    """What was heard so far, by seconds of speech."""

    def __init__(self) -> None:
        self._total: dict[str, float] = {}
        self._weight_s = 0.0
        self.places = 0

    def add(self, model: Model, chunk: SpeechChunk) -> None:
        """Blocks for one pass of the encoder."""
        self.places += 1
        self._weight_s += chunk.speech_s
        for code, probability in model.languages(chunk.samples).items():
            self._total[code] = self._total.get(code, 0.0) + probability * chunk.speech_s

    def best(self) -> tuple[str, float]:
        """The likeliest language and its certainty, 0..1: the share of the speech that sounds like it."""
        code = max(self._total, key=self._total.__getitem__)
        return code, min(1.0, self._total[code] / self._weight_s)


def listen(model: Model, speech: Path, start_s: float, tell: Callable[[int, int], None]) -> tuple[str, float] | None:
    """The language from `start_s` on and its certainty; None for a recording that is too short for more than one place,
    or where nothing is said at any. `tell` gets the number of each place and how many there are."""
    with wave.open(str(speech)) as file:
        end_s = file.getnframes() / file.getframerate()
    count = min(_PLACES, int((end_s - start_s) / _EVERY_S))
    if count < 2:
        return None
    votes = LanguageVotes()
    for number in range(count):
        tell(number + 1, count)
        for chunk in _from(speech, start_s + (end_s - start_s) * number / count):
            if chunk.speech_s >= ENOUGH_S:
                votes.add(model, chunk)
                break
        if votes.places >= _FEWEST and votes.best()[1] >= _SURE:
            break
    return votes.best() if votes.places else None


def _from(speech: Path, place_s: float) -> Iterator[SpeechChunk]:
    for chunk in chunks(wav_blocks(speech, place_s), place_s):
        yield chunk
        if chunk.end_s >= place_s + _REACH_S:
            return
