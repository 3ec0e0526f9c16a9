"""The samples of an MP4 are copied as they are and in pieces; what is not understood is left to FFmpeg."""

from __future__ import annotations

import logging
import random
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
import pytest

from app.dubbing.probe import probe
from app.dubbing.video.mux import DubbedTrack, MuxRequest, mux
from app.media import mp4_join
from app.media.mp4_head import Source
from app.media.mp4_join import Join, Position
from app.media.mp4_movie import Movie, is_plain
from app.media.mp4_outline import write_outline
from app.media.mp4_tables import UnsuitableError
from tests.unit.dubbing.video.muxing import dubbed, picture_hash, sound_of, track_of
from tests.unit.media.samples import FFMPEG, lag_ms, make, sample

FILM = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=20", "-f", "lavfi", "-i", "sine=d=20:r=48000")
CODED = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50", "-c:a", "aac")


def placed(path: Path) -> dict[str, list[tuple[int | None, int | None, int]]]:
    """(time, place in the file, bytes) of every packet by kind of track, by FFmpeg's own word."""
    found: dict[str, list[tuple[int | None, int | None, int]]] = {}
    with av.open(str(path), container_options={"ignore_editlist": "1"}) as container:
        for packet in container.demux():
            if packet.size:
                found.setdefault(packet.stream.type, []).append((packet.dts, packet.pos, packet.size))
    return found


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("front.mp4", ("-movflags", "+faststart")),
        ("long chunks.mp4", ("-max_interleave_delta", "0", "-chunk_duration", "3000000")),
        ("sparse.mp4", ("-r", "2")),
        ("quick.mov", ()),
        ("constant.mov", ("-c:a", "pcm_s16le", "-ac", "1")),
    ],
)
def test_the_tables_say_where_every_sample_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, more: tuple[str, ...]
) -> None:
    few = 7_000 if "pcm_s16le" in more else 7
    monkeypatch.setattr("app.media.mp4_movie.AT_ONCE", few)  # blocks end within chunks and runs
    monkeypatch.setattr("app.media.mp4_tables.AT_ONCE", 3)
    path = make(tmp_path / name, *FILM, *CODED, *more)
    expected = placed(path)
    with Movie(path) as movie:
        for track, kind in zip(movie.tracks, ("video", "audio"), strict=False):
            blocks = list(movie.blocks(track))
            starts = [int(at) for block in blocks for at in block.starts[:-1]]
            places = [int(at) for block in blocks for at in block.offsets]
            sizes = [int(size) for block in blocks for size in block.sizes]
            assert len(sizes) == track.samples
            if "pcm_s16le" in more and kind == "audio":  # FFmpeg makes packets of many samples
                assert places[0] == expected[kind][0][1]
                assert sum(sizes) == sum(size for _, _, size in expected[kind])
                continue
            assert list(zip(starts, places, sizes, strict=True)) == expected[kind]


async def test_a_copy_has_every_packet_of_the_film_and_is_not_ffmpegs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for name in ("plain.mp4", "timecode.mov", "covered.mp4", "late_picture.mp4", "turned.mp4"):
        folder = tmp_path / name
        folder.mkdir()
        out, sound, _ = await dubbed(sample(name), folder)
        assert picture_hash(out) == picture_hash(sample(name))
        assert abs(lag_ms(sound[:, 0], sound_of(out)[:, 0])) < 1
    assert "mux_by_ffmpeg" not in caplog.text


async def test_what_is_not_understood_is_left_to_ffmpeg(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pieces = make(tmp_path / "pieces.mp4", *FILM, *CODED, "-movflags", "+frag_keyframe+empty_moov")
    out, _, _ = await dubbed(pieces, tmp_path)
    assert picture_hash(out) == picture_hash(pieces)
    assert "mux_by_ffmpeg" in caplog.text


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mp4", *FILM, *CODED)


def opened(stack: ExitStack, film: Path) -> Join:
    movie = stack.enter_context(Movie(film))
    return Join(movie, [Source(movie, track, keeps_description=True) for track in movie.tracks])


def test_a_killed_copy_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, film: Path) -> None:
    monkeypatch.setattr(mp4_join, "_MARK_EVERY", 100_000)
    with ExitStack() as stack:
        opened(stack, film).write(tmp_path / "whole.mp4", None, lambda _: None, lambda _: None)
    marks: list[Position] = []

    def killed(position: Position) -> None:
        marks.append(position)
        raise KeyboardInterrupt

    out, copied, lives = tmp_path / "out.mp4", 0, 0
    real: Callable[..., None] = mp4_join.copy_samples

    def counted(source: object, file: object, block: mp4_join.Block) -> None:
        nonlocal copied
        copied += int(block.sizes.sum())
        real(source, file, block)

    monkeypatch.setattr(mp4_join, "copy_samples", counted)
    while True:
        lives += 1
        with ExitStack() as stack:
            join = opened(stack, film)
            try:
                join.write(out, marks[-1] if marks else None, lambda _: None, killed)
            except KeyboardInterrupt:
                with out.open("ab") as file:
                    file.write(b"of the life that was ended")
                continue
            break
    assert lives > 3
    assert copied == join.media_bytes
    assert out.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_position_of_another_film_is_no_beginning(tmp_path: Path, film: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(bytes(film.stat().st_size * 2))
    with ExitStack() as stack:
        opened(stack, film).write(out, Position("another", 50_000), lambda _: None, lambda _: None)
    assert picture_hash(out) == picture_hash(film)


def test_damaged_tables_are_copied_or_refused_and_never_more(tmp_path: Path, film: Path) -> None:
    whole, path = film.read_bytes(), tmp_path / "damaged.mp4"
    index = whole.index(b"moov")
    refused = joined = 0
    for seed in range(250):
        chance, data = random.Random(seed), bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            at = chance.randrange(index, len(data) - 8)
            data[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", chance.randbytes(4)))
        path.write_bytes(data)
        try:
            with ExitStack() as stack:
                movie = stack.enter_context(Movie(path))
                write_outline(movie, tmp_path / "outline.mp4")
                if not all(is_plain(movie, track) and track.samples for track in movie.tracks):
                    raise UnsuitableError("a track")
                join = opened(stack, path)
                join.write(tmp_path / "joined.mp4", None, lambda _: None, lambda _: None)
                assert join.media_bytes <= len(data)
                joined += 1
        except UnsuitableError:
            refused += 1
    assert refused > 20
    assert joined > 20


async def test_a_table_that_says_hours_is_not_believed(
    tmp_path: Path, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    data = bytearray(film.read_bytes())
    edits = data.index(b"elst")
    data[edits - 8 : edits + 4] = data[edits - 8 : edits] + b"free"  # what is shown is no longer cut to its length
    length = data.index(b"stts") + 4 + 4 + 4 + 4
    data[length : length + 4] = (500_000_000).to_bytes(4, "big")
    path = tmp_path / "hours.mp4"
    path.write_bytes(data)
    track = track_of(np.zeros((20 * 48_000, 2), np.float32), tmp_path / "track.m4a")
    request = MuxRequest(
        source=path,
        out=tmp_path / "out.mp4",
        info=probe(path),
        duration_s=20.0,
        work=tmp_path,
        dubs=(DubbedTrack(track, "aac", "en"),),
    )
    await mux(request, lambda _: None)
    assert any("the tables last" in str(record.__dict__.get("reason")) for record in caplog.records)


def test_an_outline_says_of_its_tracks_what_the_file_says(tmp_path: Path, film: Path) -> None:
    with Movie(film) as movie:
        write_outline(movie, tmp_path / "outline.mp4")
    assert (tmp_path / "outline.mp4").stat().st_size < film.stat().st_size / 5
    told = [
        subprocess.run([FFMPEG, "-hide_banner", "-i", str(path)], capture_output=True, text=True, check=False).stderr
        for path in (film, tmp_path / "outline.mp4")
    ]
    kinds = [[line.split("(")[0] for line in text.splitlines() if "Stream #" in line] for text in told]
    assert kinds[0] == kinds[1]
    assert len(kinds[0]) == 2
