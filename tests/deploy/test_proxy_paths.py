"""AutoDubber below /dub of another site, behind every proxy, which passes the path on as it came or takes /dub off."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.deploy.authority import Authority
from tests.deploy.proxies import NAMES, Proxy, proxy
from tests.unit.api.serving import Server

TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("below") / "data", AUTODUBBER_BASE_PATH="/dub") as server:
        yield server


@pytest.fixture(
    scope="module",
    params=[(name, stripped) for name in NAMES for stripped in (False, True)],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def below(
    request: pytest.FixtureRequest, server: Server, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    name, stripped = request.param
    with proxy(name, server.port, tmp_path_factory.mktemp(name), authority, subpath=True, stripped=stripped) as running:
        yield running


@pytest.fixture
def client(below: Proxy) -> Iterator[httpx.Client]:
    with below.client() as client:
        yield client


def test_the_page_and_all_that_it_names_is_below_the_path(client: httpx.Client) -> None:
    for path in ("/dub/", f"/dub/jobs/{'0' * 32}", "/dub/settings"):
        page = client.get(path)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    addresses = re.findall(r'(?:(?:href|src)=|\bimport\()"([^"]*)"', page.text)
    assert len(addresses) > 5
    for address in addresses:
        assert address.startswith("/dub/")
        assert client.get(address).status_code == 200


def test_the_path_without_its_slash_leads_to_the_page(client: httpx.Client) -> None:
    answer = client.get("/dub", follow_redirects=True)
    assert (answer.status_code, answer.url.path in ("/dub", "/dub/")) == (200, True)
    assert "AutoDubber" in answer.text


def test_what_is_not_below_the_path_is_the_other_sites(client: httpx.Client) -> None:
    for path in ("/api/jobs", "/dubious", "/"):
        assert "json" not in client.get(path).headers.get("content-type", "")
        assert client.get(path).status_code in (403, 404)


def test_an_upload_goes_to_the_address_that_it_was_given(client: httpx.Client) -> None:
    created = client.post("/dub/api/uploads", headers={**TUS, "Upload-Length": "2000000"})
    location = created.headers["location"]
    assert location.startswith("/dub/api/uploads/")
    sent = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert client.patch(location, headers=sent, content=bytes(2_000_000)).status_code == 204
    assert client.delete(location, headers=TUS).status_code == 204


async def test_a_socket_is_below_the_path(below: Proxy) -> None:
    address = below.url.replace("https", "wss") + "/dub/ws"
    async with asyncio.timeout(20), connect(address, ssl=below.authority.context(), origin=below.url) as line:
        assert json.loads(await line.recv())["type"] == "library"


def test_a_problem_and_the_description_name_the_path(client: httpx.Client) -> None:
    assert client.get("/dub/api/jobs/none").json()["instance"] == "/dub/api/jobs/none"
    assert client.get("/dub/schema/openapi.json").json()["servers"] == [{"url": "/dub"}]
