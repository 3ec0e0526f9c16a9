"""Begins and finishes a film that FFmpeg appends in runs: the part of a mux that runs in a child process. It imports
numpy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.dubbing.worker.tasks import StreamBegun, StreamRequest, TablesRead
from app.media import mp4_placed
from app.media.mp4_head import Source
from app.media.mp4_movie import Movie
from app.media.mp4_tables import UnsuitableError

_MOST_OFF_S: Final = 1.0


def begin_stream_task(request: StreamRequest, report: Callable[[float], None]) -> StreamBegun:
    """Make the file ready for FFmpeg."""
    stream, folder = Path(request.stream), Path(request.folder)
    try:
        with Movie(Path(request.frame)) as frame:
            own, room = len(request.tracks), request.room_bytes
            try:
                start_s = mp4_placed.begin(stream, frame, own, room, request.synced_bytes, folder)
            except UnsuitableError:
                start_s = mp4_placed.begin(stream, frame, own, room, 0, folder)
    except UnsuitableError as error:
        return StreamBegun(unsuitable=str(error))
    report(1.0)
    return StreamBegun(start_s)


def finish_stream_task(request: StreamRequest, report: Callable[[float], None]) -> TablesRead:
    """Make a film of what FFmpeg has written."""
    with contextlib.ExitStack() as opened:
        try:
            frame = opened.enter_context(Movie(Path(request.frame)))
            sources: list[Source | None] = []
            for track in request.tracks:
                if not track.path:
                    sources.append(None)
                    continue
                movie = opened.enter_context(Movie(Path(track.path)))
                sources.append(Source(movie, movie.tracks[track.number], keeps_description=True))
            length_s = mp4_placed.finish(
                Path(request.stream), frame, len(request.tracks), request.room_bytes, sources, Path(request.folder)
            )
            if abs(length_s - request.duration_s) > _MOST_OFF_S:
                raise UnsuitableError(f"the film lasts {length_s:.1f} s")
        except UnsuitableError as error:
            return TablesRead(str(error))
    report(1.0)
    return TablesRead()
