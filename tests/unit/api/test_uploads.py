"""tus 1.0.0 over a real server: what arrives is kept, byte for byte, whatever happens to the connection or the
server."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from tusclient.client import TusClient

from tests.unit.api.conftest import Seeded

TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = {**TUS, "Content-Type": "application/offset+octet-stream"}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def start(client: httpx.Client, length: int, **metadata: str) -> str:
    pairs = ",".join(f"{name} {encoded(value)}" for name, value in metadata.items())
    response = client.post("/api/uploads", headers={**TUS, "Upload-Length": str(length), "Upload-Metadata": pairs})
    assert response.status_code == 201, response.text
    return str(response.headers["location"])


def append(client: httpx.Client, address: str, offset: int, content: bytes, **headers: str) -> httpx.Response:
    return client.patch(address, headers={**CHUNK, "Upload-Offset": str(offset), **headers}, content=content)


def offset_of(client: httpx.Client, address: str) -> int:
    """Asked until it is told: a writer whose client died is noticed within seconds (423 until then)."""
    deadline = time.monotonic() + 20
    while (response := client.head(address, headers=TUS)).status_code == 423:
        assert time.monotonic() < deadline
    assert response.status_code == 200
    return int(response.headers["upload-offset"])


def until_locked(client: httpx.Client, address: str) -> None:
    deadline = time.monotonic() + 10
    while client.head(address, headers=TUS).status_code != 423:
        assert time.monotonic() < deadline


def stored(seeded: Seeded, address: str) -> bytes:
    return (seeded.server.data / "blobs" / "uploads" / address.rsplit("/", 1)[-1]).read_bytes()


def refused(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.headers["tus-resumable"] == "1.0.0"


def test_the_server_says_what_it_speaks(client: httpx.Client) -> None:
    for path in ("/api/uploads", "/api/uploads/anything"):
        response = client.options(path)
        assert response.status_code == 200
        assert response.headers["tus-version"] == "1.0.0"
        assert set(response.headers["tus-extension"].split(",")) == {
            "creation",
            "creation-defer-length",
            "creation-with-upload",
            "termination",
            "checksum",
            "expiration",
            "concatenation",
        }
        assert response.headers["tus-checksum-algorithm"] == "sha1,sha256,md5"
        assert response.headers["tus-max-size"] == str(300 << 20)


def test_tuspy_uploads_byte_for_byte(seeded: Seeded, client: httpx.Client, tmp_path: Path) -> None:
    content = secrets.token_bytes(5_000_003)
    path = tmp_path / "фильм.mp4"
    path.write_bytes(content)
    metadata = {"filename": path.name, "filetype": "video/mp4"}
    for checksums in (False, True):
        uploader = TusClient(f"{seeded.url}/api/uploads").uploader(
            str(path), chunk_size=1_000_000, metadata=metadata, upload_checksum=checksums
        )
        uploader.upload()
        assert stored(seeded, uploader.url) == content
        head = client.head(uploader.url, headers=TUS)
        assert head.headers["upload-offset"] == head.headers["upload-length"] == str(len(content))
        assert f"filename {encoded('фильм.mp4')}" in head.headers["upload-metadata"].split(",")
        assert head.headers["cache-control"] == "no-store"


def test_pieces_of_any_size_become_the_file(seeded: Seeded, client: httpx.Client) -> None:
    content = secrets.token_bytes(3_200_000)
    address, offset = start(client, len(content)), 0
    assert address.startswith(f"{seeded.url}/api/uploads/")
    for size in (1, 65_535, 1 << 20, 7, 1 << 21):
        response = append(client, address, offset, content[offset : offset + size])
        offset = min(offset + size, len(content))
        assert (response.status_code, response.headers["upload-offset"]) == (204, str(offset))
        if offset < len(content):
            assert parsedate_to_datetime(response.headers["upload-expires"]).timestamp() > time.time() + 3600
    assert stored(seeded, address) == content


def test_a_file_can_come_with_its_creation(seeded: Seeded, client: httpx.Client) -> None:
    content = secrets.token_bytes(100_000)
    response = client.post("/api/uploads", headers={**CHUNK, "Upload-Length": "100000"}, content=content)
    assert (response.status_code, response.headers["upload-offset"]) == (201, "100000")
    assert stored(seeded, response.headers["location"]) == content
    response = client.post("/api/uploads", headers={**CHUNK, "Upload-Length": "100000"}, content=content[:40_000])
    assert (response.status_code, response.headers["upload-offset"]) == (201, "40000")
    append(client, response.headers["location"], 40_000, content[40_000:])
    assert stored(seeded, response.headers["location"]) == content


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_chunk_that_was_changed_on_its_way_is_dropped(seeded: Seeded, client: httpx.Client, algorithm: str) -> None:
    content = secrets.token_bytes(200_000)
    digest = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    address = start(client, len(content))
    refused(
        append(client, address, 0, b"x" + content[1:], **{"Upload-Checksum": f"{algorithm} {digest}"}),
        460,
        "upload_checksum_mismatch",
    )
    assert offset_of(client, address) == 0
    assert append(client, address, 0, content, **{"Upload-Checksum": f"{algorithm} {digest}"}).status_code == 204
    assert stored(seeded, address) == content


def test_a_changed_file_that_came_with_its_creation_leaves_nothing(seeded: Seeded, client: httpx.Client) -> None:
    before = set((seeded.server.data / "uploads").iterdir())
    headers = {**CHUNK, "Upload-Length": "3", "Upload-Checksum": f"sha1 {base64.b64encode(bytes(20)).decode()}"}
    refused(client.post("/api/uploads", headers=headers, content=b"abc"), 460, "upload_checksum_mismatch")
    assert set((seeded.server.data / "uploads").iterdir()) == before


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "invalid_request"),
        ({"Upload-Length": "-1"}, 400, "invalid_request"),
        ({"Upload-Length": "1e3"}, 400, "invalid_request"),
        ({"Upload-Length": str((300 << 20) + 1)}, 413, "upload_too_large"),
        ({"Upload-Length": "5", "Upload-Metadata": "filename !!!"}, 400, "invalid_request"),
        ({"Upload-Length": "5", "Upload-Checksum": "crc32 AAAA"}, 400, "upload_checksum_algorithm"),
        ({"Upload-Length": "5", "Upload-Checksum": "sha1 !"}, 400, "invalid_request"),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.2"}, 412, "tus_version"),
    ],
)
def test_an_upload_that_cannot_be_is_refused_at_once(
    client: httpx.Client, headers: dict[str, str], status: int, code: str
) -> None:
    refused(client.post("/api/uploads", headers={**TUS, **headers}), status, code)


def test_a_chunk_must_say_where_it_belongs_and_what_it_is(client: httpx.Client) -> None:
    address = start(client, 10)
    refused(append(client, address, 3, b"abc"), 409, "upload_offset_mismatch")
    refused(
        append(client, address, 0, b"abc", **{"Content-Type": "application/octet-stream"}), 415, "upload_content_type"
    )
    refused(append(client, address, 0, b"abc", **{"Upload-Offset": "x"}), 400, "invalid_request")
    refused(append(client, address, 0, bytes(11)), 413, "upload_too_large")
    refused(append(client, address, 0, b"abc", **{"Tus-Resumable": "2"}), 412, "tus_version")
    assert offset_of(client, address) == 0


def test_more_bytes_than_announced_are_refused_even_without_a_content_length(client: httpx.Client) -> None:
    address = start(client, 10)

    def body() -> Iterator[bytes]:
        yield bytes(8)
        yield bytes(8)

    response = client.patch(address, headers={**CHUNK, "Upload-Offset": "0"}, content=body())
    refused(response, 413, "upload_too_large")
    assert offset_of(client, address) <= 10


def test_an_upload_that_was_given_up_is_gone(seeded: Seeded, client: httpx.Client) -> None:
    address = start(client, 10)
    append(client, address, 0, b"abc")
    assert client.delete(address, headers=TUS).status_code == 204
    assert client.head(address, headers=TUS).status_code == 404
    refused(append(client, address, 3, b"abc"), 404, "upload_not_found")
    refused(client.delete(address, headers=TUS), 404, "upload_not_found")
    assert not (seeded.server.data / "uploads" / address.rsplit("/", 1)[-1]).exists()


def test_a_file_name_is_only_a_name(client: httpx.Client, seeded: Seeded) -> None:
    address = start(client, 3, filename="../../etc/\x00pass\nwd.mp4")
    append(client, address, 0, b"abc")
    job = client.post("/api/jobs", json={"upload_id": address.rsplit("/", 1)[-1]}).json()
    assert job["title"] == "passwd"


def test_a_refusal_is_seen_by_a_client_that_still_writes(seeded: Seeded) -> None:
    with httpx.Client(base_url=seeded.url, limits=httpx.Limits(max_connections=1)) as client:
        address = start(client, 40 << 20)
        first = client.get("/health/live").extensions["network_stream"].get_extra_info("client_addr")
        for _ in range(3):
            refused(append(client, address, 5, bytes(30 << 20)), 409, "upload_offset_mismatch")
            refused(
                client.post("/api/uploads", headers={**CHUNK, "Upload-Length": "x"}, content=bytes(20 << 20)),
                400,
                "invalid_request",
            )
        assert offset_of(client, address) == 0
        # the same connection
        assert client.get("/health/live").extensions["network_stream"].get_extra_info("client_addr") == first
