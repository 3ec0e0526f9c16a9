"""The finished file: the picture untouched, the dub in sync, everything labelled."""

from pathlib import Path

import av
import numpy as np
import pytest

from app.domain.dub_options import Container
from app.dubbing.probe import probe
from app.dubbing.subtitles.cues import Cue
from app.dubbing.video.mux import CueTrack
from tests.unit.dubbing.video.muxing import dubbed, sound_of
from tests.unit.media.samples import DURATION_S, lag_ms, make, picture_times, sample

SOURCES = [
    "plain.mp4",
    "fragmented.mp4",
    "plain.mkv",
    "pcm.mov",
    "plain.webm",
    "vp9.webm",
    "plain.avi",
    "h264.avi",
    "offset.ts",
    "vfr.mp4",
    "turned.mp4",
    "late_sound.mp4",
    "late_sound.mkv",
    "late_sound.ts",
    "late_picture.mp4",
    "late_picture.ts",
    "hole.mkv",
    "covered.mp4",
    "timecode.mov",
    "magicyuv.mkv",
    "hevc.mkv",
    "plain.wmv",
    "plain.flv",
    "plain.mpg",
]
# Without the original's packets ffmpeg would start these clocks elsewhere.
ALONE = ["plain.mp4", "plain.webm", "offset.ts", "late_sound.ts", "late_picture.ts"]


@pytest.mark.parametrize(("name", "keep"), [*((name, True) for name in SOURCES), *((name, False) for name in ALONE)])
async def test_picture_and_sound_stay_where_they_were(tmp_path: Path, name: str, keep: bool) -> None:
    out, sound, info = await dubbed(sample(name), tmp_path, keep=keep)
    made = probe(out)
    before, after = picture_times(sample(name)), picture_times(out)
    assert len(before) == len(after)
    assert np.abs(before - after).max() <= 0.001
    assert lag_ms(sound[:, 0], sound_of(out, 0)[:, 0]) == pytest.approx(0, abs=1.0)
    if keep:
        assert lag_ms(sound[:, 0], sound_of(out, 1)[:, 0]) == pytest.approx(0, abs=1.5)
    assert made.duration_s == pytest.approx(len(sound) / 48_000, abs=0.045)
    assert made.video is not None and info.video is not None
    assert (made.video.codec, made.video.rotation_deg) == (info.video.codec, info.video.rotation_deg)


@pytest.mark.parametrize("name", ["plain.mp4", "plain.webm"])
async def test_tracks_are_labelled_and_the_dub_comes_first(tmp_path: Path, name: str) -> None:
    out, _, _ = await dubbed(sample(name), tmp_path)
    with av.open(str(out)) as container:
        dub, original = container.streams.audio
        (lines,) = container.streams.subtitles
        default = av.stream.Disposition.default
        assert (dub.metadata["language"], original.metadata["language"], lines.metadata["language"]) == (
            "spa",
            "eng",
            "spa",
        )
        titles = [stream.metadata.get("title") or stream.metadata.get("handler_name") for stream in (dub, original)]
        assert titles == ["Dub", "Original"]
        assert dub.disposition & default and not original.disposition & default
        assert not lines.disposition & default


@pytest.mark.parametrize("name", ["plain.mp4", "plain.webm"])
async def test_soft_subtitles_say_what_was_written(tmp_path: Path, name: str) -> None:
    out, _, _ = await dubbed(sample(name), tmp_path)
    lines = make(tmp_path / "read.vtt", "-i", str(out), "-map", "0:s:0").read_text(encoding="utf-8")
    assert "00:00.500 --> 00:02.000\nHola, " in lines
    assert "{x}" in lines and "שלום" in lines
    assert "00:03.000 --> 00:04.0" in lines  # it was to last a minute: the picture ends here


async def test_the_track_that_was_dubbed_is_the_one_that_is_kept(tmp_path: Path) -> None:
    out, _, _ = await dubbed(sample("two_languages.mkv"), tmp_path, track=1)
    with av.open(str(out)) as container:
        assert [stream.metadata["language"] for stream in container.streams.audio] == ["spa", "fra"]
        assert container.metadata["title"] == "A film"
    second = sound_of(sample("two_languages.mkv"), 1)
    assert lag_ms(second[:, 0], sound_of(out, 1)[:, 0]) == pytest.approx(0, abs=1.5)


async def test_chapters_are_kept(tmp_path: Path) -> None:
    (tmp_path / "chapters.txt").write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\n"
        "START=2000\nEND=4000\ntitle=Zwei é\n"
    )
    source = make(
        tmp_path / "s.mp4",
        "-i",
        str(sample("plain.mp4")),
        "-i",
        str(tmp_path / "chapters.txt"),
        "-map_metadata",
        "1",
        "-c",
        "copy",
    )
    out, _, _ = await dubbed(source, tmp_path)
    with av.open(str(out)) as container:
        found = container.chapters()
    assert [chapter["metadata"]["title"] for chapter in found] == ["One", "Zwei é"]


async def test_a_silent_film_gets_its_voice(tmp_path: Path) -> None:
    out, sound, _ = await dubbed(sample("silent.mp4"), tmp_path)
    assert len(probe(out).audio) == 1
    assert lag_ms(sound[:, 0], sound_of(out)[:, 0]) == pytest.approx(0, abs=1.0)


async def test_sound_alone_becomes_sound_alone(tmp_path: Path) -> None:
    out, sound, _ = await dubbed(sample("covered.mp3"), tmp_path, keep=False)
    assert out.suffix == ".m4a"
    made = probe(out)
    assert made.video is None
    assert made.duration_s == pytest.approx(len(sound) / 48_000, abs=0.045)


async def test_subtitles_that_all_lie_beyond_the_end_are_left_out(tmp_path: Path) -> None:
    late = CueTrack((Cue(DURATION_S + 1, DURATION_S + 2, "too late"),), "es", "Dub")
    out, _, _ = await dubbed(sample("plain.mp4"), tmp_path, lines=(late,))
    with av.open(str(out)) as container:
        assert not container.streams.subtitles


async def test_hevc_is_tagged_as_apple_players_want_it(tmp_path: Path) -> None:
    out, _, _ = await dubbed(sample("hevc.mkv"), tmp_path)
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_tag == "hvc1"


@pytest.mark.parametrize(
    ("container", "index", "media"), [(Container.MP4, b"moov", b"mdat"), (Container.MKV, b"\x1cS\xbbk", b"\x1fC\xb6u")]
)
async def test_the_index_comes_first_so_that_playing_starts_at_once(
    tmp_path: Path, container: Container, index: bytes, media: bytes
) -> None:
    out, _, _ = await dubbed(sample("plain.mp4"), tmp_path, container=container)
    data = out.read_bytes()
    if container is Container.MKV:  # after the list of where everything is, which names both
        data = data[data.index(b"\x15I\xa9f") :]
    assert data.index(index) < data.index(media)


@pytest.mark.parametrize("name", ["front.mp4", "plain.mkv", "offset.ts", "plain.avi", "plain.webm"])
async def test_a_truncated_film_is_dubbed_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    whole = sample(name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    out, sound, _ = await dubbed(cut, tmp_path)
    assert probe(out).duration_s == pytest.approx(len(sound) / 48_000, abs=0.06)
    assert lag_ms(sound[:, 0], sound_of(out)[:, 0]) == pytest.approx(0, abs=1.0)


async def test_a_damaged_broadcast_is_dubbed_all_the_same(tmp_path: Path) -> None:
    data = bytearray(sample("offset.ts").read_bytes())
    for at in np.random.default_rng(3).integers(len(data) // 10, len(data), 150):
        data[at] ^= 0x55
    broken = tmp_path / "broken.ts"
    broken.write_bytes(data)
    out, sound, _ = await dubbed(broken, tmp_path)
    assert lag_ms(sound[:, 0], sound_of(out)[:, 0]) == pytest.approx(0, abs=1.0)
