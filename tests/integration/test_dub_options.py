"""What a person chooses is what is in the files, and only what a choice changes is made again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.integration.conftest import DURATION_S, SPOKEN
from tests.integration.running import Running
from tests.integration.speech import Sentence, heard, spoken_video
from tests.unit.dubbing.sounds import RATE_HZ, decode, measure, tone, write_wav

STEM_HZ, OTHER_HZ = 440.0, 1000.0


def level_at(samples: np.ndarray, hz: float, from_s: float, until_s: float) -> float:
    """How loud a tone is in a part, dB relative to full scale."""
    part = samples[round(from_s * RATE_HZ) : round(until_s * RATE_HZ), 0]
    wave = np.exp(-2j * np.pi * hz * np.arange(len(part)) / RATE_HZ)
    return float(20 * np.log10(2 * abs(np.dot(part, wave)) / len(part) + 1e-10))


@pytest.fixture(scope="module")
def stem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("stem") / "music.wav", tone(DURATION_S, STEM_HZ))


def test_a_stem_locks_and_files_of_another_kind(
    server: Running, spoken_mp4: Path, stem: Path, ffmpeg: str, tmp_path: Path
) -> None:
    job = server.create(
        server.upload(spoken_mp4),
        stem=server.upload(stem),
        container="mkv",
        audio_codec="opus",
        audio_format="mp3",
        duck_db=-12,
    )
    job_id = server.wait(job["id"], "review")["id"]
    assert job["has_stem"] is True
    lines, _ = server.segments(job_id)
    server.edit(
        job_id,
        edit=[{"id": lines[1]["id"], "start_s": 4.6, "start_locked": True}, {"id": lines[2]["id"], "locked_rate": 1.2}],
    )
    server.act(job_id, "approve")
    server.wait(job_id, "completed")

    video = server.download(job_id, "video", tmp_path / "dub.mkv")
    with av.open(str(video)) as container:
        assert container.format.name.startswith("matroska")
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "opus", "srt"]
        length_s = container.duration / 1e6
    report = server.ok(server.client.get(f"/api/jobs/{job_id}/report"))
    by_id = {line["segment_id"]: line for line in report["lines"]}
    assert by_id[lines[1]["id"]]["placed_s"] == 4.6 and by_id[lines[1]["id"]]["offset_s"] == 0.0
    assert by_id[lines[2]["id"]]["rate"] == 1.2

    sound = decode(ffmpeg, video)
    quiet = level_at(sound, STEM_HZ, 15.0, 16.0)
    assert quiet - level_at(sound, OTHER_HZ, 15.0, 16.0) > 30, "the stem is the background"
    spoken = by_id[lines[3]["id"]]
    ducked = level_at(sound, STEM_HZ, spoken["placed_s"] + 0.3, spoken["placed_s"] + spoken["duration_s"] - 0.3)
    assert quiet - ducked == pytest.approx(12, abs=2), "and it goes down under the voice as far as was asked"

    loudness_lufs, peak_db = measure(ffmpeg, video)
    assert report["loudness_lufs"] == pytest.approx(loudness_lufs, abs=0.5)
    assert report["target_lufs"] == -16.0 and peak_db <= -1.0 + 0.1 and report["true_peak_db"] <= -1.0
    assert report["source_duration_s"] + report["duration_difference_s"] == pytest.approx(length_s, abs=0.002)
    assert report["picture"] == "copied"
    assert json.loads(server.download(job_id, "report", tmp_path / "r.json").read_text()) == report
    with av.open(str(server.download(job_id, "audio", tmp_path / "dub.mp3"))) as container:
        assert container.streams.audio[0].codec_context.name.startswith("mp3")


def test_only_what_a_choice_changes_is_made_again(
    server: Running, spoken_mp4: Path, stem: Path, ffmpeg: str, tmp_path: Path
) -> None:
    job_id = server.create(server.upload(spoken_mp4), review=False, background="keep")["id"]
    server.wait(job_id, "completed")
    artifacts = server.data / "blobs" / "artifacts"

    def changed(**options: Any) -> list[str]:
        assert server.patch(job_id, options=options)["stale"] is True
        return server.render(job_id)

    assert server.patch(job_id, options={"review": True, "duck_db": -20})["stale"] is False, "nothing is ducked"
    assert changed(container="mkv") == ["mux"]
    assert server.patch(job_id, stem_upload_id=server.upload(stem))["stale"] is True
    before = server.files(job_id)
    assert server.render(job_id) == ["mix", "mux"]
    sound = decode(ffmpeg, server.download(job_id, "video", tmp_path / "dub.mkv"))
    assert level_at(sound, STEM_HZ, 15.0, 16.0) - level_at(sound, OTHER_HZ, 15.0, 16.0) > 30
    after = server.files(job_id)
    assert after["srt"] == before["srt"] and after["video"] != before["video"]

    assert changed(audio_format="flac") == ["mix"]
    with_flac = server.files(job_id)
    assert with_flac["track"] == after["audio"] and with_flac["video"] == after["video"]
    assert changed(audio_format="m4a") == ["mix"]
    assert server.files(job_id) == after, "no file of another format is left"
    assert {path.stem for path in artifacts.iterdir()} == set(after.values()) - {
        after["source"],
        after["peaks"],
        after["thumbnail"],
    }

    lines, _ = server.segments(job_id)
    server.edit(job_id, edit=[{"id": lines[0]["id"], "locked_rate": 1.1}])
    assert server.render(job_id) == ["synthesize", "fit", "mix", "mux"], "of a locked line no other pace is asked"
    assert server.patch(job_id, stem_upload_id=None)["has_stem"] is False
    assert server.render(job_id) == ["mix", "mux"]
    server.ok(server.client.delete(f"/api/jobs/{job_id}"))
    assert [path for path in (server.data / "blobs").rglob("*") if path.is_file()] == [], "nothing of the job is left"


@pytest.mark.parametrize("name, audio_format, codec", [("talk.mp3", "flac", "flac"), ("talk.ogg", "opus", "opus")])
def test_of_sound_alone_the_result_is_sound(
    name: str, audio_format: str, codec: str, server: Running, whisper_checkpoint: Path, ffmpeg: str, tmp_path: Path
) -> None:
    source = spoken_video(ffmpeg, tmp_path / name, SPOKEN, DURATION_S, picture=False)
    job_id = server.create(server.upload(source), review=False, background="replace", audio_format=audio_format)["id"]
    job = server.wait(job_id, "completed")
    assert {"audio", "srt", "vtt", "ass", "report"} <= set(server.files(job_id)) and "video" not in server.files(job_id)
    assert ("track" in server.files(job_id)) is (audio_format == "flac"), "Opus is coded once"
    assert server.client.get(f"/download/video/{job_id}").json()["code"] == "artifact_not_ready"
    audio = server.download(job_id, "audio", tmp_path / f"dub.{audio_format}")
    with av.open(str(audio)) as container:
        assert container.streams.audio[0].codec_context.name == codec
    assert len(decode(ffmpeg, audio)) / RATE_HZ == pytest.approx(job["media"]["duration_s"], abs=0.001)
    assert [line.text.strip() for line in heard(ffmpeg, audio, whisper_checkpoint, tmp_path)] == [
        sentence.text for sentence in SPOKEN
    ]
    report = server.ok(server.client.get(f"/api/jobs/{job_id}/report"))
    assert report["picture"] is None and abs(report["duration_difference_s"]) < 0.05
    assert report["loudness_lufs"] == pytest.approx(measure(ffmpeg, audio)[0], abs=0.5)


SECOND = [
    Sentence(2.0, "See you again next week."),
    Sentence(6.0, "The glue needs ten minutes to dry."),
    Sentence(11.0, "Please wear your safety glasses."),
]


def test_another_track_is_recognised_heard_under_the_voice_and_kept(
    server: Running, spoken_mp4: Path, whisper_checkpoint: Path, ffmpeg: str, tmp_path: Path
) -> None:
    other = spoken_video(ffmpeg, tmp_path / "other.wav", SECOND, DURATION_S, picture=False)
    both = tmp_path / "both.mkv"
    mapped = [
        "-map",
        "0:v",
        "-map",
        "0:a",
        "-map",
        "1:a",
        "-c",
        "copy",
        "-metadata:s:a:1",
        "language=fra",
        "-metadata:s:a:1",
        "title=Second",
    ]
    subprocess.run([ffmpeg, "-v", "error", "-i", str(spoken_mp4), "-i", str(other), *mapped, str(both)], check=True)
    first = server.create(server.upload(both), keep_original_track=True, background="replace")
    first = server.wait(first["id"], "review")
    assert [stream["title"] for stream in first["media"]["audio"]] == [None, "Second"]
    refused = server.client.post(f"/api/jobs/{first['id']}/duplicate", json={"options": {"audio_track": 2}}).json()
    assert refused["code"] == "audio_track_missing"

    twin = server.ok(server.client.post(f"/api/jobs/{first['id']}/duplicate", json={"options": {"audio_track": 1}}))
    server.wait(twin["id"], "review")
    lines, _ = server.segments(twin["id"])
    assert [line["text"].strip() for line in lines] == [sentence.text for sentence in SECOND]
    server.edit(twin["id"], edit=[{"id": lines[2]["id"], "skip": True}])  # the original is heard there
    server.act(twin["id"], "approve")
    server.wait(twin["id"], "completed")
    video = server.download(twin["id"], "video", tmp_path / "dub.mp4")
    dubbed = [line.text.strip() for line in heard(ffmpeg, video, whisper_checkpoint, tmp_path, track=0)]
    assert dubbed == [sentence.text for sentence in SECOND], "the skipped line is the second track's"
    kept = [line.text.strip() for line in heard(ffmpeg, video, whisper_checkpoint, tmp_path, track=1)]
    assert kept == [sentence.text for sentence in SECOND]
    with av.open(str(video)) as container:
        assert [stream.metadata.get("language") for stream in container.streams.audio] == ["eng", "fra"]
