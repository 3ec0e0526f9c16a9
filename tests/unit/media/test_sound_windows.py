"""A window of an MP4's sound has the packets that FFmpeg finds in the whole file, with the same times."""

from __future__ import annotations

import functools
import itertools
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.media.decode import SeekPoint, clock_of
from app.media.mp4_movie import Movie
from app.media.safe_open import open_input, packets
from app.media.seeking import Mark, Start
from app.media.sound_windows import SoundWindows
from tests.unit.media.edits import TRIMMED, edited
from tests.unit.media.samples import FOLDER, make, sample

FILM = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=9", "-f", "lavfi", "-i", "anoisesrc=d=9:r=44100:a=0.1")
CODED = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac")
MADE = {
    "begins late.mp4": ("-output_ts_offset", "5"),
    "no edits.mp4": ("-use_editlist", "0", "-avoid_negative_ts", "make_non_negative"),
    "sound alone.m4a": ("-vn",),
    "timecode.mov": ("-timecode", "01:00:00:00"),
    "fine clock.mp4": ("-movie_timescale", "44100"),
}


@functools.cache
def made(name: str) -> Path:
    if name == "trimmed.mp4":
        return edited(sample("plain.mp4"), FOLDER / "windows-trimmed.mp4", TRIMMED)
    if name == "long start.mp4":  # as Apple's encoder leaves it
        data = bytearray(make(FOLDER / "windows-start.mp4", *FILM, *CODED).read_bytes())
        sound = data.index(b"soun")
        at = data.rindex(b"elst", 0, sound) + 4 + 4 + 4
        length, start = struct.unpack(">Ii", data[at : at + 8])
        assert start == 1024
        data[at : at + 8] = struct.pack(">Ii", length, 2112)
        path = FOLDER / "windows-long-start.mp4"
        path.write_bytes(data)
        return path
    if name in MADE:
        return make(FOLDER / f"windows-{name}", *FILM, *CODED, *MADE[name])
    return sample(name)


NAMES = [*MADE, "long start.mp4", "plain.mp4", "late_sound.mp4", "late_picture.mp4", "turned.mp4"]


def by_ffmpeg(path: Path) -> list[tuple[int | None, bytes, bool]]:
    with open_input(path) as container:
        found = packets(container, container.streams.audio[0])
        return [(packet.pts, bytes(packet), packet.is_discard) for packet in found if packet.size]


def facts(found: Any) -> list[tuple[int | None, bytes, bool]]:
    return [(packet.pts, bytes(packet), packet.is_discard) for _, packet in found]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.media.mp4_movie.AT_ONCE", 50)


def opened(path: Path) -> SoundWindows:
    windows = SoundWindows.of(path, 0)
    assert windows is not None
    return windows


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", NAMES)
def test_the_packets_of_all_windows_are_those_of_the_file(name: str) -> None:
    windows, whole = opened(made(name)), by_ffmpeg(made(name))
    assert len(whole) > 150
    assert facts(windows.packets()) == whole
    for number in (8, 49, 50, 51, 130):
        following = list(itertools.islice(windows.packets(number), 60))
        assert following[0][0].number == number
        assert facts(following) == whole[number : number + 60]
    windows.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_clock_is_that_of_the_whole_file(name: str) -> None:
    windows = opened(made(name))
    with open_input(made(name)) as container:
        whole = clock_of(container)
    assert float(windows.clock().start_s) == pytest.approx(float(whole.start_s), abs=2e-6)
    assert windows.clock().latest_s == pytest.approx(whole.latest_s, abs=0.1)
    windows.close()


@pytest.mark.usefixtures("small")
def test_a_start_is_found_only_where_its_packets_are_what_they_were() -> None:
    windows = opened(made("plain.mp4"))
    marks: list[Mark] = [mark for mark, _ in windows.packets()]
    start = Start(SeekPoint(at_n=0, packet=70, offset_n=0), marks[60], marks[70])
    assert facts(windows.found(start)) == by_ffmpeg(made("plain.mp4"))[60:]
    for wrong in ({"check": 1}, {"pts": 1}, {"number": 61}):
        other = msgspec.structs.replace(start, first=msgspec.structs.replace(marks[60], **wrong))
        assert windows.found(other) is None
    windows.close()


def test_ffmpeg_reads_a_file_whose_edit_list_skips_more_than_a_decoder_needs() -> None:
    assert SoundWindows.of(made("trimmed.mp4"), 0) is None


@pytest.mark.parametrize("name", ["opus.mp4", "mp3.mp4", "fragmented.mp4"])
def test_ffmpeg_reads_what_is_no_plain_aac(name: str) -> None:
    more = {
        "opus.mp4": ("-ar", "48000", "-c:a", "libopus"),
        "mp3.mp4": ("-c:a", "libmp3lame"),
        "fragmented.mp4": ("-movflags", "frag_keyframe+empty_moov"),
    }[name]
    path = make(FOLDER / f"windows-{name}", *FILM, *CODED, *more)
    assert SoundWindows.of(path, 0) is None
    assert SoundWindows.of(made("plain.mp4"), 7) is None


def test_a_window_holds_no_more_than_its_packets() -> None:
    with Movie(made("plain.mp4")) as movie:
        track = next(track for track in movie.tracks if track.handler == b"soun")
        windows = SoundWindows(movie, track)
        assert windows.stream.frames == 64
        windows.container.close()
