"""The studio's files: which policy, which cache, which copy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from app.api import routes
from app.api.depends import OperatorLimits
from app.api.pages import Pages, script_hashes
from app.config.hosts import Hosts

SCRIPT = b"\n\t{ start('x') }\n"
INDEX = b'<!doctype html><script src="/a.js"></script><script type="module">' + SCRIPT + b"</script>"
HASH = base64.b64encode(hashlib.sha256(SCRIPT).digest()).decode()


def application(folder: Path) -> Litestar:
    app = routes.build(
        OperatorLimits("0", 1, 1.0, 1.0, 0, frozenset(), False, "", "", "", False), [], Hosts(["testserver.local"])
    )
    app.state.update(pages=Pages(folder))
    return app


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncTestClient[Litestar]]:
    assets = tmp_path / "_app" / "immutable"
    assets.mkdir(parents=True)
    (tmp_path / "index.html").write_bytes(INDEX)
    (tmp_path / "index.html.br").write_bytes(b"old")
    (tmp_path / "favicon.svg").write_bytes(b"<svg/>")
    (assets / "start.js").write_bytes(b"plain")
    (assets / "start.js.br").write_bytes(b"brotli")
    (assets / "start.js.gz").write_bytes(b"gzip")
    (assets / "style.css").write_bytes(b"a{}")
    async with AsyncTestClient(application(tmp_path)) as client:
        yield client


async def test_every_page_of_the_studio_is_the_index_with_its_own_policy(client: AsyncTestClient[Litestar]) -> None:
    for path in ("/", "/jobs/0123", "/settings", "/jobs/0123/deep/er"):
        response = await client.get(path)
        assert (response.status_code, response.content) == (200, INDEX)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache"
        assert f"'sha256-{HASH}'" in response.headers["content-security-policy"]
        again = await client.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "sha256" in again.headers["content-security-policy"]


def test_only_inline_scripts_have_hashes() -> None:
    assert script_hashes(INDEX) == [HASH]
    assert script_hashes(b"<p>no scripts</p>") == []


@pytest.mark.parametrize(
    ("accepted", "content", "encoding"),
    [
        ("br, gzip", b"brotli", "br"),
        ("gzip, deflate", b"gzip", "gzip"),
        ("gzip, br;q=0", b"gzip", "gzip"),
        ("identity", b"plain", None),
        ("br;q=0.0, gzip; q=0", b"plain", None),
        ("", b"plain", None),
    ],
)
async def test_an_asset_comes_in_the_best_copy_and_stays_for_ever(
    client: AsyncTestClient[Litestar], accepted: str, content: bytes, encoding: str | None
) -> None:
    request = client.build_request("GET", "/_app/immutable/start.js", headers={"Accept-Encoding": accepted})
    response = await client.send(request, stream=True)
    assert b"".join([block async for block in response.aiter_raw()]) == content
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["vary"] == "Accept-Encoding"
    headers = {"Accept-Encoding": accepted, "If-None-Match": response.headers["etag"]}
    assert (await client.get("/_app/immutable/start.js", headers=headers)).status_code == 304


async def test_copies_have_different_tags(client: AsyncTestClient[Litestar]) -> None:
    tags = set()
    for accepted in ("br", "gzip", "identity"):
        request = client.build_request("HEAD", "/_app/immutable/start.js", headers={"Accept-Encoding": accepted})
        tags.add((await client.send(request)).headers["etag"])
    assert len(tags) == 3


async def test_other_files_are_asked_for_again(client: AsyncTestClient[Litestar]) -> None:
    response = await client.get("/favicon.svg")
    assert (response.headers["cache-control"], response.headers["content-type"]) == ("no-cache", "image/svg+xml")
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    "path",
    [
        "/_app/immutable/gone.js",
        "/api/none",
        "/favicon.ico",
        "/index.html.br",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/hosts",
    ],
)
async def test_what_is_no_page_and_no_file_is_a_problem(client: AsyncTestClient[Litestar], path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_head_is_get_without_the_body(client: AsyncTestClient[Litestar]) -> None:
    response: httpx.Response = await client.head("/")
    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", str(len(INDEX)))


async def test_without_a_build_the_page_says_what_to_do(tmp_path: Path) -> None:
    async with AsyncTestClient(application(tmp_path / "none")) as client:
        response = await client.get("/jobs/1")
    assert response.status_code == 200
    assert "make setup" in response.text
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy
