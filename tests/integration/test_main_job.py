"""The main job through a real server: a spoken video in, the corrected words out, at the right times."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import DURATION_S, SPOKEN
from tests.integration.running import Running
from tests.integration.speech import duration_s, heard

CORRECTED = "The glue needs ten minutes to dry."


def test_a_video_is_uploaded_transcribed_corrected_rendered_and_says_the_corrected_words(
    server: Running, spoken_mp4: Path, whisper_checkpoint: Path, ffmpeg: str, tmp_path: Path
) -> None:
    job = server.create(server.upload(spoken_mp4), background="replace")
    job = server.wait(job["id"], "review")
    segments, _ = server.segments(job["id"])
    assert [s["text"] for s in segments] == [s.text for s in SPOKEN]
    assert [s["start_s"] for s in segments] == pytest.approx([s.start_s for s in SPOKEN], abs=0.3)
    assert job["language"] == "en"
    assert 0.9 < job["language_certainty"] <= 1.0

    server.edit(job["id"], edit=[{"id": segments[1]["id"], "text": CORRECTED}])
    server.act(job["id"], "approve")
    job = server.wait(job["id"], "completed")

    video = server.download(job["id"], "video", tmp_path / "dub.mp4", range_bytes=100_000)
    said = heard(ffmpeg, video, whisper_checkpoint, tmp_path)
    expected = [s.text if i != 1 else CORRECTED for i, s in enumerate(SPOKEN)]
    assert [s.text.strip() for s in said] == expected
    assert [s.start_s for s in said] == pytest.approx([s.start_s for s in SPOKEN], abs=0.3)

    assert duration_s(ffmpeg, video, "0:v:0") == pytest.approx(DURATION_S, abs=0.05)
    assert duration_s(ffmpeg, video, "0:a:0") == pytest.approx(DURATION_S, abs=0.05)
    assert pictures(ffmpeg, video) == pictures(ffmpeg, spoken_mp4), "the picture must be copied, not encoded again"

    srt = server.download(job["id"], "srt", tmp_path / "dub.srt").read_text()
    assert CORRECTED in srt and SPOKEN[1].text not in srt
    assert server.download(job["id"], "vtt", tmp_path / "dub.vtt").read_text().startswith("WEBVTT")
    audio = server.download(job["id"], "audio", tmp_path / "dub.m4a")
    assert duration_s(ffmpeg, audio, "0:a:0") == pytest.approx(DURATION_S, abs=0.05)


def test_after_an_edit_only_that_line_is_spoken_again(server: Running, spoken_mp4: Path) -> None:
    job = server.create(server.upload(spoken_mp4), review=False)
    job = server.wait(job["id"], "completed")
    clips = set((server.data / "blobs" / "clips").glob("*.wav"))
    first = {a["kind"]: a["sha256"] for a in job["artifacts"]}
    # a line that needs another pace is spoken at its own and at that
    assert len(SPOKEN) <= len(clips) <= 3 * len(SPOKEN) and job["stale"] is False

    segments, _ = server.segments(job["id"])
    server.edit(job["id"], edit=[{"id": segments[0]["id"], "text": "See you again next week."}])
    assert server.job(job["id"])["stale"] is True
    estimate = server.ok(server.client.get(f"/api/jobs/{job['id']}/estimate"))
    assert (estimate["lines"], estimate["cached_lines"], estimate["characters"]) == (
        4,
        3,
        len("See you again next week."),
    )
    server.act(job["id"], "render")
    job = server.until(job["id"], lambda e: "job" in e and e["job"]["state"] == "completed" and not e["job"]["stale"])[
        "job"
    ]
    assert 1 <= len(set((server.data / "blobs" / "clips").glob("*.wav")) - clips) <= 3, "the takes of one line"
    second = {a["kind"]: a["sha256"] for a in job["artifacts"]}
    assert second["video"] != first["video"] and second["srt"] != first["srt"]
    kept = {path.name for path in (server.data / "blobs" / "artifacts").iterdir()}
    assert not any(name.startswith(first["video"]) for name in kept), "the replaced video must not fill the disk"


def test_a_changed_speed_speaks_again_and_lines_still_start_on_time(
    server: Running, spoken_mp4: Path, whisper_checkpoint: Path, ffmpeg: str, tmp_path: Path
) -> None:
    job = server.create(server.upload(spoken_mp4), review=False, background="replace")
    job = server.wait(job["id"], "completed")
    server.ok(server.client.patch(f"/api/jobs/{job['id']}", json={"options": {"voices": {"speed": 1.1}}}))
    assert server.job(job["id"])["stale"] is True
    server.act(job["id"], "render")
    job = server.until(job["id"], lambda e: "job" in e and e["job"]["state"] == "completed" and not e["job"]["stale"])[
        "job"
    ]
    said = heard(ffmpeg, server.download(job["id"], "audio", tmp_path / "dub.m4a"), whisper_checkpoint, tmp_path)
    assert [s.start_s for s in said] == pytest.approx([s.start_s for s in SPOKEN], abs=0.3)


def test_brought_subtitles_need_no_recognition(server: Running, spoken_mp4: Path, tmp_path: Path) -> None:
    srt = tmp_path / "mine.srt"
    srt.write_text(
        "1\n00:00:01,000 --> 00:00:03,000\nHello from my own file.\n\n2\n00:00:05,500 --> 00:00:08,000\nAnd a second "
        "line.\n"
    )
    job = server.create(server.upload(spoken_mp4), subtitles=server.upload(srt), review=False, language="en")
    job = server.wait(job["id"], "completed")
    assert job["options"]["recognition"]["recognizer"] == "subtitles"
    segments, _ = server.segments(job["id"])
    assert [(s["start_s"], s["end_s"], s["text"]) for s in segments] == [
        (1.0, 3.0, "Hello from my own file."),
        (5.5, 8.0, "And a second line."),
    ]


def test_the_original_can_come_along_as_a_second_track(
    server: Running, spoken_mp4: Path, whisper_checkpoint: Path, ffmpeg: str, tmp_path: Path
) -> None:
    job = server.create(server.upload(spoken_mp4), background="replace", keep_original_track=True)
    server.wait(job["id"], "review")
    segments, _ = server.segments(job["id"])
    server.edit(job["id"], edit=[{"id": segments[1]["id"], "text": CORRECTED}])
    server.act(job["id"], "approve")
    server.wait(job["id"], "completed")
    video = server.download(job["id"], "video", tmp_path / "two.mp4")
    assert heard(ffmpeg, video, whisper_checkpoint, tmp_path, track=0)[1].text.strip() == CORRECTED
    assert heard(ffmpeg, video, whisper_checkpoint, tmp_path, track=1)[1].text.strip() == SPOKEN[1].text


def test_burned_subtitles_are_in_the_picture(server: Running, spoken_mp4: Path, ffmpeg: str, tmp_path: Path) -> None:
    job = server.create(server.upload(spoken_mp4), review=False, burn_subtitles=True)
    server.wait(job["id"], "completed")
    video = server.download(job["id"], "video", tmp_path / "burned.mp4")

    def difference(at_s: float) -> float:
        """Mean square difference of the lower third between the dub and the source, at a time."""
        lower = "crop=iw:ih/3:0:ih*2/3,format=gray"
        frames = []
        for path in (video, spoken_mp4):
            command = [
                ffmpeg,
                "-v",
                "error",
                "-ss",
                str(at_s),
                "-i",
                str(path),
                "-frames:v",
                "1",
                "-vf",
                lower,
                "-f",
                "rawvideo",
                "-",
            ]
            frames.append(subprocess.run(command, check=True, capture_output=True).stdout)
        assert len(frames[0]) == len(frames[1]) > 0
        return sum((a - b) ** 2 for a, b in zip(*frames, strict=True)) / len(frames[0])

    assert difference(5.0) > 10 * difference(2.9 + 0.5)


def pictures(ffmpeg: str, path: Path) -> str:
    """A hash of every encoded picture, in order."""
    command = [ffmpeg, "-v", "error", "-i", str(path), "-map", "0:v:0", "-c", "copy", "-f", "streamhash", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
