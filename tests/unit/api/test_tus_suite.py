"""The public conformance suite of tus, run as it is written: all cases of the core and of every extension that is
announced.

Two extensions are not announced, because their cases cannot hold here. Tests below show why, and fail when that
changes:
- `concatenation-unfinished` contradicts `concatenation`. EXT-CONCAT-007 and EXT-CONCAT-UF-001 send the same three
  requests: a partial upload of 100 bytes, a few of its bytes, and a final upload that is made from it. 007 wants 400
  for the last one, UF-001 wants 201. UF-002 wants the offset of a final upload that is not whole yet; the sentence of
  the protocol that EXT-CONCAT-010 quotes says that such an offset should not be told.
- `checksum-trailer` needs the trailer of a request. The server that this program runs in gives none to its application.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest

from app.api.upload_headers import EXTENSIONS
from tests.unit.api.serving import free_port

CASES_FILE: Final = Path(__file__).parents[2] / "fixtures" / "tus-conformance" / "cases.hurl"
UNANNOUNCED: Final = ("checksum-trailer", "concatenation-unfinished")
_VERBS: Final = ("POST", "PATCH", "HEAD", "OPTIONS", "DELETE")


class Exchange(msgspec.Struct):
    """One request of a case, the status that it wants ("*": none in particular), what it keeps of the answer, and what
    it checks."""

    method: str
    address: str
    headers: dict[str, str]
    body: str | None
    status: str
    captures: dict[str, str]
    checks: list[str]


def _read_exchange(lines: list[str]) -> Exchange:
    method, _, address = lines[0].partition(" ")
    read = Exchange(method, address, {}, None, "*", {}, [])
    section, rest = "", iter(lines[1:])
    for line in rest:
        if line == "```":
            read.body = "".join(f"{each}\n" for each in iter(lambda: next(rest), "```"))
        elif line.startswith("HTTP "):
            read.status = line.removeprefix("HTTP ")
        elif line in ("[Captures]", "[Asserts]"):
            section = line
        elif section == "[Asserts]":
            read.checks.append(line)
        else:
            name, _, value = line.partition(":")
            (read.captures if section else read.headers)[name] = value.strip()
    return read


def _read_cases() -> dict[str, list[Exchange]]:
    """The exchanges of every case, by the case's path in the suite."""
    found: dict[str, list[list[str]]] = {}
    fenced = False
    for line in CASES_FILE.read_text().splitlines():
        if line == "```":
            fenced = not fenced
        if line.startswith("#### "):
            exchanges = found[line.removeprefix("#### ")] = []
        elif not fenced and line.split(" ")[0] in _VERBS:
            exchanges.append([line])
        elif line and (fenced or not line.startswith("#")):
            exchanges[-1].append(line)
    return {path: [_read_exchange(lines) for lines in exchanges] for path, exchanges in found.items()}


CASES: Final = _read_cases()


def extension_of(path: str) -> str:
    """The extension that a case belongs to; "" for the core."""
    kind, name, *_ = path.split("/")
    return name if kind == "extensions" else ""


def _filled(text: str, known: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: known[match[1]], text)


def _holds(check: str, response: httpx.Response, known: dict[str, str]) -> bool:
    """Whether a line of [Asserts] is true of the answer."""
    if match := re.fullmatch(r"status toString matches /(.+)/", check):
        return re.search(match[1], str(response.status_code)) is not None
    if match := re.fullmatch(r"status (<|<=|>=) (\d+)", check):
        status, bound = response.status_code, int(match[2])
        return {"<": status < bound, "<=": status <= bound, ">=": status >= bound}[match[1]]
    match = re.fullmatch(r'header "([\w-]+)" (not exists|exists|==|contains|startsWith|matches)(?: (".*"))?', check)
    assert match, f"a check that this test cannot read: {check}"
    value, kind, wanted = response.headers.get(match[1]), match[2], _filled(json.loads(match[3] or '""'), known)
    if kind == "not exists" or value is None:
        return kind == "not exists" and value is None
    fits = {"==": value == wanted, "contains": wanted in value, "startsWith": value.startswith(wanted), "exists": True}
    return re.search(wanted, value) is not None if kind == "matches" else fits[kind]


@pytest.mark.parametrize("path", [path for path in CASES if extension_of(path) not in UNANNOUNCED])
def test_the_suites_case(client: httpx.Client, path: str) -> None:
    known = {"base_url": f"{client.base_url}/api/uploads".replace("//api", "/api"), "tus_version": "1.0.0"}
    assert CASES[path]
    for exchange in CASES[path]:
        headers = {name: _filled(value, known) for name, value in exchange.headers.items()}
        response = client.request(
            exchange.method, _filled(exchange.address, known), headers=headers, content=exchange.body
        )
        said = (
            f"{exchange.method} {headers} answered {response.status_code} {dict(response.headers)} "
            f"{response.text[:300]}"
        )
        assert exchange.status in ("*", str(response.status_code)) and response.status_code < 500, (
            f"{exchange.status} was wanted: {said}"
        )
        for check in exchange.checks:
            assert _holds(check, response, known), f"{check}: {said}"
        for name, source in exchange.captures.items():
            known[name] = response.headers[source.removeprefix('header "').removesuffix('"')]


def test_every_announced_extension_is_run_in_every_case_and_no_other_is_left_out() -> None:
    extensions = {extension_of(path) for path in CASES} - {""}
    assert extensions == set(EXTENSIONS.split(",")) | set(UNANNOUNCED)
    assert not set(EXTENSIONS.split(",")) & set(UNANNOUNCED)
    left_out = [path.rsplit("/", 1)[-1] for path in CASES if extension_of(path) in UNANNOUNCED]
    assert left_out == [
        "ext-csum-tr-001-checksum-trailer",
        "ext-csum-tr-002-chunked-encoding",
        "ext-concat-uf-001-incomplete-partials",
        "ext-concat-uf-002-offset-updates",
    ]
    assert len(CASES) == 123


def test_the_cases_of_unfinished_parts_contradict_those_of_finished_ones() -> None:
    """The same requests but for the letters of the body, and two statuses: no server can answer both."""

    def asked(path: str) -> list[tuple[str, dict[str, str], bool]]:
        renamed = [
            {name: value.replace("incomplete_", "") for name, value in each.headers.items()} for each in CASES[path]
        ]
        return [(each.method, headers, each.body is None) for each, headers in zip(CASES[path], renamed, strict=True)]

    finished = "extensions/concatenation/ext-concat-007-partials-complete"
    unfinished = "extensions/concatenation-unfinished/ext-concat-uf-001-incomplete-partials"
    assert asked(finished) == asked(unfinished)
    assert [each.status for each in CASES[finished]] == ["201", "204", "400"]
    assert [each.status for each in CASES[unfinished]] == ["201", "204", "201"]


_APPLICATIONS: Final = """
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return
    events = []
    while not events or events[-1].get("more_body"):
        events.append(await receive())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": repr((events, scope)).encode()})


async def rsgi(scope, protocol):
    body = [block async for block in protocol]
    names = [(each, name) for each in (scope, protocol) for name in dir(each)]
    said = {name: getattr(each, name) for each, name in names if name.islower() and not name.startswith("_")}
    protocol.response_str(200, [], repr((body, said, list(scope.headers.items()))))
"""


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline


@pytest.mark.parametrize("interface", ["asgi", "rsgi"])
def test_a_requests_trailer_does_not_reach_an_application(tmp_path: Path, interface: str) -> None:
    """When this fails, the server has learned trailers, and checksum-trailer can be done and announced."""
    (tmp_path / "bare.py").write_text(_APPLICATIONS)
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        interface,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        f"bare:{interface}",
    ]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) as server,
    ):
        try:
            head = (
                b"PATCH / HTTP/1.1\r\nHost: a\r\nTrailer: Upload-Checksum\r\nTransfer-Encoding: "
                b"chunked\r\nConnection: close\r\n\r\n"
            )
            with _connected(port) as connection:
                connection.sendall(head + b"3\r\nabc\r\n0\r\nUpload-Checksum: sha1 brought-too-late\r\n\r\n")
                answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        finally:
            server.terminate()
    # what the head announces arrives
    assert answer.startswith(b"HTTP/1.1 200") and b"abc" in answer and b"Upload-Checksum" in answer
    assert b"brought-too-late" not in answer
