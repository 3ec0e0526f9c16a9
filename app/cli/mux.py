"""`autodubber mux`: joins several dubs of one video into one file with several sound tracks. The picture is copied."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.cli.dub_progress import Report, display
from app.cli.dub_report import fault_lines
from app.cli.failures import failed, interrupted, interruptible
from app.config.settings import Settings
from app.domain.dub_options import Container
from app.domain.errors import DubError
from app.domain.media import MediaInfo
from app.domain.problems.media import AUDIO_TRACK_MISSING, NO_AUDIO, NOT_MEDIA, TRACK_LENGTH
from app.domain.problems.recognition import LANGUAGE_UNKNOWN
from app.domain.stages import MUX
from app.dubbing import audio_tracks
from app.dubbing.subtitles.cues import Cue
from app.dubbing.subtitles.reading_report import subtitle_reading
from app.dubbing.subtitles.srt_vtt import read
from app.dubbing.video import burn as burning
from app.dubbing.video import containers
from app.dubbing.video import mux as muxing
from app.dubbing.video.mux import DubbedTrack
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import ProbeRequest
from app.media.track_languages import track_language
from app.observability import logs
from app.server.engines import limits_of
from app.system.children import Limits
from app.system.console import say, say_json, say_path
from app.system.exit_status import OK, UsageError, track_of

# encoders pad their last frame, and containers round; a track of another cut differs by more
_SAME_LENGTH_S: Final = 1.0
_ENCODING: Final = 0.95  # the share of the work when the picture must be encoded
_LARGEST_SUBTITLES: Final = 16 << 20


class Named(msgspec.Struct, frozen=True):
    """A file for one language, as typed: LANG=FILE or LANG=FILE:TITLE."""

    language: str
    path: Path
    title: str


class Track(msgspec.Struct, frozen=True):
    """One track of the finished file, as `--json` prints it. `language` is ISO 639-2."""

    kind: str
    language: str
    title: str
    codec: str
    default: bool


class Muxed(msgspec.Struct, frozen=True):
    """What `--json` prints. `duration_s` is the finished file's own duration; `picture` is "copied", or the name of the
    encoder."""

    ok: bool
    input: str
    output: str
    duration_s: float
    tracks: tuple[Track, ...]
    picture: str


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make the file; returns the exit status."""
    tracks = [named(text, "--track") for text in arguments.track]
    subtitles = [named(text, "--subtitles") for text in arguments.subtitles]
    _check(arguments, tracks, subtitles)
    logs.configure("warning", "console")
    try:
        muxed = asyncio.run(interruptible(_mux(arguments, settings, tracks, subtitles)))
    except DubError as error:
        return failed(error, as_json=arguments.json)
    except asyncio.CancelledError:
        return interrupted()
    say_json(muxed) if arguments.json else say_path(muxed.output)
    return OK


def named(text: str, option: str) -> Named:
    """Read LANG=FILE[:TITLE]; a file's name may hold colons. Raises UsageError."""
    language, equals, rest = text.partition("=")
    if not equals or not language.strip() or not rest:
        raise UsageError(f"{option} {text!r}: it looks like de=dub.m4a or de=dub.m4a:Deutsch")
    path, title = Path(rest), ""
    if not path.is_file() and ":" in rest:
        head, _, title = rest.rpartition(":")
        path = Path(head)
    if not path.is_file():
        raise UsageError(f"{option}: there is no file {rest}")
    return Named(language.strip(), path, title.strip())


def _check(arguments: argparse.Namespace, tracks: Sequence[Named], subtitles: Sequence[Named]) -> None:
    out: Path = arguments.output
    if not arguments.video.is_file():
        raise UsageError(f"there is no file {arguments.video}")
    if out.suffix.lower() not in (".mp4", ".mkv", ".webm"):
        raise UsageError(f"--output {out}: its name ends with .mp4, .mkv or .webm")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise UsageError(f"--output {out}: it is a folder, or there is no folder for it")
    if not os.access(out.absolute().parent, os.W_OK):
        raise UsageError(f"--output {out}: its folder is not writable")
    for path in (arguments.video, *(each.path for each in (*tracks, *subtitles))):
        if out.exists() and out.samefile(path):
            raise UsageError(f"--output would overwrite {path}")
    track_of(arguments.audio_track)
    if arguments.default is not None and arguments.default not in [each.language for each in tracks]:
        raise UsageError(f"--default {arguments.default}: there is no --track {arguments.default}=...")
    if any(each.path.stat().st_size > _LARGEST_SUBTITLES for each in subtitles):
        raise UsageError(f"--subtitles: a file is larger than {_LARGEST_SUBTITLES >> 20} MB")


async def _mux(
    arguments: argparse.Namespace, settings: Settings, tracks: Sequence[Named], subtitles: Sequence[Named]
) -> Muxed:
    limits, source = limits_of(settings), arguments.video.resolve()
    for each in (*tracks, *subtitles):
        if track_language(each.language) == "und" and each.language.lower() != "und":
            raise DubError(LANGUAGE_UNKNOWN, f"{each.language!r}.")
    info = await _probe(source, limits, whole=True)
    if info.video is None:
        raise DubError(NOT_MEDIA, "It has no picture; a sound file needs no muxing.")
    track = track_of(arguments.audio_track)
    if track is None:
        track = audio_tracks.automatic(info.audio, arguments.original_language) or 0
    if arguments.keep_original_track and track >= len(info.audio):
        raise DubError(AUDIO_TRACK_MISSING, audio_tracks.listed(info) or f"It has {len(info.audio)}.")
    out: Path = arguments.output.resolve()
    container = Container(out.suffix.lower().lstrip("."))
    encodes = containers.must_encode(info.video, container, is_opus=False)
    containers.choose(
        container, containers.BURNED_CODEC if encodes else info.video.codec, is_opus=False, encoded=encodes
    )
    dubs = [await _dub(each, info.duration_s, limits, any_length=arguments.any_length) for each in tracks]
    lines = [muxing.CueTrack(_cues(each), each.language, each.title or f"Dub ({each.language})") for each in subtitles]
    default = next((n for n, each in enumerate(tracks) if each.language == arguments.default), 0)
    with (
        tempfile.TemporaryDirectory(prefix="autodubber-mux-") as folder,
        display(sys.stderr) as shown,
        shown.stage(MUX) as report,
    ):
        done, burned, picture = 0.0, None, "copied"
        if encodes:
            done = _ENCODING
            burned, picture = await _encoded(source, info, settings, Path(folder), report)
        request = muxing.MuxRequest(
            source=source,
            out=out,
            info=info,
            duration_s=info.duration_s,
            dubs=tuple(dubs),
            work=Path(folder),
            lines=tuple(lines),
            original=info.audio[track] if arguments.keep_original_track else None,
            source_language=arguments.original_language,
            default=default,
            burned=burned,
            limits=limits,
        )
        await muxing.mux(request, lambda fraction: report(done + fraction * (1 - done), ""))
    made = await _probe(request.out, limits)
    wanted = [(dub.language, dub.title) for dub in dubs] + [(None, "")] * (request.original is not None)
    spoken = [
        Track(
            "audio",
            stream.language or track_language(language),
            stream.title or title or "Original",
            stream.codec,
            number == default,
        )
        for number, (stream, (language, title)) in enumerate(zip(made.audio, wanted, strict=True))
    ]
    written = [Track("subtitles", track_language(each.language), each.title, "", False) for each in lines if each.cues]
    return Muxed(
        True, str(arguments.video), str(arguments.output), round(made.duration_s, 3), (*spoken, *written), picture
    )


async def _encoded(source: Path, info: MediaInfo, settings: Settings, folder: Path, report: Report) -> tuple[Path, str]:
    """Encode the picture; returns its file and the encoder's name."""
    out = folder / "picture.mp4"
    request = burning.BurnRequest(
        source=source,
        out=out,
        info=info,
        duration_s=info.duration_s,
        cues=(),
        work=folder,
        threads=settings.thread_count,
        limits=limits_of(settings),
    )
    return out, await burning.burn(request, lambda fraction: report(fraction * _ENCODING, "encoding the picture"))


async def _probe(path: Path, limits: Limits, *, whole: bool = False) -> MediaInfo:
    return await run_task("probe", ProbeRequest(str(path), whole), MediaInfo, report=lambda _: None, limits=limits)


async def _dub(track: Named, duration_s: float, limits: Limits, *, any_length: bool) -> DubbedTrack:
    path = track.path.resolve()
    info = await _probe(path, limits)
    if not info.audio:
        raise DubError(NO_AUDIO, f"{track.path.name}.")
    difference_s = info.duration_s - duration_s
    if abs(difference_s) > _SAME_LENGTH_S and not any_length:
        word = "longer" if difference_s > 0 else "shorter"
        detail = (
            f"{track.path.name} lasts {info.duration_s:.1f} s, {abs(difference_s):.1f} s {word} than the "
            f"video's {duration_s:.1f} s."
        )
        raise DubError(TRACK_LENGTH, detail)
    return DubbedTrack(path, info.audio[0].codec, track.language, track.title or f"Dub ({track.language})")


def _cues(subtitles: Named) -> tuple[Cue, ...]:
    try:
        found = read(subtitles.path.read_bytes(), language=subtitles.language)
    except DubError as error:
        raise DubError(error.problem, f"{subtitles.path.name}: {error.detail}") from error
    for note in fault_lines(subtitle_reading(found)):
        say(f"{subtitles.path.name}:{note}", to=sys.stderr)
    return found.cues
