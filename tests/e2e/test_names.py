"""The name in the address bar: a web site's own name that was pointed at the server, and a person's whose name it does
not know yet."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import PATIENCE_MS, QUIET
from tests.e2e.studio import is_accessible_and_fits
from tests.integration.running import Running
from tests.unit.api.serving import Server

EVIL = b"<title>evil</title>"
ATTACK = """async () => {
    const told = {};
    const put = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"key":"sk_of_the_attacker"}'
    };
    for (const [what, path, options] of [['read', '/api/settings', {}], ['write', '/api/settings/keys/elevenlabs',
    put]]) {
        const answer = await fetch(path, options);
        told[what] = [answer.status, (await answer.json()).code];
    }
    told.socket = await new Promise((done) => {
        const socket = new WebSocket(`ws://${location.host}/ws`);
        socket.onopen = () => done('open');
        socket.onerror = () => done('refused');
    });
    return told;
}"""


class Repointed:
    """A port of an attacker's: the first connection gets a page, every later one is the server's, as after a change of
    the name's address."""

    def __init__(self, server_port: int) -> None:
        self._target, self._first = server_port, True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, self._first), daemon=True).start()
            self._first = False

    def _serve(self, client: socket.socket, first: bool) -> None:
        with client:
            if first:
                client.recv(65536)
                client.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(EVIL), EVIL)
                )
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                threading.Thread(target=_pump, args=(client, server), daemon=True).start()
                _pump(server, client)

    def close(self) -> None:
        self._listener.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while block := source.recv(65536):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As in the image: it listens on every address."""
    with Server(
        tmp_path_factory.mktemp("names") / "data", AUTODUBBER_HOST="0.0.0.0", AUTODUBBER_ALLOWED_HOSTS="dub.test"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def resolving(chromium: Browser) -> Iterator[Browser]:
    """A browser in which every name under .test leads to this machine."""
    browser = chromium.browser_type.launch(
        executable_path=_program(chromium), args=[*QUIET, "--host-resolver-rules=MAP *.test 127.0.0.1"]
    )
    yield browser
    browser.close()


def _program(chromium: Browser) -> str:
    return os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )


def test_a_page_whose_name_was_pointed_at_the_server_reads_and_changes_nothing(
    resolving: Browser, everywhere: Server
) -> None:
    attacker = Repointed(everywhere.port)
    page = resolving.new_page()
    try:
        page.goto(f"http://evil.test:{attacker.port}/")
        assert page.title() == "evil"
        refused = [421, "host_unknown"]
        assert page.evaluate(ATTACK) == {"read": refused, "write": refused, "socket": "refused"}
    finally:
        page.close()
        attacker.close()


def test_under_a_name_that_it_was_told_the_page_works(resolving: Browser, everywhere: Server) -> None:
    page = resolving.new_page()
    page.goto(f"http://dub.test:{everywhere.port}/")
    expect(page.get_by_role("banner")).to_be_visible(timeout=PATIENCE_MS)
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_a_person_is_told_what_to_write(width: int, scheme: str, resolving: Browser, everywhere: Server) -> None:
    page = resolving.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    answer = page.goto(f"http://nas.test:{everywhere.port}/jobs/1")
    assert answer is not None and answer.status == 421
    expect(page.get_by_role("heading", name="AutoDubber does not know the name nas.test")).to_be_visible()
    expect(page.locator("pre")).to_have_text("AUTODUBBER_ALLOWED_HOSTS=nas.test")
    is_accessible_and_fits(page)
    page.close()


def test_a_checkpoint_of_the_models_folder_is_offered(page: Page, server: Running) -> None:
    own = Path(server.data) / "models" / "our voices.pt"
    own.parent.mkdir(exist_ok=True)
    own.write_bytes(b"x")
    try:
        page.goto("/")
        choice = page.get_by_role("region", name="Options for new videos").get_by_label("Recognition model")
        choice.select_option("our voices.pt")
        expect(choice.locator("option:checked")).to_have_text("our voices.pt (models folder)")
    finally:
        own.unlink()
