"""Finished files over a real server: ranges, conditions, names."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api import ranges
from app.api.ranges import ByteRange, Unsatisfiable, disposition, parse_range
from tests.unit.api.conftest import SRT, VIDEO, Seeded
from tests.unit.api.serving import TITLE

SIZE = len(VIDEO)
ETAG = f'"{hashlib.sha256(VIDEO).hexdigest()}"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=5-9", (5, 9)),
        (f"bytes={SIZE - 1}-", (SIZE - 1, SIZE - 1)),
        ("bytes=-7", (SIZE - 7, SIZE - 1)),
        (f"bytes=-{SIZE * 2}", (0, SIZE - 1)),
        (f"bytes=1048570-{SIZE * 3}", (1048570, SIZE - 1)),
        ("BYTES = 3 - 4", (3, 4)),
    ],
)
def test_a_range_gives_exactly_its_bytes(
    client: httpx.Client, seeded: Seeded, header: str, expected: tuple[int, int]
) -> None:
    response = client.get(f"/media/{seeded.job_id}/video", headers={"Range": header})
    first, last = expected
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert response.headers["content-length"] == str(last - first + 1)
    assert response.content == VIDEO[first : last + 1]


@pytest.mark.parametrize(
    "header", ["bytes=9-5", "bytes=0-1,5-6", "bytes=a-b", "bytes=-", "lines=0-1", "bytes=--1", "bytes=1"]
)
def test_a_range_that_means_nothing_is_ignored(client: httpx.Client, seeded: Seeded, header: str) -> None:
    response = client.get(f"/media/{seeded.job_id}/video", headers={"Range": header})
    assert response.status_code == 200
    assert response.content == VIDEO


@pytest.mark.parametrize("header", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused_with_the_size(client: httpx.Client, seeded: Seeded, header: str) -> None:
    response = client.get(f"/download/video/{seeded.job_id}", headers={"Range": header})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{SIZE}"


def test_a_whole_download_names_the_file_as_the_person_did(client: httpx.Client, seeded: Seeded) -> None:
    response = client.get(f"/download/video/{seeded.job_id}")
    assert response.content == VIDEO
    assert response.headers["etag"] == ETAG
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-type"] == "video/mp4"
    kind, plain, extended = response.headers["content-disposition"].split("; ")
    assert kind == "attachment"
    assert plain.isascii()
    assert unquote(extended.removeprefix("filename*=UTF-8''")) == f"{TITLE}.mp4"


@pytest.mark.parametrize("path", ["/download/video/{job}", "/download/report/{job}", "/media/{job}/video"])
def test_a_file_is_never_compressed_on_the_way(client: httpx.Client, seeded: Seeded, path: str) -> None:
    response = client.get(path.format(job=seeded.job_id), headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in response.headers
    assert int(response.headers["content-length"]) == len(response.content)


def test_subtitles_come_as_utf8(client: httpx.Client, seeded: Seeded) -> None:
    response = client.get(f"/download/srt/{seeded.job_id}")
    assert response.content == SRT
    assert response.headers["content-type"].startswith("application/x-subrip")


@pytest.mark.parametrize(
    ("kind", "name", "media_type"),
    [
        ("ass", ".ass", "text/x-ssa"),
        ("source_srt", ".original.srt", "application/x-subrip"),
        ("report", ".report.json", "application/json"),
        ("vtt", ".vtt", "text/vtt"),
    ],
)
def test_every_file_has_a_name_and_a_type_of_its_own(
    client: httpx.Client, seeded: Seeded, kind: str, name: str, media_type: str
) -> None:
    response = client.get(f"/download/{kind}/{seeded.job_id}")
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == media_type
    assert unquote(response.headers["content-disposition"].partition("filename*=UTF-8''")[2]) == f"{TITLE}{name}"


def test_head_says_what_get_would_give(client: httpx.Client, seeded: Seeded) -> None:
    got, asked = client.get(f"/download/video/{seeded.job_id}"), client.head(f"/download/video/{seeded.job_id}")
    assert (asked.status_code, asked.content) == (200, b"")
    for name in ("content-length", "etag", "last-modified", "accept-ranges", "content-type", "content-disposition"):
        assert asked.headers[name] == got.headers[name], name
    part = client.head(f"/download/video/{seeded.job_id}", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")


def test_an_unchanged_file_is_not_sent_again(client: httpx.Client, seeded: Seeded) -> None:
    path = f"/media/{seeded.job_id}/video"
    modified = client.head(path).headers["last-modified"]
    for headers in ({"If-None-Match": f'"x", W/{ETAG}'}, {"If-None-Match": "*"}, {"If-Modified-Since": modified}):
        response = client.get(path, headers=headers)
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", ETAG)
    for headers in (
        {"If-None-Match": '"other"', "If-Modified-Since": modified},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:10 GMT"},
        {"If-Modified-Since": "soon"},
    ):
        assert client.get(path, headers=headers).status_code == 200


def test_a_part_of_another_version_becomes_the_whole_file(client: httpx.Client, seeded: Seeded) -> None:
    path, wanted = f"/media/{seeded.job_id}/video", {"Range": "bytes=0-9"}
    modified = client.head(path).headers["last-modified"]
    assert client.get(path, headers={**wanted, "If-Range": ETAG}).status_code == 206
    assert client.get(path, headers={**wanted, "If-Range": modified}).status_code == 206
    for other in (f"W/{ETAG}", '"other"', "Thu, 01 Jan 1970 00:00:10 GMT"):
        response = client.get(path, headers={**wanted, "If-Range": other})
        assert (response.status_code, len(response.content)) == (200, SIZE)


def test_media_is_inline_and_can_never_run_as_a_page(client: httpx.Client, seeded: Seeded) -> None:
    response = client.get(f"/media/{seeded.job_id}/vtt")
    assert response.headers["content-disposition"] == "inline"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/download/video/{job}x", "job_not_found"),
        ("/download/audio/{job}", "artifact_not_ready"),
        ("/download/source/{job}", "not_found"),
        ("/download/exe/{job}", "not_found"),
        ("/download/track/{job}", "not_found"),
        ("/media/{job}/track", "not_found"),
        ("/media/{job}/report", "not_found"),
        ("/media/{job}/srt", "not_found"),
        ("/media/{job}/..%2f..%2fsecret.key", "not_found"),
        ("/download/..%2f..%2fsecret.key/{job}", "not_found"),
    ],
)
def test_what_is_not_there_is_a_problem(client: httpx.Client, seeded: Seeded, path: str, code: str) -> None:
    response = client.get(path.format(job=seeded.job_id))
    assert response.status_code == 404
    assert response.json()["code"] == code


def test_a_client_that_goes_away_leaves_no_open_file(client: httpx.Client, seeded: Seeded) -> None:
    def open_videos() -> int:
        folder = Path(f"/proc/{seeded.server.worker()}/fd")
        return sum(str(fd.readlink()).endswith("/video") for fd in folder.iterdir() if fd.is_symlink())

    for _ in range(5):
        with (
            httpx.Client(base_url=seeded.url) as other,
            other.stream("GET", f"/media/{seeded.job_id}/video") as response,
        ):
            next(response.iter_raw(1000))
    for _ in range(2000):
        if open_videos() == 0:
            break
        client.get("/health/live")
    assert open_videos() == 0


@pytest.mark.parametrize("trouble", [None, errno.EAGAIN, errno.EOPNOTSUPP])
async def test_what_is_not_in_memory_is_waited_for_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: int | None
) -> None:
    path, threads = tmp_path / "video", set()
    path.write_bytes(VIDEO)
    really = os.preadv

    def preadv(fd: int, services: list[memoryview], at: int, flags: int = 0) -> int:
        if flags and trouble is not None:
            raise OSError(trouble, "")
        threads.add(threading.get_ident())
        return really(fd, services, at, flags)

    class Slow(FileIO):
        def readinto(self, room: Any) -> int:
            threads.add(threading.get_ident())
            return super().readinto(room) or 0

    monkeypatch.setattr(os, "preadv", preadv)
    parts = [part async for part in ranges._read(Slow(path), ByteRange(5, SIZE - 2))]
    assert b"".join(parts) == VIDEO[5:-1] and len(parts) > 10
    assert threads and (threading.get_ident() in threads) is (trouble is None)


async def test_a_file_is_closed_however_its_sending_ends(tmp_path: Path) -> None:
    path = tmp_path / "video"
    path.write_bytes(VIDEO)
    ended, left, never, cut = FileIO(path), FileIO(path), FileIO(path), FileIO(path)
    assert b"".join([part async for part in ranges._read(ended, ByteRange(0, 9))]) == VIDEO[:10]
    parts = ranges._read(left, ByteRange(0, SIZE - 1))
    await anext(parts)
    await parts.aclose()  # type: ignore[attr-defined]
    descriptor = never.fileno()
    parts = ranges._read(never, ByteRange(0, 9))
    del never, parts  # the client went before the first byte
    shorter = ranges._read(cut, ByteRange(0, SIZE - 1))
    first = await anext(shorter)
    os.truncate(path, len(first) + 7)
    assert [len(part) async for part in shorter] == [7]
    assert ended.closed and left.closed and cut.closed
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)


@given(st.text(max_size=80))
def test_any_title_makes_a_header_that_is_one_line_of_ascii(title: str) -> None:
    header = disposition("attachment", title)
    assert header.isascii() and header.isprintable()
    assert header.count('"') == 2


@given(st.integers(0, 10_000), st.integers(0, 20_000), st.integers(0, 20_000))
def test_a_parsed_range_lies_within_the_file(size: int, first: int, last: int) -> None:
    for header in (f"bytes={first}-{last}", f"bytes={first}-", f"bytes=-{last}"):
        try:
            span = parse_range(header, size)
        except Unsatisfiable:
            continue
        assert span is None or 0 <= span.first <= span.last < size
    if first <= last < size:
        assert parse_range(f"bytes={first}-{last}", size) == ByteRange(first, last)
