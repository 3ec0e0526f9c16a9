"""What a file is, and what is refused."""

import random
import time
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.problems.media import FILE_EMPTY, MEDIA_DAMAGED, NOT_MEDIA, PLAYLIST
from app.dubbing.probe import probe
from tests.unit.media.samples import DURATION_S, make, sample


def refused(path: Path) -> str:
    with pytest.raises(DubError) as caught:
        probe(path)
    return caught.value.problem.code


@pytest.mark.parametrize(
    ("name", "container", "video", "audio"),
    [
        ("plain.mp4", "mov,mp4", "h264", "aac"),
        ("plain.mkv", "matroska", "h264", "aac"),
        ("pcm.mov", "mov", "h264", "pcm_s16le"),
        ("plain.webm", "matroska,webm", "vp8", "opus"),
        ("vp9.webm", "matroska,webm", "vp9", "opus"),
        ("plain.avi", "avi", "mpeg4", "mp3"),
        ("offset.ts", "mpegts", "h264", "aac"),
        ("plain.mp3", "mp3", None, "mp3"),
        ("plain.flac", "flac", None, "flac"),
        ("mono.wav", "wav", None, "pcm_s16le"),
        ("plain.ogg", "ogg", None, "vorbis"),
        ("silent.mp4", "mov", "h264", None),
        ("timecode.mov", "mov", "h264", "aac"),
    ],
)
def test_a_file_is_described(name: str, container: str, video: str | None, audio: str | None) -> None:
    info = probe(sample(name))
    assert info.format.startswith(container)
    assert (info.video and info.video.codec) == video
    assert [stream.codec for stream in info.audio] == ([audio] if audio else [])
    assert info.duration_s == pytest.approx(DURATION_S, abs=0.1)
    assert info.size_bytes == sample(name).stat().st_size
    if info.video:
        assert (info.video.width, info.video.height, info.video.rotation_deg) == (160, 120, 0)


def test_audio_streams_are_counted_and_labelled() -> None:
    first, second = probe(sample("two_languages.mkv")).audio
    assert (first.track, first.index, first.language, first.title) == (0, 1, "eng", None)
    assert (second.track, second.index, second.language, second.title) == (1, 2, "fra", "Commentary")
    assert (second.channels, second.sample_rate_hz) == (1, 44_100)


@pytest.mark.parametrize(("display_rotation", "clockwise"), [("90", 270), ("-90", 90), ("180", 180)])
def test_rotation_is_as_a_player_turns_it(tmp_path: Path, display_rotation: str, clockwise: int) -> None:
    turned = make(
        tmp_path / "t.mp4", "-display_rotation", display_rotation, "-i", str(sample("plain.mp4")), "-c", "copy"
    )
    video = probe(turned).video
    assert video is not None
    assert (video.rotation_deg, video.width, video.height) == (clockwise, 160, 120)


@pytest.mark.parametrize(("name", "video"), [("covered.mp3", None), ("covered.mp4", "h264")])
def test_a_cover_is_no_film(name: str, video: str | None) -> None:
    info = probe(sample(name))
    assert (info.video and info.video.codec) == video


def test_a_start_that_is_not_zero_is_told() -> None:
    assert probe(sample("offset.ts")).start_s == pytest.approx(1235.4, abs=0.5)


@pytest.mark.parametrize("name", ["-i \"x'é.mp4", "#EXTM3U", "file:x", "a\nb", "http:..x.m3u8", "%03d.mp4"])
def test_a_name_says_nothing(tmp_path: Path, name: str) -> None:
    odd = tmp_path / name
    odd.write_bytes(sample("plain.mp4").read_bytes())
    assert probe(odd).video is not None


SCRIPTS = {
    "HLS": "#EXTM3U\n#EXTINF:10,\n/etc/passwd\n",
    "HLS with a byte-order mark": "\ufeff#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/x.ts\n",
    "HLS after white space": "\r\n \n#EXTM3U\n",
    "ffconcat": "ffconcat version 1.0\nfile '/etc/passwd'\n",
    "ffconcat without its head": "# a comment\n\nfile /etc/passwd\n",
    "ffconcat quoted": "file 'a.mp4'\nfile 'b.mp4'\n",
    "DASH": (
        '<?xml version="1.0"?>\n<!-- x -->\n<MPD '
        'xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>/etc/passwd</BaseURL></MPD>'
    ),
    "DASH with a name space": '<dash:MPD xmlns:dash="urn:mpeg:dash:schema:mpd:2011"></dash:MPD>',
    "Smooth Streaming": '<?xml version="1.0" encoding="utf-16"?><SmoothStreamingMedia MajorVersion="2"/>',
    "SDP": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=video 5004 RTP/AVP 96\r\n",
    "metadata": ";FFMETADATA1\ntitle=x\n",
    "PLS": "[playlist]\nFile1=http://127.0.0.1/\n",
    "ASX": '<asx version="3.0"><entry><ref href="http://127.0.0.1/"/></entry></asx>',
    "a bare address": "http://169.254.169.254/latest/meta-data\n",
    "a protocol of FFmpeg's": "concat:/etc/passwd|/etc/hosts",
}


@pytest.mark.parametrize("kind", SCRIPTS)
@pytest.mark.parametrize("extension", ["mp4", "m3u8", "mkv"])
def test_a_script_is_refused_as_what_it_is(tmp_path: Path, kind: str, extension: str) -> None:
    path = tmp_path / f"film.{extension}"
    path.write_text(SCRIPTS[kind], encoding="utf-8")
    assert refused(path) == PLAYLIST.code


def test_a_script_in_utf_16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text(SCRIPTS["HLS"], encoding="utf-16")
    assert refused(path) == PLAYLIST.code


def test_a_thousand_comments_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("<!--a-->" * 8000 + "x")
    began_s = time.process_time()
    assert refused(path) == NOT_MEDIA.code
    assert time.process_time() - began_s < 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", FILE_EMPTY.code),
        (random.Random(7).randbytes(200_000), NOT_MEDIA.code),
        (bytes(200_000), NOT_MEDIA.code),
        (b"plain words\n" * 999, NOT_MEDIA.code),
        (b"<!DOCTYPE html><html><body>404</body></html>", NOT_MEDIA.code),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\n", NOT_MEDIA.code),
        (b"\0", NOT_MEDIA.code),
        (b"PK\x03\x04" + bytes(100), NOT_MEDIA.code),
        (b"\x00\x00\x00\x18ftypisom" + bytes(3000), MEDIA_DAMAGED.code),
    ],
    ids=["empty", "random", "zeros", "text", "html", "pdf", "one byte", "zip", "only a head"],
)
def test_what_is_no_media_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    assert refused(path) == code


def test_a_picture_is_no_film() -> None:
    assert refused(sample("cover.png")) == NOT_MEDIA.code


@pytest.mark.parametrize(
    "name", ["front.mp4", "plain.mkv", "plain.webm", "plain.avi", "offset.ts", "plain.mp3", "plain.flac"]
)
def test_a_truncated_file_is_still_described(tmp_path: Path, name: str) -> None:
    whole = sample(name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    info = probe(cut)
    assert info.audio
    states_its_length = name in ("front.mp4", "plain.mkv", "plain.webm", "plain.avi")
    assert bool(info.incomplete) == states_its_length and not probe(sample(name)).incomplete
