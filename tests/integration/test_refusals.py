"""What is refused, each with its own code, as application/problem+json with what to do; and nothing is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.catalogue import catalogue
from tests.integration.running import Running


def problem(answer: httpx.Response, code: str) -> dict[str, Any]:
    """The answer is the catalogue's problem."""
    told = dict(answer.json())
    assert told["code"] == code, told
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.status_code == told["status"] == catalogue()[code].status
    assert told["hint"] and told["title"]
    assert "Traceback" not in answer.text
    return told


def failed(server: Running, path: Path, code: str, **options: Any) -> None:
    """The file makes a job that fails with `code`, and the server stands."""
    job = server.create(server.upload(path), review=False, **options)
    job = dict(
        server.until(job["id"], lambda e: "job" in e and e["job"]["state"] in ("failed", "completed", "review"))["job"]
    )
    assert job["state"] == "failed" and job["error"]["code"] == code, job
    assert job["error"]["message"] and job["error"]["hint"]
    assert server.client.get("/health/live").status_code == 200


def test_files_that_cannot_be_dubbed(
    serve: Callable[..., Running], ffmpeg: str, tmp_path: Path, spoken_mp4: Path
) -> None:
    server = serve(AUTODUBBER_MAX_DURATION_S="30")

    def made(name: str, *arguments: str) -> Path:
        subprocess.run([ffmpeg, "-v", "error", "-nostdin", "-y", *arguments, str(tmp_path / name)], check=True)
        return tmp_path / name

    def written(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    failed(server, written("notes.mp4", b"these are only words, " * 500), "not_media")
    failed(server, written("noise.mp4", bytes(range(256)) * 400), "not_media")
    failed(
        server,
        written("list.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        "playlist_refused",
    )
    failed(
        server,
        written("concat.mp4", b"ffconcat version 1.0\nfile '" + str(spoken_mp4).encode() + b"'\n"),
        "playlist_refused",
    )
    mpd = (
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        b'type="static"><Period><BaseURL>file:///</BaseURL></Period></MPD>'
    )
    failed(server, written("dash.mp4", mpd), "playlist_refused")
    picture = ["-f", "lavfi", "-i", "testsrc=s=160x90:d=2"]
    failed(server, made("silent.mp4", *picture), "no_audio")
    failed(
        server,
        made("long.mp4", *picture[:3], "testsrc=s=64x36:r=5:d=40", "-f", "lavfi", "-i", "sine=d=40"),
        "media_too_long",
    )
    failed(server, made("tone.mp4", "-f", "lavfi", "-i", "anoisesrc=d=3:a=0.0001"), "no_speech")
    failed(server, spoken_mp4, "audio_track_missing", audio_track=3)
    failed(server, spoken_mp4, "container_unsuitable", container="webm")


def test_uploads_that_cannot_be_taken(serve: Callable[..., Running]) -> None:
    server = serve(AUTODUBBER_MAX_UPLOAD_BYTES="1000")
    head = {"Tus-Resumable": "1.0.0"}
    problem(server.client.post("/api/uploads", headers=head | {"Upload-Length": "1001"}), "upload_too_large")
    empty = server.client.post("/api/uploads", headers=head | {"Upload-Length": "0"}).headers["Location"]
    problem(server.client.post("/api/jobs", json={"upload_id": empty.rsplit("/", 1)[-1]}), "file_empty")
    problem(server.client.get("/api/jobs/" + "0" * 32), "job_not_found")
    problem(server.client.post("/api/jobs", json={"upload_id": "0" * 32}), "upload_not_found")
    location = server.client.post("/api/uploads", headers=head | {"Upload-Length": "10"}).headers["Location"]
    problem(server.client.post("/api/jobs", json={"upload_id": location.rsplit("/", 1)[-1]}), "upload_incomplete")
    patch = head | {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "5"}
    problem(server.client.patch(location, headers=patch, content=b"12345"), "upload_offset_mismatch")


def test_options_and_lines_that_make_no_sense(server: Running, spoken_mp4: Path, tmp_path: Path) -> None:
    upload = server.upload(spoken_mp4)

    def asked(**options: Any) -> httpx.Response:
        return server.client.post("/api/jobs", json={"upload_id": upload, "options": options})

    problem(asked(speed=2.0), "speed_range")
    problem(asked(voice="nobody:x"), "engine_unknown")
    problem(asked(voice="espeak"), "engine_unknown")
    problem(asked(language="klingon!"), "language_unknown")
    problem(asked(target_language="auf Deutsch"), "language_unknown")
    problem(asked(background="loud"), "invalid_request")
    problem(asked(loudness_lufs=-3), "invalid_request")
    problem(asked(duck_db=6), "invalid_request")
    problem(asked(container="avi"), "invalid_request")
    problem(asked(colour="red"), "invalid_request")
    problem(
        server.client.post("/api/jobs", content=b"{", headers={"Content-Type": "application/json"}), "invalid_request"
    )

    for text, code in (
        ("hello", "subtitles_invalid"),
        ("1\n00:00:01,000 -> broken\nx\n", "subtitles_invalid"),
        ("WEBVTT\n\n", "subtitles_empty"),
    ):
        path = tmp_path / "s.srt"
        path.write_text(text)
        body = {"upload_id": upload, "subtitles_upload_id": server.upload(path)}
        problem(server.client.post("/api/jobs", json=body), code)

    (tmp_path / "notes.wav").write_text("no sound, " * 100)
    problem(
        server.client.post(
            "/api/jobs", json={"upload_id": upload, "stem_upload_id": server.upload(tmp_path / "notes.wav")}
        ),
        "stem_invalid",
    )
    problem(server.client.post("/api/jobs", json={"upload_id": upload, "stem_upload_id": "0" * 32}), "upload_not_found")

    job = server.create(upload)
    problem(server.client.get(f"/download/video/{job['id']}"), "artifact_not_ready")
    problem(server.client.get(f"/api/jobs/{job['id']}/report"), "artifact_not_ready")
    server.wait(job["id"], "review")
    segments, etag = server.segments(job["id"])
    line, address = segments[0]["id"], f"/api/jobs/{job['id']}/segments"

    def edited(change: dict[str, Any], **headers: str) -> httpx.Response:
        return server.client.patch(
            address, json={"edit": [{"id": line} | change]}, headers=headers or {"If-Match": etag}
        )

    problem(edited({"text": "x" * 5001}), "invalid_request")
    problem(edited({"start_s": 9.0, "end_s": 3.0}), "times_invalid")
    problem(edited({"end_s": 17.5}), "times_invalid")
    problem(edited({"text": "bell \x07"}), "text_invalid")
    problem(edited({"locked_rate": 3.0}), "invalid_request")
    problem(edited({"text": "x"}, Accept="*/*"), "precondition_required")
    assert edited({"text": "First."}).status_code == 200
    problem(edited({"text": "Second, from an old page."}), "edit_conflict")
    assert server.segments(job["id"])[0][0]["text"] == "First."
    problem(
        server.client.post(f"{address}/{'0' * 32}/merge", headers={"If-Match": server.segments(job["id"])[1]}),
        "segment_not_found",
    )
    problem(server.client.post(f"/api/jobs/{job['id']}/retry"), "job_state")
    for found in segments:
        server.edit(job["id"], edit=[{"id": found["id"], "skip": True}])
    problem(server.client.post(f"/api/jobs/{job['id']}/approve"), "nothing_to_speak")


def test_a_failed_render_names_the_lines_that_do_not_fit(server: Running, spoken_mp4: Path, tmp_path: Path) -> None:
    lines = tmp_path / "lines.srt"
    lines.write_text(
        "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\nWelcome to the workshop.\n\n" for n in (2, 3, 8))
    )
    job_id = server.create(server.upload(spoken_mp4), subtitles=server.upload(lines), language="en")["id"]
    server.wait(job_id, "review")
    first, second, _ = server.segments(job_id)[0]
    locked = [{"id": first["id"], "start_locked": True, "locked_rate": 0.5}, {"id": second["id"], "start_locked": True}]
    server.edit(job_id, edit=locked)
    server.act(job_id, "approve")
    job = server.until(job_id, lambda e: "job" in e and e["job"]["state"] in ("failed", "completed"))["job"]
    assert (job["error"]["code"], job["error"]["stage"]) == ("does_not_fit", "fit")
    assert set(job["error"]["segments"]) == {first["id"], second["id"]}, "and not the third"
    server.edit(job_id, edit=[{"id": first["id"], "start_locked": False, "locked_rate": None}])
    server.act(job_id, "retry")
    assert server.wait(job_id, "completed")["error"] is None


def test_a_container_that_was_refused_is_chosen_anew(server: Running, spoken_mp4: Path) -> None:
    job_id = server.create(server.upload(spoken_mp4), container="webm")["id"]
    failed_job = server.until(job_id, lambda e: "job" in e and e["job"]["state"] in ("failed", "review"))["job"]
    assert (failed_job["error"]["code"], failed_job["error"]["stage"]) == ("container_unsuitable", "probe")
    server.patch(job_id, options={"container": "auto"})
    server.act(job_id, "retry")
    server.wait(job_id, "review")
    problem(server.client.patch(f"/api/jobs/{job_id}", json={"options": {"container": "webm"}}), "container_unsuitable")


def test_addresses_that_do_not_exist(server: Running) -> None:
    problem(server.client.get("/api/nothing"), "not_found")
    problem(server.client.put("/api/jobs"), "method_not_allowed")


def test_a_disk_that_is_nearly_full_takes_no_new_work(serve: Callable[..., Running]) -> None:
    server = serve(AUTODUBBER_MIN_FREE_BYTES="0")
    server.stop()
    server.environ["AUTODUBBER_MIN_FREE_BYTES"] = str(1 << 50)
    with pytest.raises(AssertionError, match="not ready"):
        server.start(within_s=8)
    assert "disk" in server.client.get("/health/ready").text
    problem(server.client.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "10"}), "disk_full")


def test_a_wrong_setting_stops_the_start_with_one_line(serve: Callable[..., Running]) -> None:
    with pytest.raises(AssertionError, match=r"AUTODUBBER_LOG_LEVEL: expected one of debug, info, warning, error"):
        serve(AUTODUBBER_LOG_LEVEL="loud")
    with pytest.raises(AssertionError, match=r"AUTODUBBER_NONSENSE is not a setting"):
        serve("other", AUTODUBBER_NONSENSE="1")


def test_two_servers_do_not_share_a_folder(serve: Callable[..., Running]) -> None:
    serve()
    with pytest.raises(AssertionError, match=r"another server .* works on"):
        serve()
