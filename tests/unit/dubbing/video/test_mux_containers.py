"""MP4, MKV and WebM: which takes what, and that each keeps every packet, label, text and chapter."""

from pathlib import Path

import av
import pytest

from app.domain.dub_options import AudioCodec, AudioFormat, Container
from app.domain.errors import DubError
from app.domain.media import MediaInfo, VideoStream
from app.domain.problems.media import CONTAINER_UNSUITABLE
from app.dubbing.probe import probe
from app.dubbing.subtitles.cues import Cue
from app.dubbing.video.containers import choose
from app.dubbing.video.mux import CueTrack, output_extension
from tests.unit.dubbing.options import options
from tests.unit.dubbing.video.muxing import CUES, dubbed, labels, picture_hash, shown, sound_of
from tests.unit.media.samples import lag_ms, make, picture_times, sample


def film(codec: str | None) -> MediaInfo:
    return MediaInfo("matroska,webm", 4.0, 0.0, 1000, VideoStream(0, codec, 160, 120, 25.0, 0) if codec else None, ())


@pytest.mark.parametrize(
    ("codec", "wished", "extension"),
    [
        ("h264", {}, "mp4"),
        ("hevc", {}, "mp4"),
        ("vp8", {}, "mkv"),
        ("magicyuv", {}, "mkv"),
        ("vp9", {}, "mp4"),
        (None, {}, "m4a"),
        (None, {"audio_format": AudioFormat.FLAC, "container": Container.WEBM}, "flac"),
        ("h264", {"audio_codec": AudioCodec.OPUS}, "mkv"),
        ("h264", {"container": Container.MP4, "audio_codec": AudioCodec.OPUS}, "mp4"),
        ("h264", {"container": Container.MKV}, "mkv"),
        ("vp9", {"container": Container.WEBM}, "webm"),
        ("av1", {"container": Container.WEBM}, "webm"),
        ("vp8", {"burn_subtitles": True}, "mp4"),
        ("vp8", {"burn_subtitles": True, "container": Container.MKV}, "mkv"),
        ("vp8", {"burn_subtitles": True, "container": Container.MP4}, "mp4"),
    ],
)
def test_the_container_is_one_that_takes_the_picture(
    codec: str | None, wished: dict[str, object], extension: str
) -> None:
    assert output_extension(film(codec), options(**wished)) == extension


@pytest.mark.parametrize(
    ("codec", "wished", "says"),
    [
        (
            "h264",
            {"container": Container.WEBM},
            "The picture is H264, which WebM cannot hold; choose auto, mp4 or mkv.",
        ),
        ("vp8", {"container": Container.MP4}, "The picture is VP8, which MP4 cannot hold; choose auto, mkv or webm."),
        ("prores", {"container": Container.WEBM}, "The picture is PRORES, which WebM cannot hold; choose auto or mkv."),
        (
            "vp9",
            {"container": Container.WEBM, "burn_subtitles": True},
            "makes the picture H.264, which WebM cannot hold; choose auto, mp4 or mkv.",
        ),
    ],
)
def test_a_container_that_cannot_hold_the_picture_is_refused_with_a_way_out(
    codec: str, wished: dict[str, object], says: str
) -> None:
    with pytest.raises(DubError) as caught:
        output_extension(film(codec), options(**wished))
    assert caught.value.problem is CONTAINER_UNSUITABLE
    assert caught.value.detail.endswith(says)


def test_every_choice_ends_in_a_container_or_in_that_error() -> None:
    for codec in ("h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "prores", "", "unknown"):
        for container in Container:
            try:
                found = choose(container, codec, is_opus=False)
            except DubError as error:
                assert error.problem is CONTAINER_UNSUITABLE and container in (Container.MP4, Container.WEBM)
            else:
                assert found is not Container.AUTO and container in (Container.AUTO, found)


FILMS = [
    ("plain.mp4", "aac", Container.AUTO),
    ("plain.mp4", "opus", Container.AUTO),
    ("plain.mkv", "aac", Container.MKV),
    ("vfr.mp4", "aac", Container.MKV),
    ("vp9.webm", "opus", Container.WEBM),
    ("plain.webm", "opus", Container.WEBM),
]


@pytest.mark.parametrize(("name", "codec", "container"), FILMS)
async def test_every_packet_of_the_picture_is_the_sources_own(
    tmp_path: Path, name: str, codec: str, container: Container
) -> None:
    out, sound, _ = await dubbed(sample(name), tmp_path, codec=codec, container=container)
    assert picture_hash(out) == picture_hash(sample(name))
    assert abs(picture_times(out) - picture_times(sample(name))).max() <= 0.001
    for track in (0, 1):
        assert lag_ms(sound[:, 0], sound_of(out, track)[:, 0]) == pytest.approx(0, abs=1.0)
    made = probe(out)
    assert made.audio[0].codec == codec
    assert made.duration_s == pytest.approx(len(sound) / 48_000, abs=0.05)


@pytest.mark.parametrize("name", ["offset.ts", "late_sound.ts", "late_picture.ts", "late_picture.mp4"])
async def test_opus_is_in_sync_whatever_the_clock_starts_at(tmp_path: Path, name: str) -> None:
    out, sound, _ = await dubbed(sample(name), tmp_path, codec="opus", keep=False)
    assert abs(picture_times(out) - picture_times(sample(name))).max() <= 0.001
    assert lag_ms(sound[:, 0], sound_of(out)[:, 0]) == pytest.approx(0, abs=1.0)


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [("plain.mp4", "aac", Container.AUTO), ("plain.mp4", "aac", Container.MKV), ("vp9.webm", "opus", Container.WEBM)],
)
async def test_both_languages_are_labelled_and_nothing_but_the_dub_starts_by_itself(
    tmp_path: Path, name: str, codec: str, container: Container
) -> None:
    lines = (CueTrack(CUES, "es-419", "Dub"), CueTrack((Cue(0.0, 1.0, "Hello"),), "en", "Original"))
    out, _, _ = await dubbed(sample(name), tmp_path, codec=codec, container=container, lines=lines)
    picture, *others = labels(out)
    assert picture[0] == "video"
    assert others == [
        ("audio", "spa", "Dub", True),
        ("audio", "eng", "Original", False),
        ("subtitle", "spa", "Dub", False),
        ("subtitle", "eng", "Original", False),
    ]
    assert "Hola" in shown(tmp_path, out, 0) and "Hello" in shown(tmp_path, out, 1)
    dispositions = av.stream.Disposition
    with av.open(str(out)) as container_:
        dub, original = container_.streams.audio
        assert container is not Container.MKV or (
            original.disposition & dispositions.original and not dub.disposition & dispositions.original
        )


@pytest.mark.parametrize("container", [Container.MP4, Container.MKV])
async def test_subtitles_show_what_was_written_even_where_it_looks_like_markup(
    tmp_path: Path, container: Container
) -> None:
    text = r"{\b1}a {x} & 1 < 2 <i>i</i> \N é 你"
    out, _, _ = await dubbed(
        sample("plain.mp4"), tmp_path, container=container, lines=(CueTrack((Cue(1.0, 2.0, text),), "es", "Dub"),)
    )
    with av.open(str(out)) as opened:
        packets = [bytes(packet) for packet in opened.demux(opened.streams.subtitles[0])]
    said = next(packet for packet in packets if len(packet) > 2)
    said = said[2:] if container is Container.MP4 else said
    assert said.decode().replace("\u2060", "") == text  # parted by word joiners, which are not seen


async def test_lines_spoken_at_once_are_shown_together_in_mp4(tmp_path: Path) -> None:
    lines = (CueTrack((Cue(0.5, 2.0, "first"), Cue(1.5, 3.0, "second")), "es", "Dub"),)
    out, _, _ = await dubbed(sample("plain.mp4"), tmp_path, lines=lines)
    times_and_texts = [block.split("\n", 1)[1].strip() for block in shown(tmp_path, out).strip().split("\n\n")]
    assert times_and_texts == [
        "00:00:00,500 --> 00:00:01,500\nfirst",
        "00:00:01,500 --> 00:00:02,000\nfirst\nsecond",
        "00:00:02,000 --> 00:00:03,000\nsecond",
    ]


@pytest.mark.parametrize("container", [Container.MP4, Container.MKV])
async def test_chapters_and_titles_are_kept_and_end_with_the_picture(tmp_path: Path, container: Container) -> None:
    written = ";FFMETADATA1\ntitle=映画 = \\; \\# Ünï\ncomment=kept\n"
    for start, end, title in ((0, 2000, "EinsX"), (2000, 90_000, "第二章 א"), (90_000, 95_000, "beyond the end")):
        written += f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
    (tmp_path / "facts-in.txt").write_text(written, encoding="utf-8")
    source = make(
        tmp_path / "s.mkv",
        "-i",
        str(sample("plain.mp4")),
        "-i",
        str(tmp_path / "facts-in.txt"),
        "-map_metadata",
        "1",
        "-c",
        "copy",
    )
    # FFmpeg itself cannot read what it writes of this
    source.write_bytes(source.read_bytes().replace(b"EinsX", b"Eins\\"))
    out, sound, _ = await dubbed(source, tmp_path, container=container)
    with av.open(str(out)) as opened:
        found = [
            (c["metadata"]["title"], float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]))
            for c in opened.chapters()
        ]
        facts = {key.lower(): value for key, value in opened.metadata.items()}
    assert found == [("Eins", 0.0, 2.0), ("第二章 א", 2.0, pytest.approx(4.0, abs=0.03))]
    assert (facts["title"], facts["comment"]) == ("映画 = ; # Ünï", "kept")
    assert probe(out).duration_s == pytest.approx(len(sound) / 48_000, abs=0.05)


@pytest.mark.parametrize(("container", "pictures"), [(Container.MP4, 2), (Container.MKV, 1)])
async def test_a_cover_stays_a_cover_or_goes(tmp_path: Path, container: Container, pictures: int) -> None:
    """Matroska would make a second film of it."""
    out, _, _ = await dubbed(sample("covered.mp4"), tmp_path, container=container)
    cover = av.stream.Disposition.attached_pic
    with av.open(str(out)) as opened:
        assert [bool(stream.disposition & cover) for stream in opened.streams.video] == [False, True][:pictures]
        assert opened.streams.video[0].codec_context.name == "h264"


@pytest.mark.parametrize(("layout", "channels"), [("5.1(side)", 6), ("quad(side)", 4), ("22.2", 8)])
async def test_an_original_of_any_layout_becomes_a_track(tmp_path: Path, layout: str, channels: int) -> None:
    """Opus knows no speakers at the sides, AAC no 24 of them."""
    film = [
        "-i",
        str(sample("vp9.webm")),
        "-f",
        "lavfi",
        "-i",
        f"anoisesrc=d=4:r=48000,aformat=channel_layouts={layout}",
    ]
    source = make(tmp_path / "s.mkv", *film, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "pcm_s16le")
    for container in (Container.WEBM, Container.MP4):
        out, _, _ = await dubbed(
            source, tmp_path, container=container, codec="opus" if container is Container.WEBM else "aac"
        )
        assert [stream.codec for stream in probe(out).audio] == (
            ["opus"] * 2 if container is Container.WEBM else ["aac"] * 2
        )
        assert [stream.channels for stream in probe(out).audio] == [2, channels]


async def test_metadata_of_any_bytes_is_kept_or_dropped_but_never_in_the_way(tmp_path: Path) -> None:
    odd = [
        "-metadata",
        "title=a\nb=c;d#e\\",
        "-metadata",
        "comment=[CHAPTER]\nSTART=0\nEND=99999999",
        "-metadata",
        "artist=\u202eabc",
    ]
    source = make(tmp_path / "s.mkv", "-i", str(sample("plain.mp4")), *odd, "-c", "copy")
    data = source.read_bytes().replace("\u202eabc".encode(), b"\xff\xfe\x80abc")
    source.write_bytes(data)
    out, sound, _ = await dubbed(source, tmp_path)
    with av.open(str(out), metadata_errors="replace") as opened:
        assert opened.metadata["title"] == "a\nb=c;d#e\\"
        assert opened.metadata["artist"].endswith("abc")
        assert not opened.chapters()
    assert probe(out).duration_s == pytest.approx(len(sound) / 48_000, abs=0.05)
