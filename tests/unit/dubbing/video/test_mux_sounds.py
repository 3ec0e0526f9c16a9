"""An original sound that its container does not take is encoded before the mux, in pieces: all of it, at its time, as
many channels, and what a kill leaves is gone on with."""

from __future__ import annotations

import logging
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from app.dubbing.probe import probe
from app.dubbing.video import mux_sounds
from app.dubbing.video.mux import DubbedTrack, MuxRequest, mux
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import SoundEncoded
from tests.unit.dubbing.video.muxing import labels, sound_of, track_of
from tests.unit.media.samples import make

LENGTH_S = 40  # two joins and a rest
CHIRP = "aevalsrc=0.4*sin(2*PI*t*(200+20*t))|0.4*sin(2*PI*t*(900+5*t)):s={rate}:d=40"
SIX = "aevalsrc=" + "|".join(f"0.3*sin(2*PI*t*{hz})" for hz in (300, 400, 500, 60, 700, 800)) + ":c=5.1:s=48000:d=40"
PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=40", "-c:v", "libx264", "-preset", "ultrafast", "-g", "50")
VP8 = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=40", "-c:v", "libvpx", "-deadline", "realtime", "-b:v", "200k")


def film(folder: Path, name: str, sound: str, *coder: str, picture: tuple[str, ...] = PICTURE) -> Path:
    return make(folder / name, *picture[:4], "-f", "lavfi", "-i", sound, *picture[4:], *coder)


def asked(source: Path, folder: Path, suffix: str) -> MuxRequest:
    info = probe(source)
    (folder / "work").mkdir(parents=True)
    sound = np.zeros((LENGTH_S * 48_000, 2), np.float32)
    track = track_of(sound, folder / ("track.opus" if suffix == ".webm" else "track.m4a"))
    return MuxRequest(
        source=source,
        out=folder / f"out{suffix}",
        info=info,
        duration_s=LENGTH_S,
        dubs=(DubbedTrack(track, "opus" if suffix == ".webm" else "aac", "es"),),
        work=folder / "work",
        original=info.audio[0],
        source_language="en",
        pieces=folder / "pieces",
    )


def least_db(heard: np.ndarray, meant: np.ndarray) -> float:
    """How far the difference lies under the sound, in the worst tenth of a second, the ends left out."""
    heard, meant = heard[4_800 : 39 * 48_000], meant[4_800 : 39 * 48_000]
    parts = len(meant) // 4_800
    wrong = np.square(heard - meant)[: parts * 4_800].reshape(parts, -1).mean(axis=1)
    right = np.square(meant)[: parts * 4_800].reshape(parts, -1).mean(axis=1)
    return float(10 * np.log10((right / (wrong + 1e-12)).min()))


@pytest.mark.parametrize(
    ("name", "suffix", "sound", "coder", "picture"),
    [
        ("pcm.mov", ".mp4", CHIRP.format(rate=44_100), ("-c:a", "pcm_s16le"), PICTURE),
        ("vorbis.mkv", ".mp4", CHIRP.format(rate=48_000), ("-c:a", "libvorbis", "-b:a", "192k"), PICTURE),
        ("dts.mkv", ".mp4", CHIRP.format(rate=48_000), ("-c:a", "dca", "-strict", "-2", "-b:a", "768k"), PICTURE),
        ("broadcast.ts", ".mp4", CHIRP.format(rate=48_000), ("-c:a", "aac", "-b:a", "192k"), PICTURE),
        ("broadcast.ts", ".mkv", CHIRP.format(rate=48_000), ("-c:a", "aac", "-b:a", "192k"), PICTURE),
        ("mp3.mkv", ".webm", CHIRP.format(rate=48_000), ("-c:a", "libmp3lame", "-b:a", "192k"), VP8),
    ],
)
async def test_the_encoded_original_is_heard_where_it_was(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    suffix: str,
    sound: str,
    coder: tuple[str, ...],
    picture: tuple[str, ...],
) -> None:
    caplog.set_level(logging.INFO)
    source = film(tmp_path, name, sound, *coder, picture=picture)
    request, told = asked(source, tmp_path / "muxed", suffix), [0.0]
    await mux(request, told.append)
    assert "mux_by_ffmpeg" not in caplog.text
    assert told == sorted(told)
    assert labels(request.out)[1:] == [("audio", "spa", "Dub", True), ("audio", "eng", "Original", False)]
    assert least_db(sound_of(request.out, 1), sound_of(source)) > 20
    assert sorted(path.name for path in (tmp_path / "muxed" / "pieces").iterdir()) == [
        "original.opus" if suffix == ".webm" else "original.m4a"
    ]


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".webm", "opus")])
async def test_surround_sound_keeps_its_channels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str, codec: str
) -> None:
    caplog.set_level(logging.INFO)
    coder = ("-c:a", "pcm_s24le") if suffix == ".mp4" else ("-c:a", "ac3", "-b:a", "448k")
    source = film(tmp_path, "six.mkv", SIX, *coder, picture=PICTURE if suffix == ".mp4" else VP8)
    request = asked(source, tmp_path / "muxed", suffix)
    await mux(request, lambda _: None)
    assert "mux_by_ffmpeg" not in caplog.text
    with av.open(str(request.out)) as container:
        stream = container.streams.audio[1]
        assert (stream.codec_context.name.removeprefix("lib"), stream.layout.name) == (codec, "5.1")
        names = [channel.name for channel in stream.layout.channels]
        planes = [frame.to_ndarray() for frame in container.decode(stream)][10:60]
    heard = np.concatenate([each.reshape(6, -1) if len(each) == 6 else each.reshape(-1, 6).T for each in planes], 1)
    loudest = np.fft.rfftfreq(heard.shape[1], 1 / 48_000)[np.abs(np.fft.rfft(heard, axis=1)).argmax(axis=1)]
    told = dict(zip(names, loudest.tolist(), strict=True))
    meant = {"FL": 300, "FR": 400, "FC": 500, "LFE": 60, "BL": 700, "BR": 800}
    assert {name: pytest.approx(hz, abs=2) for name, hz in meant.items()} == told


class Killed(BaseException):
    """What a kill is for the code around it."""


async def test_a_killed_encoding_goes_on_and_gives_the_same_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = film(tmp_path, "vorbis.mkv", CHIRP.format(rate=48_000), "-c:a", "libvorbis", "-b:a", "192k")
    whole, killed = (asked(source, tmp_path / name, ".mp4") for name in ("whole", "killed"))
    await mux(whole, lambda _: None)
    done: list[SoundEncoded] = []

    async def told(*arguments: object, **more: object) -> object:
        result = await run_task(*arguments, **more)  # type: ignore[arg-type]
        done.extend([result] if isinstance(result, SoundEncoded) else [])
        return result

    def kill(fraction: float) -> None:
        raise Killed

    monkeypatch.setattr(mux_sounds, "run_task", told)
    with pytest.raises(Killed):
        await mux(killed, kill)
    folder = tmp_path / "killed" / "pieces" / "original"
    left = sorted(folder.glob("*.packets"))
    assert left and not folder.with_suffix(".m4a").exists()
    left[0].write_bytes(left[0].read_bytes()[:-1])  # a power loss
    (folder / "2.packets").unlink(missing_ok=True)
    found = len(list(folder.glob("*.packets")))
    await mux(killed, lambda _: None)
    assert [(each.found, each.made) for each in done] == [(found, 3 - found)]
    first, second = (tmp_path / name / "pieces" / "original.m4a" for name in ("whole", "killed"))
    assert first.read_bytes() == second.read_bytes()
    done.clear()
    await mux(killed, lambda _: None)  # killed after it: nothing of the sound is made again
    assert done == []


async def test_a_sound_that_cannot_be_decoded_is_left_to_ffmpeg(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source = film(tmp_path, "vorbis.mkv", CHIRP.format(rate=48_000), "-c:a", "libvorbis", "-b:a", "192k")
    request = asked(source, tmp_path / "muxed", ".mp4")
    wrong = msgspec.structs.replace(request.info.audio[0], track=4)
    result = await mux_sounds.with_fitting_original(msgspec.structs.replace(request, original=wrong), lambda _: None)
    assert result.original == wrong and len(result.dubs) == 1
    assert "audio_track_missing" in str([record.__dict__ for record in caplog.records])
