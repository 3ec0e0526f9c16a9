"""Pieces of a recording for a service that takes the voice out, and the voices that it sends back. Runs in a child."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from app.domain.dub_options import AudioFormat
from app.domain.errors import DubError
from app.domain.problems.media import AUDIO_TRACK_MISSING, MEDIA_DAMAGED, NOT_MEDIA
from app.domain.problems.separation import SEPARATION_FAILED
from app.dubbing.mixing.chunk_plan import CHUNK_N, LEAD_N
from app.dubbing.mixing.window_reader import KnownSpans, Playback
from app.dubbing.worker.tasks import CutRequest, FoundVoice, VoicePiece, VoiceRequest
from app.media.lossless import rounded
from app.media.sound_reader import SoundReader, Spans
from app.media.sound_writer import sound_file
from app.separation.isolated import late_by
from app.separation.pieces import SOUND_HZ
from app.separation.ports import Stereo

_BLOCK_N: Final = 10 * SOUND_HZ
_COMPARED_N: Final = 30 * SOUND_HZ
_MOST_LATE_N: Final = SOUND_HZ // 2
_FADE_N: Final = SOUND_HZ  # over which one piece's voice becomes the next one's
_REACH_BACK_N: Final = 4 * SOUND_HZ  # windows of the separation overlap by less
_SLACK_N: Final = 2 * SOUND_HZ  # a voice may be so much shorter or longer than what it was taken out of


def cut(request: CutRequest, report: Callable[[float], None]) -> FoundVoice:
    """`out` is the sound from `first_n` to `until_n`, FLAC, 48 kHz stereo; past the end it is silent."""
    known = KnownSpans(Path(request.spans), request.source_id, request.audio_track, CHUNK_N, LEAD_N)
    playback = Playback(Path(request.path), request.audio_track, 0, known.spans)
    try:
        with sound_file(Path(request.out), AudioFormat.FLAC) as writer:
            for at_n in range(request.first_n, request.until_n, _BLOCK_N):
                writer.write_pcm(rounded(playback.window(at_n, min(at_n + _BLOCK_N, request.until_n))))
                report((at_n - request.first_n) / (request.until_n - request.first_n))
    finally:
        playback.close()
        known.keep()
    return FoundVoice(0)


def find(request: VoiceRequest, report: Callable[[float], None]) -> FoundVoice:
    """By how much the voice is late. Raises separation_failed where it is no sound, or not of this length."""
    try:
        length_n, loudest_n = _examined(Path(request.voice), lambda at_n: report(0.5 * at_n / request.length_n))
    except DubError as error:
        if error.problem in (NOT_MEDIA, MEDIA_DAMAGED, AUDIO_TRACK_MISSING):
            raise DubError(SEPARATION_FAILED, "What came is no sound.") from error
        raise
    if abs(length_n - request.length_n) > _SLACK_N:
        raise DubError(SEPARATION_FAILED, "The voice has not the length of what was sent.")
    if loudest_n is None:  # nobody speaks in this piece
        return FoundVoice(0)
    sounds = []
    for path in (request.recording, request.voice):
        playback = _opened(Path(path))
        sounds.append(playback.window(loudest_n, loudest_n + _COMPARED_N))
        playback.close()
    return FoundVoice(late_by(sounds[0], sounds[1], _MOST_LATE_N))


def _examined(path: Path, done: Callable[[int], None]) -> tuple[int, int | None]:
    """How long a sound is, and where its loudest part begins; None where all is silent."""
    reader = SoundReader(path, 0, _spans(path))
    energies: dict[int, float] = {}
    try:
        while (block := reader.read()) is not None:
            part = (reader.position_n - len(block)) // _COMPARED_N
            energies[part] = energies.get(part, 0.0) + float(np.sum(block.astype(np.float64) ** 2))
            done(reader.position_n)
        length_n = reader.position_n
    finally:
        reader.close()
    loudest = max(energies, key=lambda part: energies[part], default=0)
    return length_n, loudest * _COMPARED_N if energies.get(loudest, 0.0) > 0 else None


def _spans(path: Path) -> Spans:
    return KnownSpans(path.parent, "", 0, CHUNK_N, LEAD_N).spans


def _opened(path: Path) -> Playback:
    return Playback(path, 0, _REACH_BACK_N, _spans(path))


class VoiceReader:
    """The voice of a whole recording, of its pieces; windows are asked for in order."""

    def __init__(self, pieces: tuple[VoicePiece, ...]) -> None:
        self._pieces = pieces
        self._open: dict[int, Playback] = {}

    def window(self, first_n: int, until_n: int) -> Stereo:
        """Float32 (n, 2): each piece in its step, one faded into the next."""
        out = np.zeros((until_n - first_n, 2), np.float32)
        for number, piece in enumerate(self._pieces):
            begin_n = piece.begin_n - (_FADE_N // 2 if number else 0)
            last = number == len(self._pieces) - 1
            end_n = piece.end_n + (0 if last else _FADE_N // 2)
            from_n, to_n = max(first_n, begin_n), min(until_n, end_n)
            if from_n >= to_n:
                if number in self._open and end_n <= first_n - _BLOCK_N:
                    self._open.pop(number).close()
                continue
            if number not in self._open:
                self._open[number] = _opened(Path(piece.path))
            player = self._open[number]
            shift_n = piece.late_n - piece.first_n
            sound = player.window(max(0, from_n + shift_n), max(0, to_n + shift_n))
            sound = np.pad(sound, ((to_n - from_n - len(sound), 0), (0, 0)))
            places = np.arange(from_n, to_n, dtype=np.float32)
            weight = np.ones(to_n - from_n, np.float32)
            if number:
                weight = np.minimum(weight, (places - begin_n) / _FADE_N)
            if not last:
                weight = np.minimum(weight, (end_n - places) / _FADE_N)
            out[from_n - first_n : to_n - first_n] += sound * weight[:, None]
        return out

    def close(self) -> None:
        for player in self._open.values():
            player.close()
