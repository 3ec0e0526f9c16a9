"""The index comes to the front of an MP4 where the file lies: every packet stays what it was, and no half file is taken
for a whole one."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import BinaryIO

import av
import pytest

from app.domain.dub_options import Container
from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL
from app.dubbing.video import mux_append
from app.media import mp4_index
from app.media.mp4_index import index_to_front
from tests.unit.dubbing.video.muxing import dubbed, picture_hash, sound_of
from tests.unit.media.samples import lag_ms, make, sample


def packets(path: Path) -> list[tuple[int, int | None, int | None, bytes]]:
    with av.open(str(path)) as container:
        return [
            (packet.stream_index, packet.pts, packet.dts, bytes(packet)) for packet in container.demux() if packet.size
        ]


def names(path: Path) -> list[bytes]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        found.append(name)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
        at += size or len(data)
    assert at == len(data)
    return found


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Pictures, sound, subtitles and chapters; the index at its end."""
    (tmp_path / "lines.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    (tmp_path / "facts.txt").write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=One\n")
    inputs = ["-i", str(sample("covered.mp4")), "-i", str(tmp_path / "lines.srt"), "-i", str(tmp_path / "facts.txt")]
    return make(
        tmp_path / "made.mp4", *inputs, "-map", "0", "-map", "1", "-map_metadata", "2", "-c", "copy", "-c:s", "mov_text"
    )


@pytest.mark.parametrize("in_place", [True, False])
def test_every_packet_stays_what_it_was(made: Path, monkeypatch: pytest.MonkeyPatch, in_place: bool) -> None:
    if not in_place:
        monkeypatch.setattr(mp4_index, "_insert", lambda *_: False)  # a file system that cannot
    before, size = packets(made), made.stat().st_size
    assert names(made)[-1] == b"moov"
    assert index_to_front(made)
    assert names(made)[:2] == [b"ftyp", b"moov"]
    assert made.read_bytes().count(b"moov") == 1
    assert packets(made) == before
    assert made.stat().st_size - size < 2 * 4096
    whole = made.read_bytes()
    assert index_to_front(made)  # as it is already
    assert made.read_bytes() == whole


def test_the_file_system_makes_the_room_where_it_can(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The media is not written again."""
    monkeypatch.setattr(mp4_index, "_insert", make_room)
    written: list[int] = []
    write = mp4_index._write
    monkeypatch.setattr(mp4_index, "_write", lambda file, at, data: written.append(len(data)) or write(file, at, data))
    before = packets(made)
    assert index_to_front(made)
    assert packets(made) == before
    assert sum(written) < 20_000 < made.stat().st_size


def make_room(file: BinaryIO, room: int) -> bool:
    """What FALLOC_FL_INSERT_RANGE does, on any file system."""
    file.seek(0)
    data = file.read()
    file.seek(room)
    file.write(data)
    return True


@pytest.mark.parametrize("size", [4, 8])
def test_every_place_in_a_table_moves(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mp4_index, "_PIECE", 64)
    numbers = [0, 1, 2**32 - 5_000, *range(7, 300, 3)]
    path = tmp_path / "table"
    path.write_bytes(b"".join(number.to_bytes(size, "big") for number in numbers))
    with path.open("r+b", buffering=0) as file:
        mp4_index._add(file, 0, size * len(numbers), size, 4096)
    data = path.read_bytes()
    assert [int.from_bytes(data[at : at + size], "big") for at in range(0, len(data), size)] == [
        number + 4096 for number in numbers
    ]


def test_an_index_whose_numbers_would_overflow_is_left_to_ffmpeg(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mp4_index, "_NARROW_END", made.stat().st_size)
    whole = made.read_bytes()
    assert not index_to_front(made)
    assert made.read_bytes() == whole


async def test_the_finished_film_begins_with_its_index_then_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mp4_index, "_NARROW_END", 1_000)
    out, sound, _ = await dubbed(sample("plain.mkv"), tmp_path)
    assert names(out)[:2] == [b"ftyp", b"moov"]
    assert picture_hash(out) == picture_hash(sample("plain.mkv"))
    assert lag_ms(sound[:, 0], sound_of(out)[:, 0]) == pytest.approx(0, abs=1.0)


@pytest.mark.parametrize(
    ("source", "container"),
    [("plain.mp4", Container.MP4), ("plain.mkv", Container.MP4), ("plain.mp4", Container.MKV)],
)
async def test_the_media_of_a_finished_film_is_written_once(
    tmp_path: Path, source: str, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(mp4_index, "_shift", lambda *_: asked.append(True))
    monkeypatch.setattr(mp4_index, "_insert", make_room)
    out, _, _ = await dubbed(sample(source), tmp_path, container=container)
    assert not asked
    if container is Container.MKV:
        data = out.read_bytes()
        index, media = data.index(b"\x1cS\xbbk", data.index(b"\x15I\xa9f")), data.index(b"\x1fC\xb6u")
        assert index < media
        assert b"\xec" in data[index:media]  # the rest of the room, left empty: nothing was moved
    else:
        assert names(out)[:2] == [b"ftyp", b"moov"]


@pytest.mark.parametrize("step", ["_insert", "_add"])
async def test_a_disk_that_is_full_in_between_leaves_no_half_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mp4_index, step, full)
    monkeypatch.setattr(mux_append, "is_possible", lambda _: False)  # in one run, after which the index is moved
    with pytest.raises(DubError) as raised:
        await dubbed(sample("plain.mkv"), tmp_path)
    assert raised.value.problem is DISK_FULL
    assert not list(tmp_path.rglob("*.mp4")) and not list(tmp_path.rglob("*.part"))
