"""A whole job in one multipart request, as curl sends it."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.domain.dub_options import GROUP_OF
from tests.unit.api.conftest import Seeded
from tests.unit.media.samples import sample

SRT = b"1\n00:00:00,000 --> 00:00:01,000\nHello\n"


def files_in(seeded: Seeded) -> set[Path]:
    data = seeded.server.data
    return {*(data / "uploads").iterdir(), *(data / "blobs" / "uploads").glob("*")}


def test_curl_sends_a_video_with_subtitles_and_options(seeded: Seeded, client: httpx.Client, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl")
    video, subtitles = tmp_path / "Мой фильм.mp4", tmp_path / "x.srt"
    content = secrets.token_bytes(2_000_001)
    video.write_bytes(content)
    subtitles.write_bytes(SRT)
    fields = ["file=@" + str(video), "subtitles=@" + str(subtitles), "recognition.language=es", "voices.speed=1.1"]
    fields += ["recognition.review=false", "mix.background=keep", "recognition.audio_track=1"]
    argv = [
        curl,
        "-s",
        "-w",
        "\n%{http_code}",
        *(word for field in fields for word in ("-F", field)),
        f"{seeded.url}/api/jobs",
    ]
    body, _, status = subprocess.run(argv, capture_output=True, check=True, text=True).stdout.rpartition("\n")
    assert status == "201", body
    job = httpx.Response(201, text=body).json()
    options = job["options"]
    assert job["title"] == "Мой фильм"
    heard = options["recognition"]
    assert (heard["language"], heard["review"], heard["audio_track"], heard["recognizer"]) == (
        "es",
        False,
        1,
        "subtitles",
    )
    assert (options["voices"]["speed"], options["mix"]["background"]) == (1.1, "keep")
    assert job["size_bytes"] == len(content)
    assert any(path.read_bytes() == content for path in (seeded.server.data / "blobs" / "uploads").iterdir())


def test_a_form_brings_a_stem_and_the_words_for_nothing(seeded: Seeded, client: httpx.Client) -> None:
    before = files_in(seeded)
    files = {"file": ("a.mp4", b"abc"), "stem": ("music.flac", sample("plain.flac").read_bytes())}
    fields = {
        "loudness_lufs": "off",
        "duck_db": "auto",
        "target_language": "",
        "language": "auto",
        "audio_format": "mp3",
        "duck_hold_s": "1.5",
    }
    response = client.post("/api/jobs", files=files, data=fields)
    assert response.status_code == 201, response.text
    job = response.json()
    assert job["has_stem"] is True
    options = job["options"]
    assert response.headers["deprecation"].startswith("@")
    assert [options[GROUP_OF[name]][name] for name in fields] == [None, None, None, None, "mp3", 1.5]
    assert len(files_in(seeded) - before) == 2
    client.delete(f"/api/jobs/{job['id']}")
    assert files_in(seeded) == before


@pytest.mark.parametrize(
    ("files", "fields", "status", "code"),
    [
        ({}, {"title": "x"}, 400, "invalid_request"),
        ({"file": ("a.mp4", b"")}, {}, 422, "file_empty"),
        ({"file": ("a.mp4", b"abc")}, {"speed": "fast"}, 400, "invalid_request"),
        ({"file": ("a.mp4", b"abc")}, {"colour": "red"}, 400, "invalid_request"),
        ({"file": ("a.mp4", b"abc")}, {"voices.colour": "red"}, 400, "invalid_request"),
        ({"file": ("a.mp4", b"abc")}, {"voices.speed": "fast"}, 400, "invalid_request"),
        ({"file": ("a.mp4", b"abc")}, {"title.speed": "1"}, 400, "invalid_request"),
        ({"file": ("a.mp4", b"abc")}, {"mix.output.speed": "1"}, 400, "invalid_request"),
        ({"file": ("a.mp4", b"abc")}, {"speed": "3"}, 422, "speed_range"),
        ({"file": ("a.mp4", b"abc")}, {"voice": "nobody:x"}, 422, "engine_unknown"),
        ({"file": ("a.mp4", b"abc")}, {"title": "x" * 70_000}, 413, "body_too_large"),
        ({"file": ("a.mp4", b"abc"), "subtitles": ("a.srt", b"\x00\x01 no subtitles")}, {}, 422, "subtitles_invalid"),
        ({"file": ("a.mp4", b"abc"), "subtitles": ("a.srt", b"")}, {}, 422, "file_empty"),
        ({"file": ("a.mp4", b"abc"), "stem": ("a.wav", b"no sound at all")}, {}, 422, "stem_invalid"),
        ({"file": ("a.mp4", b"abc")}, {"loudness_lufs": "-3"}, 400, "invalid_request"),
        ({"file": ("a.mp4", b"abc")}, {"duck_db": "nan"}, 400, "invalid_request"),
    ],
)
def test_a_form_that_makes_no_job_leaves_no_bytes(
    seeded: Seeded,
    client: httpx.Client,
    files: dict[str, tuple[str, bytes]],
    fields: dict[str, str],
    status: int,
    code: str,
) -> None:
    before = files_in(seeded)
    response = client.post("/api/jobs", files=files or {"nothing": (None, b"")}, data=fields)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert files_in(seeded) == before


def test_a_body_that_is_no_form_is_a_problem(client: httpx.Client) -> None:
    for kind, content in (
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no boundary"),
        ("multipart/form-data; boundary=b", b""),
    ):
        response = client.post("/api/jobs", headers={"Content-Type": kind}, content=content)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


def test_a_file_over_the_limit_is_refused_even_without_a_content_length(seeded: Seeded, client: httpx.Client) -> None:
    before = files_in(seeded)

    def body(megabytes: int) -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(megabytes):
            yield bytes(1 << 20)
        yield b"\r\n--b--\r\n"

    response = client.post("/api/jobs", headers={"Content-Type": "multipart/form-data; boundary=b"}, content=body(301))
    assert (response.status_code, response.json()["code"]) == (413, "upload_too_large")
    assert files_in(seeded) == before


def test_a_form_that_breaks_off_leaves_no_bytes(seeded: Seeded, client: httpx.Client) -> None:
    before = files_in(seeded)
    with socket.create_connection(("127.0.0.1", seeded.server.port)) as wire:
        head = f"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1:{seeded.server.port}\r\nContent-Length: 9000000\r\n"
        head += "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        wire.sendall(
            head.encode()
            + b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            + bytes(3_000_000)
        )
        deadline = time.monotonic() + 10
        while files_in(seeded) == before:
            assert time.monotonic() < deadline
    while files_in(seeded) != before:
        assert time.monotonic() < deadline


def test_memory_stays_flat_for_a_large_form(seeded: Seeded, client: httpx.Client) -> None:
    before = seeded.server.memory_peak_bytes()
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    block = secrets.token_bytes(1 << 20)

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(250):
            yield block
        yield b"\r\n--b--\r\n"

    length = len(head) + (250 << 20) + 9
    began = time.monotonic()
    response = client.post(
        "/api/jobs",
        headers={"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(length)},
        content=body(),
        timeout=120,
    )
    assert response.status_code == 201, response.text
    assert response.json()["size_bytes"] == 250 << 20
    grown = seeded.server.memory_peak_bytes() - before
    print(f"memory grew by {grown / 1e6:.0f} MB for 262 MB, {time.monotonic() - began:.1f} s")
    assert grown < 60 << 20
    assert client.delete(f"/api/jobs/{response.json()['id']}").status_code == 204
