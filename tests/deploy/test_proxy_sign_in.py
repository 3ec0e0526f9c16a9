"""The sign-in that the shipped files have ready: nobody in without it, everything in with it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.deploy.authority import Authority
from tests.deploy.conftest import Behind
from tests.deploy.proxies import NAMES, PASSWORD, USER, Proxy, proxy


@pytest.fixture(scope="module", params=NAMES)
def guarded(
    request: pytest.FixtureRequest, behind: Behind, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    with proxy(
        request.param, behind.server.port, tmp_path_factory.mktemp(request.param), authority, users=True
    ) as running:
        yield running


async def test_nothing_is_to_be_had_without_the_password(guarded: Proxy, behind: Behind) -> None:
    with guarded.client() as client:
        for path in ("/", "/api/jobs", f"/download/video/{behind.job_id}", "/schema", "/metrics", "/health"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"].split()[0]) == (401, "Basic")
        assert client.get("/", auth=(USER, "guess")).status_code == 401
    with pytest.raises(InvalidStatus) as refused:
        await connect(guarded.url.replace("https", "wss") + "/ws", ssl=guarded.authority.context())
    assert refused.value.response.status_code == 401


async def test_with_the_password_all_of_it_passes(guarded: Proxy, behind: Behind) -> None:
    auth = httpx.BasicAuth(USER, PASSWORD)
    with guarded.client(auth=auth) as client:
        assert client.get("/").status_code == 200
        assert client.get(f"/download/video/{behind.job_id}", headers={"Range": "bytes=0-9"}).status_code == 206
        created = client.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "3"})
        assert client.delete(created.headers["location"], headers={"Tus-Resumable": "1.0.0"}).status_code == 204
    told = {"Authorization": f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
    address = guarded.url.replace("https", "wss") + "/ws"
    async with asyncio.timeout(20), connect(address, ssl=guarded.authority.context(), additional_headers=told) as line:
        assert json.loads(await line.recv())["type"] == "library"
