"""Takes the speech out of a recording and leaves the rest as a file. Runs in a child process: it loads a model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from app.domain.dub_options import AudioFormat
from app.domain.errors import DubError
from app.domain.problems.recognition import OUT_OF_MEMORY
from app.dubbing.mixing.chunk_plan import CHUNK_N, LEAD_N
from app.dubbing.mixing.window_reader import KnownSpans, Playback
from app.dubbing.separation.isolated_pieces import VoiceReader
from app.dubbing.separation.kept_pieces import KeptPieces
from app.dubbing.worker.tasks import SeparatedSound, SeparateRequest
from app.media.lossless import rounded
from app.media.sound_writer import sound_file
from app.separation import pieces
from app.separation.loading import load
from app.separation.ports import Sized, Windows

_SPANS_EVERY: Final = 16
_MEMORY: Final = ("out of memory", "not enough memory", "allocate memory", "failed to map segment")
_JOINED: Final = 0.02  # the share of the work that is left when every piece is there


def separate(request: SeparateRequest, report: Callable[[float], None]) -> SeparatedSound:
    """`out` is the recording without speech, FLAC, 48 kHz stereo, `duration_s` to the sample, on the mix's timeline.

    `report` gets 0..1: first what an earlier run has left in `resume_folder`. Raises model_damaged, out_of_memory,
    not_media, media_damaged, audio_track_missing.
    """
    with contextlib.suppress(OSError):  # under memory pressure the kernel kills this process before the server
        Path("/proc/self/oom_score_adj").write_text("1000")
    length_n = max(1, round(request.duration_s * pieces.SOUND_HZ))
    with _memory_named():
        separator = Windows() if request.voices else load(request.engine, Path(request.model), request.threads)
        count = pieces.count(separator, length_n)
        pieces_made = KeptPieces(Path(request.resume_folder), count)
        share = (1 - _JOINED) / count
        report(pieces_made.found * share)
        if pieces_made.found < count:
            _make(request, separator, length_n, pieces_made, lambda number: report((number + 1) * share))
    with sound_file(Path(request.out), AudioFormat.FLAC) as writer:
        for number, piece in enumerate(pieces_made.all()):
            writer.write_pcm(piece)
            report(1 - _JOINED + _JOINED * (number + 1) / count)
    return SeparatedSound(count - pieces_made.found, pieces_made.found)


@contextlib.contextmanager
def _memory_named() -> Iterator[None]:
    """torch has no type of its own for a machine, or a limit, without the memory that it needs."""
    try:
        yield
    except (RuntimeError, ImportError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not any(sign in str(error).lower() for sign in _MEMORY):
            raise
        raise DubError(OUT_OF_MEMORY, "While telling speech from music.") from error


def _make(
    request: SeparateRequest, separator: Sized, length_n: int, pieces_made: KeptPieces, done: Callable[[int], None]
) -> None:
    known = KnownSpans(Path(request.spans), request.source_id, request.audio_track, CHUNK_N, LEAD_N)
    overlap_n = pieces.reach_n(separator) - pieces.piece_n(separator)
    playback = Playback(Path(request.path), request.audio_track, overlap_n, known.spans)
    voices = VoiceReader(request.voices) if request.voices else None
    read_voice = voices.window if voices is not None else None
    try:
        for number, piece in enumerate(
            pieces.background(separator, playback.window, length_n, pieces_made.found, read_voice),
            start=pieces_made.found,
        ):
            pieces_made.keep(number, rounded(piece))
            known.keep(least=_SPANS_EVERY)
            done(number)
    finally:
        playback.close()
        if voices is not None:
            voices.close()
        known.keep()
