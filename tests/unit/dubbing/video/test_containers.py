"""Every container that is taken, with what is usually in it: described, decoded, as long as it is, and its sound in its
place."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from app.domain.media import MediaInfo
from app.dubbing.artifacts import source_artifact
from app.dubbing.ingest import ingest
from app.dubbing.probe import probe
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import Ingested, IngestRequest, ProbeRequest
from app.media.decode import audio_blocks
from app.system.children import Limits
from tests.unit.media.samples import DURATION_S, lag_ms, make, sample

# Name -> media type, extension, codec of the picture and of the sound, and by how much the sound is later than what the
# encoder was given. AAC, MP3, AC-3, AMR, MP2 and WMA begin with a delay; where the container has no field for it
# (MPEG-TS, FLV, AVI, bare streams) a player is as late as we are.
FILES: dict[str, tuple[str, str, str | None, str, float]] = {
    "plain.mp4": ("video/mp4", "mp4", "h264", "aac", 0),
    "av1.mp4": ("video/mp4", "mp4", "av1", "opus", 0),
    "plain.mov": ("video/mp4", "mp4", "h264", "aac", 0),
    "pcm.mov": ("video/mp4", "mp4", "h264", "pcm_s16le", 0),
    "prores.mov": ("video/mp4", "mp4", "prores", "alac", 0),
    "plain.3gp": ("video/mp4", "mp4", "h263", "amr_nb", -1.25),
    "plain.mkv": ("video/x-matroska", "mkv", "h264", "aac", 0),
    "hevc.mkv": ("video/x-matroska", "mkv", "hevc", "vorbis", 0),
    "ac3.mkv": ("video/x-matroska", "mkv", "h264", "eac3", 0),
    "plain.webm": ("video/webm", "webm", "vp8", "opus", 0),
    "vp9.webm": ("video/webm", "webm", "vp9", "opus", 0),
    "plain.avi": ("video/x-msvideo", "avi", "mpeg4", "mp3", 23.02),
    "h264.avi": ("video/x-msvideo", "avi", "h264", "mp3", 23.02),
    "plain.ts": ("video/mp2t", "ts", "h264", "aac", 21.33),
    "offset.ts": ("video/mp2t", "ts", "h264", "aac", 21.33),
    "plain.flv": ("video/x-flv", "flv", "flv1", "mp3", 25.06),
    "h264.flv": ("video/x-flv", "flv", "h264", "aac", 21.33),
    "plain.wmv": ("video/x-ms-wmv", "wmv", "wmv2", "wmav2", 43.33),
    "plain.mpg": ("video/mpeg", "mpg", "mpeg2video", "mp2", 10.02),
    "h264.mpg": ("video/mpeg", "mpg", "h264", "ac3", 5.33),
    "plain.mxf": ("application/mxf", "mxf", "mpeg2video", "pcm_s24le", 0),
    "plain.dv": ("video/x-dv", "dv", "dvvideo", "pcm_s16le", 0),
    "atom.mxf": ("application/mxf", "mxf", None, "pcm_s24le", 0),
    "theora.ogv": ("video/ogg", "ogv", "theora", "vorbis", 0),
    "plain.mp3": ("audio/mpeg", "mp3", None, "mp3", 0),
    "plain.wav": ("audio/wav", "wav", None, "pcm_s16le", 0),
    "plain.w64": ("audio/x-w64", "w64", None, "pcm_s16le", 0),
    "plain.flac": ("audio/flac", "flac", None, "flac", 0),
    "plain.m4a": ("audio/mp4", "m4a", None, "aac", 0),
    "plain.ogg": ("audio/ogg", "ogg", None, "vorbis", 0),
    "plain.opus": ("audio/ogg", "ogg", None, "opus", 0),
    "plain.aac": ("audio/aac", "aac", None, "aac", 21.33),
    "plain.wma": ("audio/x-ms-wma", "wma", None, "wmav2", 43.33),
    "plain.aiff": ("audio/aiff", "aiff", None, "pcm_s16be", 0),
    "plain.au": ("audio/basic", "au", None, "pcm_s16be", 0),
    "plain.caf": ("audio/x-caf", "caf", None, "alac", 0),
    "plain.amr": ("audio/amr", "amr", None, "amr_nb", 5.0),
    "plain.ac3": ("audio/ac3", "ac3", None, "ac3", 5.33),
    "plain.wv": ("audio/x-wavpack", "wv", None, "wavpack", 0),
    "plain.tta": ("audio/x-tta", "tta", None, "tta", 0),
    "plain.mka": ("audio/x-matroska", "mka", None, "flac", 0),
}


def decoded(path: Path, track: int = 0) -> np.ndarray:
    return np.concatenate(list(audio_blocks(path, track)))[:, 0]


def request(path: Path, out: Path, track: int = 0) -> IngestRequest:
    return IngestRequest(
        path=str(path), out=str(out), audio_track=track, max_duration_s=3600, size_bytes=path.stat().st_size
    )


def heard(out: Path) -> np.ndarray:
    with wave.open(str(out / "speech.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


@pytest.mark.parametrize("name", FILES)
def test_a_container_is_taken(tmp_path: Path, name: str) -> None:
    media_type, extension, video, audio, late_ms = FILES[name]
    info = probe(sample(name))
    source = source_artifact("key", info, "hash")
    assert (source.media_type, source.extension) == (media_type, extension)
    assert (info.video and info.video.codec, [stream.codec for stream in info.audio]) == (video, [audio])
    done = ingest(request(sample(name), tmp_path), lambda _: None)
    assert done.duration_s == pytest.approx(DURATION_S, abs=0.05)
    assert len(heard(tmp_path)) / 16_000 == pytest.approx(done.duration_s, abs=0.05)
    assert (tmp_path / "thumbnail.jpg").exists() == (video is not None)
    assert lag_ms(decoded(sample("plain.flac")), decoded(sample(name))) == pytest.approx(late_ms, abs=0.5)


def test_matroska_with_other_codecs_is_no_webm() -> None:
    """One demuxer reads both; a browser plays only one of them."""
    sound_alone = make(sample("plain.opus").with_name("alone.webm"), "-i", str(sample("plain.opus")), "-c", "copy")
    assert source_artifact("key", probe(sound_alone), "hash").media_type == "audio/webm"
    assert source_artifact("key", probe(sample("plain.mka")), "hash").media_type == "audio/x-matroska"


@pytest.mark.parametrize(("track", "pitch_hz"), [(0, None), (1, 440)])
def test_the_chosen_track_is_the_one_that_is_heard(tmp_path: Path, track: int, pitch_hz: float | None) -> None:
    ingest(request(sample("two_languages.mkv"), tmp_path, track), lambda _: None)
    sound = heard(tmp_path)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    loudest_hz = spectrum.argmax() * 16_000 / len(sound)
    share = float((spectrum[spectrum.argmax() - 3 : spectrum.argmax() + 4] ** 2).sum() / (spectrum**2).sum())
    assert (share > 0.95 and loudest_hz == pytest.approx(pitch_hz, abs=1)) if pitch_hz else share < 0.5


@pytest.mark.parametrize(
    "name",
    [
        b"a film.mp4",
        b'it\'s "quoted".mp4',
        b"two\nlines.mp4",
        b"-i.mp4",
        b"100%d %03d.mp4",
        b"\xff\xfe no utf-8.mp4",
        "né 片.mp4".encode(),
    ],
)
async def test_an_odd_name_is_only_a_name(tmp_path: Path, name: bytes) -> None:
    odd = tmp_path / os.fsdecode(name)
    odd.write_bytes(sample("plain.m4a").read_bytes())
    info = await run_task("probe", ProbeRequest(str(odd)), MediaInfo, report=lambda _: None, limits=Limits())
    assert len(info.audio) == 1
    done = await run_task("ingest", request(odd, tmp_path), Ingested, report=lambda _: None, limits=Limits())
    assert done.duration_s == pytest.approx(DURATION_S, abs=0.05)


def far_frame(folder: Path, at_s: int) -> Path:
    """A Matroska file of 4 s whose last packet of sound says that it belongs to `at_s`, and whose header promises 4
    s."""
    source = make(folder / "s.mkv", "-i", str(sample("plain.flac")), "-i", str(sample("silent.mp4")), "-c", "copy")
    far = make(
        folder / "far.mkv", "-i", str(source), "-c", "copy", "-bsf:a", rf"setts=ts=if(gt(PTS\,3.9/TB)\,{at_s}/TB\,PTS)"
    )
    data = bytearray(far.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3  # Duration, 8 bytes
    data[at : at + 8] = np.array([4000.0], ">f8").tobytes()
    far.write_bytes(data)
    return far


def test_one_damaged_timestamp_is_not_reached_through_hours_of_silence(tmp_path: Path) -> None:
    far = far_frame(tmp_path, 3500)
    assert ingest(request(far, tmp_path), lambda _: None).duration_s == pytest.approx(DURATION_S, abs=0.2)


def test_a_late_frame_that_the_header_knows_of_stays_late(tmp_path: Path) -> None:
    honest = make(
        tmp_path / "late.mkv",
        "-i",
        str(sample("silent.mp4")),
        "-itsoffset",
        "1800",
        "-i",
        str(sample("plain.flac")),
        "-c",
        "copy",
    )
    assert ingest(request(honest, tmp_path), lambda _: None).duration_s == pytest.approx(1800 + DURATION_S, abs=0.05)
