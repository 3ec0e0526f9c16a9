"""What passes nginx, Caddy and Traefik as deploy/proxies sets them up: uploads, ranges, the page's files, conditions,
the same-origin check."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.server.app import page_folder
from tests.deploy.authority import Authority
from tests.deploy.conftest import VIDEO, Behind
from tests.deploy.proxies import Proxy, proxy
from tests.unit.api.serving import Server

TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = {**TUS, "Content-Type": "application/offset+octet-stream"}
ETAG = f'"{hashlib.sha256(VIDEO).hexdigest()}"'
SIZE = len(VIDEO)


def begun(client: httpx.Client, length: int) -> str:
    created = client.post("/api/uploads", headers={**TUS, "Upload-Length": str(length)})
    assert created.status_code == 201, created.text
    return str(created.headers["location"])


def checksum(block: bytes) -> str:
    return f"sha256 {base64.b64encode(hashlib.sha256(block).digest()).decode()}"


def test_an_upload_passes_in_chunks_larger_than_a_proxy_takes_by_default(client: httpx.Client) -> None:
    """nginx's own limit is 1 MB for a request. The checksum says that what arrived is what was sent."""
    block = os.urandom(5_000_000)
    address = begun(client, 3 * len(block))
    for part in range(3):
        headers = {**CHUNK, "Upload-Offset": str(part * len(block)), "Upload-Checksum": checksum(block)}
        answer = client.patch(address, headers=headers, content=block)
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str((part + 1) * len(block)))
    assert client.head(address, headers=TUS).headers["upload-offset"] == str(3 * len(block))
    assert client.delete(address, headers=TUS).status_code == 204


def test_an_upload_passes_in_one_request(client: httpx.Client) -> None:
    block = os.urandom(60_000_000)
    address = begun(client, len(block))
    answer = client.patch(
        address, headers={**CHUNK, "Upload-Offset": "0", "Upload-Checksum": checksum(block)}, content=block
    )
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(block)))
    assert client.delete(address, headers=TUS).status_code == 204


def test_the_size_that_is_refused_is_the_servers_and_so_is_the_answer(client: httpx.Client) -> None:
    answer = client.post("/api/uploads", headers={**TUS, "Upload-Length": str(1 << 40)})
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")


def test_what_has_arrived_when_the_line_breaks_is_kept(front: Proxy, client: httpx.Client, behind: Behind) -> None:
    """A proxy that collects a request before it passes it on would have nothing to show: the bytes are on the server's
    disk as they come."""
    address = begun(client, 8_000_000)
    place = urlsplit(front.url)
    head = "\r\n".join(
        [f"PATCH {address} HTTP/1.1", f"Host: {place.netloc}", "Upload-Offset: 0", "Content-Length: 8000000"]
    )
    head += "".join(f"\r\n{name}: {value}" for name, value in CHUNK.items()) + "\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", place.port or 0)) as raw,
        front.authority.context().wrap_socket(raw, server_hostname="localhost") as line,
    ):
        line.sendall(head.encode() + bytes(4_000_000))
        wait_for_bytes(behind.server.data / "uploads", address.rsplit("/", 1)[-1], 3_000_000)
    kept = offset_when_free(client, address)
    assert 3_000_000 <= kept <= 4_000_000
    rest = client.patch(address, headers={**CHUNK, "Upload-Offset": str(kept)}, content=bytes(8_000_000 - kept))
    assert (rest.status_code, rest.headers["upload-offset"]) == (204, "8000000")
    assert client.delete(address, headers=TUS).status_code == 204


def offset_when_free(client: httpx.Client, address: str) -> int:
    """As a client does: it asks again while the server still waits for the broken connection (423)."""
    deadline = time.monotonic() + 20
    while (answer := client.head(address, headers=TUS)).status_code == 423:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(answer.headers["upload-offset"])


def wait_for_bytes(folder: Path, upload_id: str, least: int) -> None:
    deadline = time.monotonic() + 20
    while sum(path.stat().st_size for path in folder.rglob(f"{upload_id}*") if path.is_file()) < least:
        assert time.monotonic() < deadline, sorted(folder.rglob("*"))
        time.sleep(0.02)


def test_ranges_conditions_and_head_are_the_servers(client: httpx.Client, behind: Behind) -> None:
    path = f"/download/video/{behind.job_id}"
    whole = client.get(path)
    assert (whole.status_code, whole.content, whole.headers["etag"]) == (200, VIDEO, ETAG)
    assert (whole.headers["content-length"], whole.headers["accept-ranges"]) == (str(SIZE), "bytes")
    for header, first, last in (
        ("bytes=0-0", 0, 0),
        (f"bytes={SIZE - 10}-", SIZE - 10, SIZE - 1),
        ("bytes=-70000", SIZE - 70000, SIZE - 1),
    ):
        part = client.get(path, headers={"Range": header})
        assert (part.status_code, part.headers["content-range"]) == (206, f"bytes {first}-{last}/{SIZE}")
        assert part.content == VIDEO[first : last + 1]
    beyond = client.get(path, headers={"Range": f"bytes={SIZE}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{SIZE}")
    assert client.get(path, headers={"Range": "bytes=0-9", "If-Range": ETAG}).status_code == 206
    assert client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200
    assert client.get(path, headers={"If-None-Match": ETAG}).status_code == 304
    head = client.head(path)
    assert (head.status_code, head.headers["content-length"], head.headers["etag"], head.content) == (
        200,
        str(SIZE),
        ETAG,
        b"",
    )


@pytest.mark.parametrize(("accepted", "suffix"), [("br, gzip", ".br"), ("gzip", ".gz"), ("identity", "")])
def test_the_pages_files_come_as_they_were_built(client: httpx.Client, accepted: str, suffix: str) -> None:
    """Once compressed, not again; nothing unpacked on the way; to be kept for ever."""
    script = next(path for path in sorted((page_folder() / "_app/immutable/entry").glob("start.*.js")))
    request = client.build_request(
        "GET", f"/{script.relative_to(page_folder()).as_posix()}", headers={"Accept-Encoding": accepted}
    )
    answer = client.send(request, stream=True)
    assert b"".join(answer.iter_raw()) == script.with_name(script.name + suffix).read_bytes()
    assert answer.headers.get("content-encoding") == {".br": "br", ".gz": "gzip", "": None}[suffix]
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-length" in answer.headers and "Accept-Encoding" in answer.headers["vary"]


def test_a_client_that_does_not_speak_of_compression_gets_none(front: Proxy, client: httpx.Client) -> None:
    """Traefik cannot be told not to ask for gzip on its own and to unpack it: it leaves the length out."""
    request = client.build_request("GET", "/theme.js")
    del request.headers["accept-encoding"]
    answer = client.send(request)
    assert "content-encoding" not in answer.headers
    assert answer.content == (page_folder() / "theme.js").read_bytes()
    if front.name != "traefik":
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_a_corrected_line_is_saved_over_a_strong_etag(client: httpx.Client, behind: Behind) -> None:
    """A proxy that compresses weakens ETags or changes them, and every save would be refused (412)."""
    lines = client.get(f"/api/jobs/{behind.job_id}/segments", headers={"Accept-Encoding": "gzip, br, zstd"})
    etag = lines.headers["etag"]
    assert not etag.startswith("W/")
    edit = {"edit": [{"id": "s0", "text": f"Saved at {time.monotonic_ns()}."}]}
    saved = client.patch(f"/api/jobs/{behind.job_id}/segments", json=edit, headers={"If-Match": etag})
    assert saved.status_code == 200, saved.text
    assert client.patch(f"/api/jobs/{behind.job_id}/segments", json=edit, headers={"If-Match": etag}).status_code == 412


def test_the_page_may_and_another_site_may_not(front: Proxy, client: httpx.Client, behind: Behind) -> None:
    """The Host arrives as the browser sent it, port and all: else the page's own requests would look foreign."""
    path = f"/api/jobs/{behind.job_id}"
    own = client.patch(
        path, json={"title": "From the page"}, headers={"Origin": front.url, "Sec-Fetch-Site": "same-origin"}
    )
    assert own.status_code == 200, own.text
    for origin in ("https://elsewhere.test", "https://localhost", f"https://127.0.0.1:{behind.server.port}"):
        foreign = client.patch(path, json={"title": "x"}, headers={"Origin": origin})
        assert (foreign.status_code, foreign.json()["code"]) == (403, "forbidden_origin")


def test_a_server_is_told_the_proxys_name(tmp_path: Path, authority: Authority) -> None:
    """Any other name may be a web site's that was pointed at this machine (DNS rebinding)."""
    told = {"AUTODUBBER_HOST": "0.0.0.0", "AUTODUBBER_ALLOWED_HOSTS": "dub.example.org"}
    with (
        Server(tmp_path / "data", **told) as server,
        proxy("nginx", server.port, tmp_path / "nginx", authority) as front,
        front.client() as client,
    ):
        known = {"Host": "dub.example.org", "Origin": "https://dub.example.org"}
        assert client.get("/", headers=known).status_code == 200
        assert client.post("/api/uploads", headers={**TUS, **known, "Upload-Length": "1"}).status_code == 201
        unknown = client.get("/", headers={"Host": "rebound.example.org"})
        assert (unknown.status_code, unknown.json()["code"]) == (421, "host_unknown")
        claimed = client.get("/", headers={"Host": "rebound.example.org", "X-Forwarded-Host": "dub.example.org"})
        assert claimed.status_code == 421


def test_the_servers_safe_headers_pass_and_the_name_is_bound_to_tls(client: httpx.Client) -> None:
    answer = client.get("/")
    assert "sha256-" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert len(answer.headers.get_list("strict-transport-security")) == 1


def test_the_log_has_the_clients_address_and_not_what_it_claims(front: Proxy, behind: Behind) -> None:
    """The proxy is trusted, and names the client; what the client says of itself stands further left, and is not
    believed."""
    mark = f"/api/jobs/{front.name}-{time.monotonic_ns()}"
    transport = httpx.HTTPTransport(verify=front.authority.context(), local_address="127.0.0.2")
    with httpx.Client(base_url=front.url, transport=transport) as client:
        told = {
            "X-Forwarded-For": "203.0.113.9",
            "X-Real-IP": "203.0.113.9",
            "Forwarded": "for=203.0.113.9",
            "X_Forwarded_For": "203.0.113.9",
        }
        assert client.get(mark, headers=told).status_code == 404
    deadline = time.monotonic() + 20
    while not (lines := [line for line in behind.server.log.read_text().splitlines() if mark in line]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert {json.loads(line)["client"] for line in lines} == {"127.0.0.2"}


def test_without_tls_a_visitor_is_led_to_it(front: Proxy) -> None:
    answer = httpx.get(f"{front.plain}/jobs/1?a=b")
    place = urlsplit(answer.headers["location"])
    assert answer.status_code in (301, 308)
    assert (place.scheme, place.hostname, place.path, place.query) == ("https", "localhost", "/jobs/1", "a=b")
