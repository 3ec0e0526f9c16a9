"""At the door: foreign web sites, hosts, headers, request ids, problems."""

from __future__ import annotations

import re

import httpx
import pytest
from litestar import Litestar, get, post
from litestar.params import FromPath, JSONBody
from litestar.testing import AsyncTestClient

from app.api import problems
from app.api.security import RequestGate, check, content_security_policy
from app.config.hosts import Hosts
from app.domain.catalogue import catalogue
from app.domain.errors import DubError
from app.domain.problems.requests import INTERNAL
from tests.unit.api.conftest import Seeded

HOST = "127.0.0.1:8000"


def scope(method: str = "POST") -> dict[str, str]:
    return {"type": "http", "method": method, "path": "/"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": f"http://{HOST}"},
        {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": "https://friend.example", "sec-fetch-site": "cross-site"},
    ],
)
def test_our_page_curl_and_named_sites_may_change_things(headers: dict[str, str]) -> None:
    check(scope(), {"host": HOST, **headers}, frozenset({"https://friend.example"}), Hosts())


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": "http://localhost:8000"},
        {"origin": f"http://{HOST}.evil.example"},
        {"origin": f"http://evil.example/{HOST}"},
        {"origin": "http://127.0.0.1:99999999"},
        {"origin": "file://127.0.0.1:8000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("kind", [scope("POST"), scope("DELETE"), scope("PATCH"), {"type": "websocket", "path": "/ws"}])
def test_another_web_site_may_change_nothing(headers: dict[str, str], kind: dict[str, str]) -> None:
    with pytest.raises(DubError) as refused:
        check(kind, {"host": HOST, **headers}, frozenset({"https://friend.example"}), Hosts())
    assert refused.value.problem.code == "forbidden_origin"


def test_a_proxy_with_tls_in_front_is_the_same_host() -> None:
    for origin, host in (
        ("https://dub.example", "dub.example"),
        ("https://dub.example:8443", "dub.example:8443"),
        ("http://[::1]:8000", "[::1]:8000"),
    ):
        check(scope(), {"host": host, "origin": origin}, frozenset(), Hosts(["dub.example"]))


BAD_HOSTS = [
    "",
    "a b",
    "evil.example/x",
    "a:b",
    "[::1",
    "x" * 300,
    "a\r\nb",
    "user@host",
    "127.0.0.1:99999",
    "[127.0.0.1]",
    "a..b",
]


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(DubError) as refused:
        check(scope("GET"), {"host": host}, frozenset(), Hosts())
    assert refused.value.problem.code == "invalid_request"


def test_two_hosts_are_refused_whichever_comes_first() -> None:
    for hosts in ((b"127.0.0.1", b"evil.example"), (b"evil.example", b"127.0.0.1"), (b"127.0.0.1", b"127.0.0.1")):
        asked = {**scope("GET"), "headers": [(b"host", host) for host in hosts]}
        with pytest.raises(DubError) as refused:
            check(asked, {"host": hosts[1].decode()}, frozenset(), Hosts())
        assert refused.value.problem.code == "invalid_request"


def test_a_name_that_was_pointed_at_the_server_is_refused_for_reading_writing_and_sockets() -> None:
    for asked in (scope("GET"), scope("OPTIONS"), scope("PUT"), {"type": "websocket", "path": "/ws"}):
        rebound = {"host": "evil.example:8000", "origin": "http://evil.example:8000", "sec-fetch-site": "same-origin"}
        with pytest.raises(DubError) as refused:
            check(asked, rebound, frozenset(), Hosts(["dub.example"], ["nas"]))
        assert refused.value.problem.code == "host_unknown"
        check(asked, {"host": "nas:8000", "origin": "http://nas:8000"}, frozenset(), Hosts(["dub.example"], ["nas"]))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/jobs"),
        ("DELETE", "/api/jobs/x"),
        ("PUT", "/api/settings/keys/elevenlabs"),
        ("POST", "/api/uploads"),
        ("PATCH", "/api/uploads/x"),
    ],
)
def test_a_cross_site_request_is_refused_before_it_does_anything(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path, headers={"Origin": "https://evil.example"}, json={"key": "sk_12345678"})
    assert (response.status_code, response.json()["code"]) == (403, "forbidden_origin")
    assert "access-control-allow-origin" not in response.headers


def test_every_answer_carries_the_headers_and_a_request_id(client: httpx.Client, seeded: Seeded) -> None:
    paths = [
        "/",
        "/api/jobs",
        "/api/none",
        "/health/live",
        "/schema",
        "/schema/openapi.json",
        f"/media/{seeded.job_id}/video",
        "/download/video/x",
    ]
    for path in paths:
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src" in headers["content-security-policy"]
        assert path.startswith("/media") or "frame-ancestors 'none'" in headers["content-security-policy"]
        assert re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])
    assert (
        client.get("/api/jobs", headers={"X-Request-Id": "trace-0123456789"}).headers["x-request-id"]
        == "trace-0123456789"
    )
    assert (
        client.get("/api/jobs", headers={"X-Request-Id": "no spaces, please"}).headers["x-request-id"]
        != "no spaces, please"
    )


def test_the_policy_of_the_page_allows_no_other_server() -> None:
    policy = dict(part.strip().split(" ", 1) for part in content_security_policy(["abc="]).split(";"))
    assert policy["script-src"] == "'self' 'sha256-abc='"
    sources = {source for listed in policy.values() for source in listed.split()}
    assert sources == {"'none'", "'self'", "'sha256-abc='", "data:", "blob:"}, (
        "no other server, nothing inline, no eval"
    )
    assert policy["default-src"] == "'none'" and policy["connect-src"] == policy["style-src"] == "'self'"


# ---------------------------------------------------------------- problems


@get("/broken", sync_to_thread=False)
def broken() -> None:
    raise RuntimeError("sk_live_0123456789 at /home/someone")


@get("/known/{number:int}", sync_to_thread=False)
def known(number: FromPath[int]) -> None:
    raise DubError(list(catalogue().values())[number], "A fact.", headers={"X-Fact": "1"})


@post("/typed", sync_to_thread=False)
def typed(data: JSONBody[dict[str, int]]) -> None: ...


def application() -> Litestar:
    app = Litestar(
        [broken, known, typed],
        exception_handlers={Exception: problems.answer},
        logging_config=None,
        openapi_config=None,
    )
    app.asgi_handler = RequestGate(app.asgi_handler, frozenset(), Hosts(["testserver.local"]))  # type: ignore[assignment]
    return app


async def test_a_fault_of_ours_tells_nothing_but_its_request_id() -> None:
    async with AsyncTestClient(application()) as client:
        response = await client.get("/broken")
    body = response.json()
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert body["code"] == INTERNAL.code
    assert body["request_id"] == response.headers["x-request-id"]
    assert "sk_live" not in response.text and "Traceback" not in response.text


async def test_every_catalogue_error_becomes_its_problem() -> None:
    async with AsyncTestClient(application()) as client:
        for number, problem in enumerate(catalogue().values()):
            response = await client.get(f"/known/{number}")
            body = response.json()
            assert response.status_code == body["status"] == problem.status
            assert (body["code"], body["title"], body["hint"], body["detail"]) == (
                problem.code,
                problem.message,
                problem.hint,
                "A fact.",
            )
            assert body["type"] == f"/schema#{problem.code}"
            assert body["instance"] == f"/known/{number}"
            assert response.headers["x-fact"] == "1"


async def test_what_is_wrong_with_a_body_is_named() -> None:
    async with AsyncTestClient(application()) as client:
        for content, fact in ((b'{"a": "x"}', "int"), (b"{", "")):
            response = await client.post("/typed", content=content, headers={"Content-Type": "application/json"})
            assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
            assert fact in response.json()["detail"]


def test_litestars_own_refusals_are_problems_too(client: httpx.Client) -> None:
    cases = [
        ("GET", "/api/none", {}, 404, "not_found"),
        ("GET", "/api/jobs?limit=0", {}, 400, "invalid_request"),
        ("GET", "/api/jobs?state=sleeping", {}, 400, "invalid_request"),
        ("POST", "/api/jobs", {"json": {"upload_id": "x", "colour": 1}}, 400, "invalid_request"),
        ("POST", "/api/jobs", {"json": {}}, 400, "invalid_request"),
        ("POST", "/api/jobs", {"json": {"upload_id": "none"}}, 404, "upload_not_found"),
        (
            "POST",
            "/api/jobs",
            {"content": b"x" * (9 << 20), "headers": {"Content-Type": "application/json"}},
            413,
            "body_too_large",
        ),
        ("DELETE", "/api/jobs", {}, 405, "method_not_allowed"),
        ("GET", "/ws", {}, 426, "upgrade_required"),
        ("GET", "/schema/none", {}, 404, "not_found"),
    ]
    for method, path, extra, status, code in cases:
        response = client.request(method, path, **extra)  # type: ignore[arg-type]
        assert (response.status_code, response.json()["code"]) == (status, code), (path, response.text)
        assert response.headers["content-type"] == "application/problem+json"
    assert set(client.delete("/api/jobs").headers["allow"].split(", ")) >= {"GET", "POST"}
