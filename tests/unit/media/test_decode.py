"""Sound as blocks on the container's timeline."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.errors import DubError
from app.domain.problems.media import AUDIO_TRACK_MISSING, MEDIA_DAMAGED, MEDIA_INCOMPLETE, NOT_MEDIA
from app.media.decode import audio_blocks
from app.media.picture_stream import PictureEnd, watch
from app.media.safe_open import open_input, packets, restrict
from tests.unit.media.samples import DURATION_S, lag_ms, make, sample

REFERENCE = "plain.flac"


def decoded(path: Path, track: int = 0) -> np.ndarray:
    return np.concatenate(list(audio_blocks(path, track)))


@pytest.mark.parametrize(
    ("name", "late_ms"),
    [
        ("plain.mp4", 0),
        ("fragmented.mp4", None),
        ("plain.mkv", 0),
        ("pcm.mov", 0),
        ("plain.webm", 0),
        ("plain.avi", None),
        ("plain.mp3", 0),
        ("plain.ogg", 0),
        ("six.wav", 0),
        ("mono.wav", 0),
        ("vfr.mp4", 0),
        ("late_sound.mp4", 1500),
        ("late_sound.mkv", 1500),
        ("late_sound.ts", None),
        ("late_picture.mp4", 0),
        ("hole.mkv", 0),
    ],
)
def test_sound_lies_where_the_container_says(name: str, late_ms: float | None) -> None:
    sound = decoded(sample(name))
    lag = lag_ms(decoded(sample(REFERENCE))[:, 0], sound[:, 0])
    if late_ms is None:  # the encoder's own delay is part of these files: ffmpeg, asked for all streams, must agree
        copied = make(
            sample(name).with_name(f"copied_{name}.mkv"),
            "-fflags",
            "+genpts",
            "-i",
            str(sample(name)),
            "-map",
            "0",
            "-c",
            "copy",
        )
        late_ms = lag_ms(decoded(sample(REFERENCE))[:, 0], decoded(copied)[:, 0])
    assert lag == pytest.approx(late_ms, abs=1.0)


@pytest.mark.parametrize("name", ["hole.mkv", "small_hole.mkv"])
def test_packets_that_are_missing_become_silence_and_shift_nothing(name: str) -> None:
    whole, holed = decoded(sample("plain.mp4")), decoded(sample(name))
    last = slice(int(3.2 * 48_000), int(3.9 * 48_000))
    assert lag_ms(whole[last, 0], holed[last, 0]) == pytest.approx(0, abs=1.0)
    assert np.abs(holed[int(2.144 * 48_000) : int(2.150 * 48_000)]).max() < 0.05


def test_mono_is_as_loud_as_it_was_on_both_sides() -> None:
    level = [
        float(np.sqrt(np.mean(decoded(sample(name))[:, side] ** 2)))
        for name in ("plain.flac", "mono.wav")
        for side in (0, 1)
    ]
    assert level == pytest.approx([level[0]] * 4, rel=0.03)


@pytest.mark.parametrize("block_n", [1000, 48_000, 100_000])
def test_every_block_but_the_last_has_the_size_asked_for(block_n: int) -> None:
    blocks = list(audio_blocks(sample("plain.flac"), 0, block_n=block_n))
    assert {len(block) for block in blocks[:-1]} <= {block_n}
    assert sum(map(len, blocks)) == DURATION_S * 48_000
    assert all(block.dtype == np.float32 and block.shape[1] == 2 for block in blocks)


def test_a_late_start_of_hours_takes_no_memory() -> None:
    far = make(
        sample("mono.wav").with_name("far.mkv"),
        "-i",
        str(sample("silent.mp4")),
        "-itsoffset",
        "7200",
        "-i",
        "mono.wav",
        "-c",
        "copy",
    )
    tracemalloc.start()
    loud_at = [at for at, block in enumerate(audio_blocks(far, 0)) if np.abs(block).max() > 0.1]
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert loud_at[0] == 7200
    assert peak_bytes < 20 << 20


def test_a_clock_that_jumps_where_recordings_were_joined_goes_on() -> None:
    later = make(
        sample("offset.ts").with_name("later.ts"),
        "-i",
        str(sample("plain.mp4")),
        "-c",
        "copy",
        "-output_ts_offset",
        "50000",
    )
    joined = later.with_name("joined.ts")
    joined.write_bytes(sample("offset.ts").read_bytes() + later.read_bytes())
    pictures = PictureEnd()
    seconds = sum(map(len, audio_blocks(joined, 0, pictures=pictures))) / 48_000
    assert seconds == pytest.approx(2 * DURATION_S, abs=0.2)
    assert pictures.end_s == pytest.approx(2 * DURATION_S, abs=0.2)


class Stumbling:
    """A container as PyAV 18 leaves it when streams appeared while it was read: all packets, then IndexError. It
    depends on what lies in memory."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def demux(self, *streams: Any) -> Iterator[Any]:
        yield from self._container.demux(*streams)
        raise IndexError("list index out of range")


def test_streams_that_appear_on_the_way_are_no_end() -> None:
    with open_input(sample("plain.mp4")) as container:
        whole = sum(1 for _ in container.demux(audio=0))
    with open_input(sample("plain.mp4")) as container:
        assert sum(1 for _ in packets(Stumbling(container), container.streams.audio[0])) == whole  # type: ignore[arg-type]


def test_a_sound_without_a_decoder_is_named(tmp_path: Path) -> None:
    data = bytearray(make(tmp_path / "a.wav", "-i", str(sample("mono.wav")), "-c", "copy").read_bytes())
    at = data.index(b"fmt ") + 8
    data[at : at + 2] = b"\x99\x99"  # no codec has this number
    (tmp_path / "b.wav").write_bytes(data)
    with pytest.raises(DubError) as caught:
        decoded(tmp_path / "b.wav")
    assert caught.value.problem is MEDIA_DAMAGED


@pytest.mark.parametrize("name", ["plain.mp4", "av1.mp4", "vp9.webm"])
def test_a_decoder_takes_no_threads(name: str) -> None:
    """Each would take a stack of address space, as many as the machine has processors."""

    def threads() -> int:
        return int(
            next(
                line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Threads:")
            ).split()[1]
        )

    with open_input(sample(name)) as container:
        before, pictures = threads(), container.streams.video[0]
        restrict(pictures.codec_context)
        assert any(packet.decode() for packet in packets(container, pictures))
        assert threads() == before


def test_numbers_that_are_no_numbers_become_silence() -> None:
    samples = np.full(48_000, np.nan, "<f4")
    samples[:100], samples[200] = np.inf, 1e30
    raw = sample("mono.wav").with_name("mad.f32")
    raw.write_bytes(samples.tobytes())
    mad = make(raw.with_name("mad.wav"), "-f", "f32le", "-ar", "48000", "-ac", "1", "-i", str(raw), "-c:a", "copy")
    sound = decoded(mad)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 4


def test_a_truncated_file_gives_what_is_there() -> None:
    whole = sample("front.mp4").read_bytes()
    cut = sample("front.mp4").with_name("cut.mp4")
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    assert 1.0 < len(decoded(cut)) / 48_000 < 3.5


def test_corrupt_packets_are_stepped_over() -> None:
    data = bytearray(sample("front.mp4").read_bytes())
    for at in np.random.default_rng(1).integers(len(data) // 4, len(data), 300):
        data[at] ^= 0x55
    broken = sample("front.mp4").with_name("broken.mp4")
    broken.write_bytes(data)
    sound = decoded(broken)
    assert len(sound) / 48_000 == pytest.approx(DURATION_S, abs=0.3)
    assert np.isfinite(sound).all()


def test_the_last_picture_is_known_without_decoding() -> None:
    assert watch(sample("silent.mp4")).end_s == pytest.approx(DURATION_S, abs=0.001)
    assert watch(sample("late_picture.mp4")).end_s == pytest.approx(DURATION_S + 0.7, abs=0.001)
    assert watch(sample("plain.flac")).end_s == 0


def test_a_track_that_is_not_there_is_named() -> None:
    with pytest.raises(DubError) as caught:
        next(audio_blocks(sample("plain.mp4"), 1))
    assert caught.value.problem is AUDIO_TRACK_MISSING


def test_what_is_no_media_is_told_from_what_is_damaged(tmp_path: Path) -> None:
    text, cut = tmp_path / "a.mp4", tmp_path / "b.mp4"
    text.write_text("just words\n" * 100)
    whole = sample("plain.mp4").read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])  # its index was at the end
    for path, problem in ((text, NOT_MEDIA), (cut, MEDIA_INCOMPLETE)):
        with pytest.raises(DubError) as caught:
            next(audio_blocks(path, 0))
        assert caught.value.problem is problem
