"""A film is muxed in pieces whatever its containers are: every packet is there, at its time, also after kills."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import av
import msgspec
import pytest

from app.domain.dub_options import Container
from app.domain.errors import DubError
from app.dubbing.mixing.cache_file import store
from app.dubbing.probe import probe
from app.dubbing.video import mux_append, mux_pieces
from app.dubbing.video.mux import DubbedTrack, MuxRequest, mux
from app.media import ffmpeg
from tests.unit.dubbing.video.muxing import dubbed, track_of
from tests.unit.media.samples import make, sample

FILM = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=60", "-f", "lavfi", "-i", "sine=d=60:r=48000")
CODED = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50", "-c:a", "aac")
Packets = dict[tuple[int, str], list[tuple[int | None, int | None, int, int, bool]]]


def packets(path: Path) -> Packets:
    """(shown, decoded, bytes, what they are, key frame) of every packet by track."""
    found: Packets = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                key = (packet.stream.index, packet.stream.type)
                found.setdefault(key, []).append(
                    (packet.pts, packet.dts, packet.size, hash(bytes(packet)), packet.is_keyframe)
                )
    return found


def assert_same(ours: Path, theirs: Path, *, within: int) -> None:
    """`within`: ticks; in Matroska, milliseconds."""
    mine, other = packets(ours), packets(theirs)
    assert mine.keys() == other.keys()
    for track, expected in other.items():
        assert [packet[2:] for packet in mine[track]] == [packet[2:] for packet in expected], track
        for one, two in zip(mine[track], expected, strict=True):
            assert abs((one[0] or 0) - (two[0] or 0)) <= within and abs((one[1] or 0) - (two[1] or 0)) <= within


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [
        ("plain.mkv", Container.MP4, "aac"),
        ("late_sound.mkv", Container.MP4, "aac"),
        ("late_picture.mp4", Container.MKV, "aac"),
        ("vfr.mp4", Container.MKV, "aac"),
        ("timecode.mov", Container.MKV, "aac"),
        ("hole.mkv", Container.MP4, "aac"),
        ("hole.mkv", Container.MKV, "aac"),
        ("plain.avi", Container.MP4, "aac"),
        ("plain.mpg", Container.MP4, "aac"),
        ("plain.webm", Container.MKV, "opus"),
        ("plain.webm", Container.WEBM, "opus"),
    ],
)
async def test_the_film_is_the_one_that_ffmpeg_writes_in_one_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    container: Container,
    codec: str,
) -> None:
    caplog.set_level(logging.INFO)
    for folder in ("pieces", "one run"):
        (tmp_path / folder).mkdir()
    ours, *_ = await dubbed(sample(name), tmp_path / "pieces", container=container, codec=codec)
    assert "mux_by_ffmpeg" not in caplog.text
    for module in (mux_append, mux_pieces):
        monkeypatch.setattr(module, "is_possible", lambda _: False)
    theirs, *_ = await dubbed(sample(name), tmp_path / "one run", container=container, codec=codec)
    assert_same(ours, theirs, within=1 if ours.suffix != ".mp4" else 0)
    with av.open(str(ours)) as mine, av.open(str(theirs)) as other:
        assert mine.duration is not None and other.duration is not None
        assert abs(mine.duration - other.duration) < 50_000
        assert [stream.average_rate for stream in mine.streams.video] == [
            stream.average_rate for stream in other.streams.video
        ]
        mine.seek(2_000_000)
        shown = next(frame.time for frame in mine.decode(video=0) if frame.time is not None)
        assert 0 <= shown <= 2 + 1e-6  # by the index


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mkv", *FILM, *CODED)


def asked(film: Path, folder: Path, suffix: str) -> MuxRequest:
    folder.mkdir(exist_ok=True)
    track = folder / "track.m4a"
    if not track.exists():
        track_of(random_sound(), track)
    info = probe(film)
    assert info.video is not None
    (folder / "work").mkdir(exist_ok=True)
    return MuxRequest(
        source=film,
        out=folder / f"out{suffix}",
        info=info,
        duration_s=60.0,
        dubs=(DubbedTrack(track, "aac", "es"),),
        work=folder / "work",
        original=info.audio[0],
        pieces=folder / "pieces",
    )


def random_sound():  # type: ignore[no-untyped-def]
    import numpy as np

    return np.random.default_rng(1).normal(0, 0.1, (60 * 48_000, 2)).astype(np.float32)


class Killed(BaseException):
    """What a kill is for the code around it."""


@pytest.mark.parametrize("burned", [False, True])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
async def test_a_killed_mux_goes_on_and_loses_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    film: Path,
    suffix: str,
    burned: bool,
) -> None:
    """A run is cut at any byte, several times; what counts is what was on disk by then."""
    caplog.set_level(logging.INFO)
    drawn = make(tmp_path / "drawn.mp4", *FILM[:4], *CODED[:-2], "-movflags", "+faststart") if burned else None
    request = msgspec.structs.replace(asked(film, tmp_path / "killed", suffix), burned=drawn)
    real, starts, sizes = ffmpeg.run, [], []
    lives = iter((0.2, 0.5, 0.55, 0.9))
    dice = random.Random(5)

    async def run(command: ffmpeg.Command, *arguments: object, **more: object) -> None:
        await real(command, *arguments, **more)  # type: ignore[arg-type]
        if not command.appends:
            return
        starts.append(float(command.inputs[0].options[1]) if command.inputs[0].options[0] == "-ss" else 0.0)
        share = next(lives, None)
        if share is not None:
            whole = film.stat().st_size * 1.5
            size = min(command.output.stat().st_size, round(whole * share) + dice.randrange(5_000))
            with command.output.open("r+b") as file:
                file.truncate(size)
            sizes.append(size)
            store(command.output.with_name("synced"), str(size).encode())
            raise Killed

    monkeypatch.setattr(ffmpeg, "run", run)
    for _ in range(10):
        try:
            await mux(request, lambda _: None)
        except Killed:
            continue
        break
    assert len(starts) == 5 and starts[0] == 0 and starts == sorted(starts) and starts[-1] > 30
    assert "mux_by_ffmpeg" not in caplog.text
    monkeypatch.setattr(ffmpeg, "run", real)
    for module in (mux_append, mux_pieces):
        monkeypatch.setattr(module, "is_possible", lambda _: False)
    whole = msgspec.structs.replace(asked(film, tmp_path / "whole", suffix), burned=drawn)
    await mux(whole, lambda _: None)
    assert_same(request.out, whole.out, within=1 if suffix == ".mkv" else 72)  # of 48,000 a second
    assert not (tmp_path / "killed" / "pieces" / "synced").exists()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
async def test_what_is_left_of_another_film_is_not_gone_on_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, film: Path, suffix: str
) -> None:
    caplog.set_level(logging.INFO)
    another = make(tmp_path / "another.mkv", "-f", "lavfi", "-i", "smptebars=s=160x90:r=25:d=60", *FILM[4:], *CODED)
    other = asked(another, tmp_path / "other", suffix)
    await mux(other, lambda _: None)
    request = asked(film, tmp_path / "film", suffix)
    await mux(request, lambda _: None)
    first = request.out.rename(tmp_path / f"first{suffix}")
    pieces = tmp_path / "film" / "pieces"
    for left in (other.out.read_bytes(), b"\0" * (1 << 20), random.Random(3).randbytes(1 << 20)):
        (pieces / f"stream{suffix}").write_bytes(left)
        store(pieces / "synced", str(len(left)).encode())
        await mux(request, lambda _: None)
        assert_same(request.out, first, within=1 if suffix == ".mkv" else 72)


async def test_an_index_that_is_longer_than_its_room_is_brought_to_the_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, film: Path
) -> None:
    request = asked(film, tmp_path / "usual", ".mp4")
    await mux(request, lambda _: None)
    monkeypatch.setattr(mux_append, "_room", lambda *_: 1_000)
    small = asked(film, tmp_path / "small", ".mp4")
    await mux(small, lambda _: None)
    assert packets(small.out) == packets(request.out)
    data = small.out.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    monkeypatch.setattr(mux_append, "_LEAST_ROOM", 1_500)
    monkeypatch.setattr(mux_append, "_CUE_BYTES", 0)
    narrow = asked(film, tmp_path / "narrow", ".mkv")
    await mux(narrow, lambda _: None)
    with av.open(str(narrow.out)) as container:
        container.seek(40_000_000)
        first = next(container.decode(video=0)).time
        assert first is not None and 37 < first <= 40


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
async def test_a_damaged_film_ends_in_a_film_or_an_error(tmp_path: Path, film: Path, suffix: str) -> None:
    dice = random.Random(11)
    whole = film.read_bytes()
    for number in range(6):
        data = bytearray(whole)
        for _ in range(20):
            data[dice.randrange(len(data))] = dice.randrange(256)
        damaged = tmp_path / f"{number}.mkv"
        damaged.write_bytes(data[: dice.randrange(len(data) // 2, len(data))])
        request = msgspec.structs.replace(asked(film, tmp_path / "film", suffix), source=damaged)
        try:
            await mux(request, lambda _: None)
        except DubError:
            continue
        with av.open(str(request.out)) as container:
            assert container.streams.video
