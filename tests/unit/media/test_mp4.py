"""What is changed in a finished MP4, byte by byte."""

import struct
from pathlib import Path

import av
import pytest

from app.media.mp4 import disable_subtitles, trim_to
from tests.unit.media.samples import make, sample


def test_only_the_subtitles_flag_is_changed(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nx\n")
    for faststart in ("+faststart", "+frag_keyframe", "0"):
        lines = [
            "-i",
            str(tmp_path / "a.srt"),
            "-i",
            str(tmp_path / "a.srt"),
            "-map",
            "0",
            "-map",
            "1",
            "-map",
            "2",
            "-c:s",
            "mov_text",
        ]
        film = make(
            tmp_path / "film.mp4",
            "-i",
            str(sample("plain.mp4")),
            *lines,
            "-c:v",
            "copy",
            "-c:a",
            "copy",
            "-movflags",
            faststart,
        )
        before = film.read_bytes()
        disable_subtitles(film)
        after = film.read_bytes()
        assert len(before) == len(after)
        # the muxer had enabled the first
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
        default = av.stream.Disposition.default
        with av.open(str(film)) as container:
            assert [bool(stream.disposition & default) for stream in container.streams] == [True, True, False, False]


def test_a_file_that_is_no_mp4_is_left_alone(tmp_path: Path) -> None:
    for data in (
        b"",
        b"\0\0\0\1moov",
        b"\0\0\0\x08moov" * 3,
        b"\0\0\0\2moov",
        b"\xff\xff\xff\xffmoov" + b"\0" * 40,
        b"x" * 1000,
    ):
        file = tmp_path / "odd"
        file.write_bytes(data)
        disable_subtitles(file)
        assert file.read_bytes() == data


def box(name: bytes, *content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, content)), name) + b"".join(content)


def film(version: int, movie: int, edits: list[int]) -> bytes:
    """The index of a film of 1,000 ticks a second, its lengths in 32 bits (version 0) or 64."""
    wide = "Q" if version else "I"
    head = struct.pack(f">B3x{wide}{wide}I{wide}", version, 0, 0, 1_000, movie) + bytes(80)
    track = struct.pack(f">B3x{wide}{wide}II{wide}", version, 0, 0, 1, 0, movie) + bytes(60)
    entries = b"".join(struct.pack(f">{wide}{wide.lower()}I", length, 7, 1 << 16) for length in edits)
    return box(
        b"moov",
        box(b"mvhd", head),
        box(
            b"trak", box(b"tkhd", track), box(b"edts", box(b"elst", struct.pack(">B3xI", version, len(edits)), entries))
        ),
    )


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("movie", "edits", "left", "length"),
    [
        (4_920, [4_040], [4_000], 4_000),
        (9_000, [1_500, 6_000], [1_500, 2_500], 4_000),
        (9_000, [3_000], [3_000], 3_000),
        (5_000, [4_500, 10], [4_000, 0], 4_000),
    ],
)
def test_a_film_ends_where_it_is_told_to(
    tmp_path: Path, version: int, movie: int, edits: list[int], left: list[int], length: int
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film(version, movie, edits) + box(b"mdat", b"samples"))
    trim_to(path, 4.0)
    assert path.read_bytes() == film(version, length, left) + box(b"mdat", b"samples")


def test_what_is_no_film_is_not_trimmed(tmp_path: Path) -> None:
    for data in (
        b"",
        b"\0\0\0\1moov",
        b"\0\0\0\x08moov" * 3,
        b"x" * 1000,
        box(b"moov", box(b"trak", box(b"tkhd", bytes(84)))),
    ):
        file = tmp_path / "odd"
        file.write_bytes(data)
        trim_to(file, 1.0)
        assert file.read_bytes() == data
