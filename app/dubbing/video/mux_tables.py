"""Reads and joins tables of MP4 files: the part of a mux that runs in a child process. It imports numpy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from app.dubbing.mixing.cache_file import load, store
from app.dubbing.worker.tasks import JoinedTrack, JoinTracksRequest, OutlineRequest, TablesRead
from app.media.mkv_join import MatroskaJoin
from app.media.mp4_head import Source
from app.media.mp4_join import Join, Position
from app.media.mp4_movie import Movie, is_plain
from app.media.mp4_outline import first_sample, write_outline
from app.media.mp4_tables import UnsuitableError

_HANDLERS: Final = {"video": b"vide", "audio": b"soun"}
_MOST_OFF_S: Final = 1.0  # a damaged table says hours; FFmpeg knows how to read some of these files
_QUICKTIME: Final = b"qt  "  # its descriptions of sound are not those of an MP4


def outline_task(request: OutlineRequest, report: Callable[[float], None]) -> TablesRead:
    """Write the outline of each file."""
    try:
        for path, out in request.files:
            with Movie(Path(path)) as movie:
                write_outline(movie, Path(out))
    except UnsuitableError as error:
        return TablesRead(str(error))
    report(1.0)
    return TablesRead()


def join_tracks_task(request: JoinTracksRequest, report: Callable[[float], None]) -> TablesRead:
    """Write `out`, or go on with it."""
    position = Path(request.position)
    data = load(position)
    found = msgspec.json.decode(data, type=Position) if data is not None else None
    with contextlib.ExitStack() as opened:
        try:
            join = _join(request, opened)
            if abs(join.length_s - request.duration_s) > _MOST_OFF_S:
                raise UnsuitableError(f"the tables last {join.length_s:.1f} s")
            join.write(Path(request.out), found, report, lambda reached: store(position, msgspec.json.encode(reached)))
        except UnsuitableError as error:
            return TablesRead(str(error))
    return TablesRead()


def _join(request: JoinTracksRequest, opened: contextlib.ExitStack) -> Join | MatroskaJoin:
    movies = {path: opened.enter_context(Movie(Path(path))) for path in {track.path for track in request.tracks}}
    sources = [_source(movies[track.path], track) for track in request.tracks]
    frame_path = Path(request.frame)
    if frame_path.suffix != ".mp4":
        return MatroskaJoin(frame_path, sources)
    frame = opened.enter_context(Movie(frame_path))
    for source, header in zip(sources, frame.tracks, strict=False):
        if first_sample(source.movie, source.track) != first_sample(frame, header):
            raise UnsuitableError("FFmpeg has copied another sample")
    sources += [Source(frame, track, keeps_description=True) for track in frame.tracks[len(sources) :]]
    return Join(frame, sources)


def _source(movie: Movie, wanted: JoinedTrack) -> Source:
    if wanted.number >= len(movie.tracks):
        raise UnsuitableError("a track is missing")
    track = movie.tracks[wanted.number]
    if track.handler != _HANDLERS[wanted.kind] or not track.samples or not is_plain(movie, track):
        raise UnsuitableError("a track that cannot be copied as it is")
    is_sound_of_mp4 = wanted.kind == "audio" and movie.brand != _QUICKTIME
    return Source(movie, track, wanted.start_s, keeps_description=is_sound_of_mp4)
