"""A server on every address, opened under a name that nobody told it: as a page of another site whose name was pointed
at it would."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from app.api.unknown_host import page
from app.config.hosts import own_names
from tests.unit.api.serving import Server

REBOUND = {"Origin": "http://evil.test", "Sec-Fetch-Site": "same-origin"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("open") / "data"
    with Server(
        data, AUTODUBBER_HOST="0.0.0.0", AUTODUBBER_ALLOWED_HOSTS="dub.example.org", AUTODUBBER_BASE_PATH="/dub"
    ) as server:
        yield server


def test_a_rebound_page_reads_and_changes_nothing(open_server: Server) -> None:
    key = {"key": "sk_attackers_own_key"}
    for method, path in (
        ("GET", "/api/settings"),
        ("GET", "/api/jobs"),
        ("PUT", "/api/settings/keys/elevenlabs"),
        ("GET", "/health"),
        ("HEAD", "/"),
    ):
        refused = httpx.request(
            method, open_server.url + path, headers={"Host": f"evil.test:{open_server.port}", **REBOUND}, json=key
        )
        assert refused.status_code == 421, (method, path)
        assert method == "HEAD" or refused.json()["code"] == "host_unknown"
        assert refused.headers["cache-control"] == "no-store"
    assert httpx.get(open_server.url + "/api/settings/keys/elevenlabs").json()["stored"] is False


def test_addresses_its_own_names_and_the_listed_ones_are_answered(open_server: Server) -> None:
    for host in (
        "127.0.0.1",
        "10.9.8.7:8000",
        "localhost:1",
        "[::1]",
        *own_names(),
        f"{own_names()[0]}:8000",
        "dub.example.org",
    ):
        assert httpx.get(open_server.url + "/api/jobs", headers={"Host": host}).status_code == 200, host


def test_a_socket_under_an_unknown_name_is_refused(open_server: Server) -> None:
    def status(host: str) -> str:
        with socket.create_connection(("127.0.0.1", open_server.port)) as connection:
            upgrade = (
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                "dGhlIHNhbXBsZSBub25jZQ==\r\n"
            )
            connection.sendall(f"GET /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n{upgrade}\r\n".encode())
            return connection.recv(4096).split(b"\r\n")[0].decode().split()[1]

    assert (status("evil.test"), status("dub.example.org")) == ("403", "101")


def test_a_person_gets_a_page_that_says_what_to_write_for_this_name(open_server: Server) -> None:
    answer = httpx.get(open_server.url + "/dub/", headers={"Host": "nas.home:8000", **BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (421, "text/html; charset=utf-8")
    assert "AUTODUBBER_ALLOWED_HOSTS=nas.home</code>" in answer.text
    for word in ("Compose", "docker run", "systemd", "Kubernetes", "close this page", "after a comma"):
        assert word in answer.text, word
    assert "dub.example.org" not in answer.text, "what else it is called is nobody's business"
    assert (
        "script-src" not in answer.headers["content-security-policy"]
        and "default-src 'none'" in answer.headers["content-security-policy"]
    )


def test_the_log_tells_a_name_once_and_a_flood_of_them_not_at_all(open_server: Server) -> None:
    with httpx.Client(base_url=open_server.url) as client:
        for _ in range(3):
            client.get("/", headers={"Host": "once.test"})
        for number in range(150):
            client.get("/", headers={"Host": f"n{number}.flood.test"})
    lines = [line for line in open_server.log.read_text().splitlines() if '"warning"' in line]
    assert len([line for line in lines if "once.test" in line]) == 1
    assert 50 < len(lines) <= 102 and "not told one by one" in lines[-1]


def test_no_name_gets_mark_up_into_the_page() -> None:
    assert b"<img" not in page('"><img src=x>') and b"evil.test" in page("evil.test:1")
