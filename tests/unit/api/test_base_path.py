"""AutoDubber below a path: AUTODUBBER_BASE_PATH, with a proxy that takes the prefix off and with one that does not."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from websockets.sync.client import connect

from app.api import routes
from app.api.depends import OperatorLimits
from app.api.pages import Pages, script_hashes, under
from app.api.prefix import Prefix
from app.config.environment import RESERVED, SettingsError, load
from app.config.hosts import Hosts
from app.server.app import create_app, page_folder
from tests.unit.api.serving import Server

BASE = "/dub"
TUS = {"Tus-Resumable": "1.0.0"}
ADDRESS = re.compile(r'(?:(?:href|src)=|\bimport\()"([^"]*)"')
INDEX = (
    b'<!doctype html><link href="/_app/a.css"><script src="/theme.js"></script><script>{ x = { base: "" }; '
    b'import("/_app/start.js") }</script>'
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("base") / "data", AUTODUBBER_BASE_PATH=BASE + "/") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[AsyncTestClient[Litestar]]:
    (tmp_path / "_app").mkdir()
    (tmp_path / "index.html").write_bytes(INDEX)
    (tmp_path / "_app" / "start.js").write_bytes(b"start")
    app = routes.build(
        OperatorLimits("0", 1, 1.0, 1.0, 0, frozenset(), False, "", BASE, "", False), [], Hosts(["testserver.local"])
    )
    app.state.update(pages=Pages(tmp_path, BASE))
    async with AsyncTestClient(app) as client:
        yield client


@pytest.mark.parametrize("prefix", [BASE, ""])
async def test_every_page_tells_its_addresses_below_the_base_and_allows_the_scripts_that_it_sends(
    pages: AsyncTestClient[Litestar], prefix: str
) -> None:
    for path in ("/", "/jobs/0123", "/settings"):
        response = await pages.get(prefix + path)
        assert response.status_code == 200
        assert ADDRESS.findall(response.text) == ["/dub/_app/a.css", "/dub/theme.js", "/dub/_app/start.js"]
        script = b'{ x = { base: "/dub" }; import("/dub/_app/start.js") }'
        assert script in response.content
        assert base64.b64encode(hashlib.sha256(script).digest()).decode() in response.headers["content-security-policy"]
    assert (await pages.get(f"{prefix}/_app/start.js")).content == b"start"


async def test_the_base_without_a_slash_is_the_first_page(pages: AsyncTestClient[Litestar]) -> None:
    response = await pages.get(BASE)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_a_page_that_is_not_built_tells_its_address_below_the_base(tmp_path: Path) -> None:
    assert b'href="/dub/schema"' in Pages(tmp_path / "none", BASE).page.body


def test_at_the_root_the_page_is_sent_as_it_was_built() -> None:
    assert under("", INDEX) == INDEX


def test_the_page_as_it_is_built_moves_below_a_base_whole() -> None:
    """The real build: every address in index.html is moved, the router is told, and no other file names the root."""
    folder = page_folder()
    if not (folder / "index.html").is_file():
        pytest.fail("the page is not built: make web")
    built, moved = (folder / "index.html").read_bytes(), under(BASE, (folder / "index.html").read_bytes())
    found = ADDRESS.findall(moved.decode())
    assert len(found) == len(ADDRESS.findall(built.decode())) > 5
    assert all(address.startswith("/dub/") for address in found)
    assert re.findall(rb'\bbase: "([^"]*)"', moved) == [b"/dub"]
    assert script_hashes(moved) != script_hashes(built)
    assert b'"/' not in moved.replace(b'"/dub', b"").replace(b"'/dub", b"")
    for script in folder.rglob("*.js"):
        text = script.read_text()
        assert not re.search(r"""["'`(]/(?:_app|theme\.js|favicon)""", text), script
        assert not re.search(r"""(?:\bimport\(|\bfrom|\bimport)["'`]/""", text), script
    for style in folder.rglob("*.css"):
        assert not re.search(r"url\([\"']?/", style.read_text()), style


def test_what_is_in_front_is_taken_off_only_at_a_whole_segment() -> None:
    async def nothing(*_: object) -> None:
        pass

    inner = Prefix(nothing, BASE).inner
    assert [inner(path) for path in ("/dub", "/dub/", "/dub/api/jobs", "/dub/dub/x")] == [
        "/",
        "/",
        "/api/jobs",
        "/dub/x",
    ]
    assert [inner(path) for path in ("/", "/api/jobs", "/dubious", "/x/dub/api")] == [
        "/",
        "/api/jobs",
        "/dubious",
        "/x/dub/api",
    ]


@pytest.mark.parametrize("prefix", [BASE, ""])
def test_an_upload_is_addressed_below_the_base(client: httpx.Client, prefix: str) -> None:
    created = client.post(f"{prefix}/api/uploads", headers={**TUS, "Upload-Length": "3"})
    location = created.headers["location"]
    assert location.startswith("/dub/api/uploads/")
    sent = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert client.patch(location, headers=sent, content=b"abc").status_code == 204
    assert client.head(location.removeprefix(BASE), headers=TUS).headers["upload-offset"] == "3"


@pytest.mark.parametrize("prefix", [BASE, ""])
def test_a_problem_names_the_address_as_the_client_knows_it(client: httpx.Client, prefix: str) -> None:
    problem = client.get(f"{prefix}/api/jobs/{'0' * 32}").json()
    assert (problem["instance"], problem["type"]) == (f"/dub/api/jobs/{'0' * 32}", "/dub/schema#job_not_found")
    refused = client.post(f"{prefix}/api/jobs", headers={"Origin": "https://elsewhere.test"}, json={}).json()
    assert (refused["instance"], refused["code"]) == ("/dub/api/jobs", "forbidden_origin")


@pytest.mark.parametrize("prefix", [BASE, ""])
def test_the_description_of_the_interface_names_the_base(client: httpx.Client, prefix: str) -> None:
    described = client.get(f"{prefix}/schema/openapi.json").json()
    assert described["servers"] == [{"url": "/dub"}]
    assert "/api/jobs" in described["paths"]
    assert 'href="/dub/schema/openapi.json"' in client.get(f"{prefix}/schema").text


@pytest.mark.parametrize("prefix", [BASE, ""])
def test_a_socket_opens_with_and_without_the_prefix(server: Server, prefix: str) -> None:
    with connect(f"ws://127.0.0.1:{server.port}{prefix}/ws") as socket:
        assert json.loads(socket.recv(timeout=10))["type"] == "library"


def test_health_is_answered_below_the_base_and_at_the_root(client: httpx.Client) -> None:
    assert client.get("/health/live").status_code == client.get("/dub/health/live").status_code == 200


def test_what_a_client_says_of_a_prefix_is_not_believed(client: httpx.Client) -> None:
    told = {"X-Forwarded-Prefix": "/evil", "X-Script-Name": "/evil", "Forwarded": "host=evil.test;path=/evil"}
    created = client.post("/api/uploads", headers={**TUS, **told, "Upload-Length": "3"})
    assert created.headers["location"].startswith("/dub/api/uploads/")
    assert b"evil" not in client.get("/", headers=told).content


def test_no_cookie_is_set(client: httpx.Client) -> None:
    for path in ("/dub/", "/dub/api/jobs", "/dub/schema"):
        assert "set-cookie" not in client.get(path).headers


def test_no_address_of_ours_can_be_taken_for_a_prefix() -> None:
    routes_of_the_page = Path(__file__).parents[3] / "web/src/routes"
    ours = {
        first
        for route in create_app(load({})).routes
        if (first := route.path.split("/")[1]) and not first.startswith("{")
    }
    ours |= {path.name for path in (*page_folder().iterdir(), *routes_of_the_page.iterdir()) if path.is_dir()}
    assert {"api", "jobs", "_app"} <= ours <= RESERVED, ours - RESERVED


@pytest.mark.parametrize(
    ("raw", "base"),
    [("", ""), ("/", ""), ("/dub", "/dub"), ("/dub/", "/dub"), ("/tools/auto-dubber_2", "/tools/auto-dubber_2")],
)
def test_a_base_path_is_read(raw: str, base: str) -> None:
    assert load({"AUTODUBBER_BASE_PATH": raw}).base_path == base


@pytest.mark.parametrize(
    "raw",
    [
        "dub",
        "/a b",
        "//dub",
        "/dub//x",
        "/../x",
        '/"x',
        "/dub?x",
        "/d\N{LATIN SMALL LETTER U WITH DIAERESIS}b",
        "/dub\n",
        "/api",
        "/jobs/x",
    ],
)
def test_a_base_path_that_cannot_be_is_refused_in_one_line(raw: str) -> None:
    with pytest.raises(SettingsError, match=r"^AUTODUBBER_BASE_PATH: ") as caught:
        load({"AUTODUBBER_BASE_PATH": raw})
    assert "\n" not in str(caught.value)
