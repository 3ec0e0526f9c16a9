"""tus 1.0.0, case by case, as other clients test servers: the core, and every extension that is announced."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.unit.api.conftest import Seeded
from tests.unit.api.test_uploads import CHUNK, TUS, append, encoded, offset_of, refused, start, stored

PARTIAL = {**TUS, "Upload-Concat": "partial"}


def create(client: httpx.Client, content: bytes | None = None, **headers: str) -> httpx.Response:
    return client.post("/api/uploads", headers={**TUS, **headers}, content=content)


def head(client: httpx.Client, address: str) -> httpx.Headers:
    response = client.head(address, headers=TUS)
    assert (response.status_code, response.headers["tus-resumable"], response.headers["cache-control"]) == (
        200,
        "1.0.0",
        "no-store",
    )
    return response.headers


def part(client: httpx.Client, content: bytes) -> str:
    response = create(
        client,
        content,
        **{"Upload-Concat": "partial", "Upload-Length": str(len(content)), "Content-Type": CHUNK["Content-Type"]},
    )
    assert (response.status_code, response.headers["upload-offset"]) == (201, str(len(content)))
    return str(response.headers["location"])


def job_of(client: httpx.Client, address: str) -> httpx.Response:
    return client.post("/api/jobs", json={"upload_id": address.rsplit("/", 1)[-1]})


# ---------------------------------------------------------------- the core


@pytest.mark.parametrize("version", [None, "99.99.99", "0.0.1"])
@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
def test_another_version_is_refused_with_ours(client: httpx.Client, method: str, version: str | None) -> None:
    address = "/api/uploads" if method == "POST" else start(client, 10)
    headers = {name: value for name, value in CHUNK.items() if name != "Tus-Resumable"} | {
        "Upload-Offset": "0",
        "Upload-Length": "5",
    }
    response = client.request(method, address, headers=headers | ({"Tus-Resumable": version} if version else {}))
    assert (response.status_code, response.headers["tus-version"]) == (412, "1.0.0")


def test_head_tells_offset_and_length_of_a_new_upload(client: httpx.Client) -> None:
    headers = head(client, start(client, 100))
    assert (headers["upload-offset"], headers["upload-length"]) == ("0", "100")


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_an_upload_that_does_not_exist(client: httpx.Client, method: str) -> None:
    response = client.request(
        method, "/api/uploads/non-existent-upload-id-12345", headers={**CHUNK, "Upload-Offset": "0"}
    )
    assert response.status_code == 404 and "upload-offset" not in response.headers


@pytest.mark.parametrize("kind", [None, "text/plain", "application/octet-stream"])
def test_a_chunk_of_another_content_type_is_415(client: httpx.Client, kind: str | None) -> None:
    address = start(client, 100)
    headers = {**TUS, "Upload-Offset": "0"} | ({"Content-Type": kind} if kind else {})
    refused(client.patch(address, headers=headers, content=b"test data"), 415, "upload_content_type")
    assert offset_of(client, address) == 0


def test_a_mismatch_tells_the_offset(client: httpx.Client) -> None:
    address = start(client, 100)
    append(client, address, 0, b"first chunk")
    response = append(client, address, 0, b"wrong")
    assert (response.status_code, response.headers["upload-offset"]) == (409, "11")


@pytest.mark.parametrize("chunked", [False, True])
def test_bytes_beyond_the_end_are_refused_and_head_tells_what_is_there(
    seeded: Seeded, client: httpx.Client, chunked: bool
) -> None:
    def body(content: bytes) -> Iterator[bytes] | bytes:
        return iter([content[:5], content[5:]]) if chunked else content

    def send(offset: int, content: bytes) -> httpx.Response:
        return client.patch(address, headers={**CHUNK, "Upload-Offset": str(offset)}, content=body(content))

    address = start(client, 11)
    assert send(0, b"abcdef").headers["upload-offset"] == "6"
    refused(send(6, b"123456789"), 413, "upload_too_large")
    offset = offset_of(client, address)
    path = seeded.server.data / "uploads" / address.rsplit("/", 1)[-1]
    assert 6 <= offset < 11 and path.stat().st_size == offset
    assert send(offset, b"ghijklmnop"[: 11 - offset]).status_code == 204
    refused(send(11, b"one more"), 413, "upload_too_large")  # it is complete
    assert send(11, b"").headers["upload-offset"] == "11"
    assert offset_of(client, address) == 11 and len(stored(seeded, address)) == 11


def test_methods_can_be_overridden_by_post(seeded: Seeded, client: httpx.Client) -> None:
    def post(method: str, content: bytes = b"", **headers: str) -> httpx.Response:
        return client.post(address, headers={**TUS, "X-HTTP-Method-Override": method, **headers}, content=content)

    address = start(client, 6)
    response = post("PATCH", b"abc", **{"Upload-Offset": "0", "Content-Type": CHUNK["Content-Type"]})
    assert (response.status_code, response.headers["upload-offset"]) == (204, "3")
    response = post("head")
    assert (response.status_code, response.headers["upload-offset"], response.headers["upload-length"]) == (
        200,
        "3",
        "6",
    )
    refused(
        post("PATCH", b"abc", **{"Upload-Offset": "0", "Content-Type": CHUNK["Content-Type"]}),
        409,
        "upload_offset_mismatch",
    )
    refused(post("BREW"), 405, "method_not_allowed")
    assert post("DELETE").status_code == 204
    assert client.head(address, headers=TUS).status_code == 404


# ---------------------------------------------------------------- creation


def test_the_address_is_whole_where_the_way_to_us_is_known(seeded: Seeded, client: httpx.Client) -> None:
    host = seeded.url.removeprefix("http://")
    assert re.fullmatch(
        rf"http://{host}/api/uploads/[0-9a-f]{{32}}", create(client, **{"Upload-Length": "5"}).headers["location"]
    )
    behind = create(client, **{"Upload-Length": "5", "X-Forwarded-For": "192.0.2.1"})
    assert behind.headers["location"].startswith("/api/uploads/")  # a proxy that speaks https is not to be guessed
    page = create(client, **{"Upload-Length": "5", "X-Forwarded-For": "192.0.2.1", "Origin": seeded.url})
    assert page.headers["location"].startswith(f"{seeded.url}/api/uploads/")


def test_head_tells_the_metadata_as_they_came(client: httpx.Client) -> None:
    pairs = {f"filename {encoded('test.txt')}", f"filetype {encoded('text/plain')}", "empty"}
    address = create(client, **{"Upload-Length": "5", "Upload-Metadata": ",".join(pairs)}).headers["location"]
    assert set(head(client, address)["upload-metadata"].split(",")) == pairs


@pytest.mark.parametrize(
    "metadata", ["filename not_valid_base64!!!", f"filename {encoded('a')},filename {encoded('b')}"]
)
def test_metadata_that_are_not_valid_are_refused(client: httpx.Client, metadata: str) -> None:
    refused(create(client, **{"Upload-Length": "5", "Upload-Metadata": metadata}), 400, "invalid_request")


def test_an_empty_file_is_an_upload_and_no_job(seeded: Seeded, client: httpx.Client) -> None:
    address = create(client, **{"Upload-Length": "0"}).headers["location"]
    headers = head(client, address)
    assert (headers["upload-offset"], headers["upload-length"]) == ("0", "0") and "upload-expires" not in headers
    assert stored(seeded, address) == b""
    refusal = job_of(client, address)
    assert (refusal.status_code, refusal.json()["code"]) == (422, "file_empty")
    refused(append(client, address, 0, b"a"), 413, "upload_too_large")


def test_a_creation_with_bytes_of_another_kind_is_415_and_leaves_nothing(seeded: Seeded, client: httpx.Client) -> None:
    before = seeded.server.data / "uploads"
    files = set(before.iterdir())
    for kind in ("text/plain", "application/json", "application/octet-stream"):
        refused(
            create(client, b"Hello, tus!\n", **{"Upload-Length": "12", "Content-Type": kind}),
            415,
            "upload_content_type",
        )
    refused(create(client, b"Hello, tus!\n", **{"Upload-Length": "12"}), 415, "upload_content_type")
    chunked = client.post(
        "/api/uploads", headers={**TUS, "Upload-Length": "12", "Content-Type": "text/plain"}, content=iter([b"Hello"])
    )
    refused(chunked, 415, "upload_content_type")
    assert set(before.iterdir()) == files
    # no bytes, no matter
    assert create(client, **{"Upload-Length": "12", "Content-Type": "text/plain"}).status_code == 201


def test_a_creation_with_bytes_and_checksum(client: httpx.Client) -> None:
    digest = base64.b64encode(hashlib.sha1(b"Hello, tus!\n", usedforsecurity=False).digest()).decode()
    headers = {"Upload-Length": "12", "Content-Type": CHUNK["Content-Type"], "Upload-Checksum": f"sha1 {digest}"}
    response = create(client, b"Hello, tus!\n", **headers)
    assert (response.status_code, response.headers["upload-offset"]) == (201, "12")


# ---------------------------------------------------------------- creation-defer-length


def test_a_length_may_come_with_any_chunk_and_then_stays(seeded: Seeded, client: httpx.Client) -> None:
    address = create(client, **{"Upload-Defer-Length": "1"}).headers["location"]
    headers = head(client, address)
    assert (headers["upload-defer-length"], headers["upload-offset"]) == ("1", "0") and "upload-length" not in headers
    assert append(client, address, 0, b"abc").status_code == 204
    assert head(client, address)["upload-defer-length"] == "1"
    refusal = job_of(client, address)
    assert (refusal.status_code, refusal.json()["code"]) == (409, "upload_incomplete")
    refused(append(client, address, 3, b"defgh", **{"Upload-Length": "7"}), 413, "upload_too_large")
    assert append(client, address, 3, b"def", **{"Upload-Length": "8"}).status_code == 204
    headers = head(client, address)
    assert (headers["upload-length"], headers["upload-offset"]) == ("8", "6") and "upload-defer-length" not in headers
    refused(append(client, address, 6, b"gh", **{"Upload-Length": "9"}), 400, "invalid_request")
    assert append(client, address, 6, b"gh", **{"Upload-Length": "8"}).status_code == 204
    assert stored(seeded, address) == b"abcdefgh"


@pytest.mark.parametrize("content", [b"", b"abc"])
def test_a_length_that_comes_last_of_all_completes_the_upload(
    seeded: Seeded, client: httpx.Client, content: bytes
) -> None:
    address = create(
        client, content or None, **{"Upload-Defer-Length": "1", "Content-Type": CHUNK["Content-Type"]}
    ).headers["location"]
    assert append(client, address, len(content), b"", **{"Upload-Length": str(len(content))}).status_code == 204
    assert stored(seeded, address) == content


@pytest.mark.parametrize(
    "headers",
    [{"Upload-Defer-Length": "1", "Upload-Length": "100"}, {"Upload-Defer-Length": "2"}, {"Upload-Defer-Length": ""}],
)
def test_a_deferred_length_that_makes_no_sense_is_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    refused(create(client, **headers), 400, "invalid_request")


def test_a_length_beyond_the_limit_is_refused_whenever_it_comes(client: httpx.Client) -> None:
    address = create(client, **{"Upload-Defer-Length": "1"}).headers["location"]
    response = append(client, address, 0, b"abc", **{"Upload-Length": str((300 << 20) + 1)})
    refused(response, 413, "upload_too_large")
    assert response.headers["tus-max-size"] == str(300 << 20)
    assert head(client, address)["upload-defer-length"] == "1"


# ---------------------------------------------------------------- concatenation


def test_parts_that_came_side_by_side_become_one_file(seeded: Seeded, client: httpx.Client) -> None:
    contents = [secrets.token_bytes(size) for size in (700_000, 1, 2_000_000)]
    parts = []
    for content in contents:
        address = create(client, **{"Upload-Concat": "partial", "Upload-Length": str(len(content))}).headers["location"]
        assert head(client, address)["upload-concat"] == "partial"
        half = len(content) // 2
        append(client, address, 0, content[:half])
        assert append(client, address, half, content[half:]).headers["upload-offset"] == str(len(content))
        parts.append(address)
    concat = "final;" + " ".join([parts[0], "/" + parts[1].split("/", 3)[3], parts[2]])  # whole addresses and paths
    response = create(client, **{"Upload-Concat": concat, "Upload-Metadata": f"filename {encoded('film.mp4')}"})
    assert response.status_code == 201, response.text
    address = response.headers["location"]
    headers = head(client, address)
    assert headers["upload-offset"] == headers["upload-length"] == str(sum(map(len, contents)))
    assert headers["upload-concat"] == concat and headers["upload-metadata"] == f"filename {encoded('film.mp4')}"
    assert stored(seeded, address) == b"".join(contents)
    assert not any((seeded.server.data / "uploads" / each.rsplit("/", 1)[-1]).exists() for each in (*parts, address))
    assert job_of(client, address).json()["title"] == "film"
    # the answer was lost: asked again
    assert create(client, **{"Upload-Concat": concat}).headers["location"] == address


def test_a_part_alone_is_no_file(client: httpx.Client) -> None:
    refusal = job_of(client, part(client, b"abc"))
    assert (refusal.status_code, refusal.json()["code"]) == (409, "upload_incomplete")


def test_a_final_upload_takes_no_bytes_and_no_length(client: httpx.Client) -> None:
    first = part(client, b"AAAAA\n")
    for headers in ({"Upload-Length": "6"}, {"Upload-Defer-Length": "1"}, {"Content-Type": CHUNK["Content-Type"]}):
        refused(create(client, **{"Upload-Concat": f"final;{first}", **headers}), 400, "invalid_request")
    address = create(client, **{"Upload-Concat": f"final;{first}"}).headers["location"]
    for offset in (0, 6):
        refused(append(client, address, offset, b"data"), 403, "upload_final")
    assert client.delete(address, headers=TUS).status_code == 204


def test_parts_that_cannot_be_joined_are_refused_and_stay(client: httpx.Client) -> None:
    whole, good = start(client, 3), part(client, b"abc")
    unfinished = create(client, **{"Upload-Concat": "partial", "Upload-Length": "100"}).headers["location"]
    open_end = create(client, **{"Upload-Concat": "partial", "Upload-Defer-Length": "1"}).headers["location"]
    missing = f"{good.rsplit('/', 1)[0]}/non-existent-partial-12345"
    for listed, status, code in (
        (f"{good} {unfinished}", 400, "invalid_request"),
        (f"{good} {open_end}", 400, "invalid_request"),
        (f"{good} {whole}", 400, "invalid_request"),
        (f"{good} {good}", 400, "invalid_request"),
        (f"{good} {missing}", 404, "upload_not_found"),
        (f"{good} http://[", 400, "invalid_request"),
        ("", 400, "invalid_request"),
    ):
        refused(create(client, **{"Upload-Concat": f"final;{listed}"}), status, code)
    for concat in ("final", "finally", "Partial;", ""):
        refused(create(client, **{"Upload-Concat": concat, "Upload-Length": "3"}), 400, "invalid_request")
    assert offset_of(client, good) == 3


# ---------------------------------------------------------------- what the description says


def test_the_description_names_every_header_that_is_answered(client: httpx.Client) -> None:
    paths = client.get("/schema/openapi.json").json()["paths"]
    one, deferred = start(client, 3, filename="a"), create(client, **{"Upload-Defer-Length": "1"}).headers["location"]
    answers = {
        ("/api/uploads", "options"): [client.options("/api/uploads")],
        ("/api/uploads/{upload_id}", "options"): [client.options(one)],
        ("/api/uploads", "post"): [create(client, **{"Upload-Length": "3"}), create(client)],
        ("/api/uploads/{upload_id}", "head"): [
            client.head(address, headers=TUS) for address in (one, deferred, part(client, b"a"))
        ],
        ("/api/uploads/{upload_id}", "patch"): [
            append(client, one, 1, b""),
            append(client, one, 0, b"abcd"),
            append(client, one, 0, b"abc"),
        ],
        ("/api/uploads/{upload_id}", "delete"): [
            client.delete(one),
            client.delete(one, headers=TUS),
            client.delete(one, headers=TUS),
        ],
    }
    for (path, method), responses in answers.items():
        operation = paths[path][method]
        for response in responses:
            named = {name.lower() for name in operation["responses"][str(response.status_code)].get("headers", {})}
            ours = {
                name for name in response.headers if name.startswith(("tus-", "upload-", "location", "cache-control"))
            }
            assert ours <= named, (path, method, response.status_code, ours - named)
    needed = {p["name"] for p in paths["/api/uploads/{upload_id}"]["patch"]["parameters"] if p["required"]}
    assert needed == {"upload_id", "Tus-Resumable", "Upload-Offset"}
    taken = {p["name"] for p in paths["/api/uploads"]["post"]["parameters"]}
    assert taken == {
        "Tus-Resumable",
        "Upload-Length",
        "Upload-Defer-Length",
        "Upload-Metadata",
        "Upload-Concat",
        "Upload-Checksum",
    }
