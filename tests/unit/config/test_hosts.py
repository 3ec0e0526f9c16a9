"""Which names a server answers under."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app.config import hosts
from app.config.environment import SettingsError, load
from app.config.hosts import Hosts, known, own_names, parse


@pytest.mark.parametrize(
    "header",
    [
        "127.0.0.1",
        "192.168.1.2:8000",
        "10.0.0.1:80",
        "[::1]:8000",
        "[fe80::1]",
        "localhost:8000",
        "LOCALHOST",
        "dub.localhost.",
    ],
)
def test_an_address_and_localhost_are_nobody_elses(header: str) -> None:
    assert Hosts().knows(header)


@pytest.mark.parametrize(
    "header",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "0x7f000001",
        "127.0.0.1.nip.io",
        "nas",
        "",
        "a b",
    ],
)
def test_any_other_name_is_unknown(header: str) -> None:
    assert not Hosts().knows(header)


def test_a_listed_name_is_known_in_any_case_with_any_port_unless_it_says_one() -> None:
    found = Hosts(parse("Dub.Example.org, nas.local:8443 ,, tls.example:443,bücher.example, [::1]:8000, 10.1.2.3"))
    assert found.listed == ("dub.example.org", "nas.local:8443", "tls.example:443", "xn--bcher-kva.example")
    for header in (
        "dub.example.org",
        "DUB.example.ORG:8000",
        "dub.example.org.",
        "nas.local:8443",
        "tls.example",
        "xn--bcher-kva.example",
    ):
        assert found.knows(header), header
    for header in ("x.dub.example.org", "example.org", "nas.local", "nas.local:8000", "tls.example:8443"):
        assert not found.knows(header), header


def test_a_star_stands_for_every_name_below_and_not_for_the_name_itself() -> None:
    found = Hosts(parse("*.lan,*.Example.org:8000"))
    for header in ("nas.lan", "a.b.lan:1", "dub.example.org:8000"):
        assert found.knows(header), header
    for header in ("lan", "evillan", "dub.example.org", "example.org:8000", "dub.example.org.evil.test:8000"):
        assert not found.knows(header), header


@pytest.mark.parametrize(
    "entry",
    [
        "https://dub.example.org",
        "dub.example.org/path",
        "*",
        "*.*.org",
        "a*.org",
        "nas:0",
        "nas:99999",
        "nas:x",
        "a b",
        "-nas",
        "a..b",
    ],
)
def test_what_is_no_name_stops_the_start_with_one_line(entry: str) -> None:
    with pytest.raises(SettingsError, match=r"AUTODUBBER_ALLOWED_HOSTS: .* is no host name") as refused:
        load({"AUTODUBBER_ALLOWED_HOSTS": f"nas.local,{entry}"})
    assert "\n" not in str(refused.value)


def test_the_machines_own_names_are_known_where_others_can_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "own_names", lambda: ("nas", "nas.local"))
    for listens_on in ("0.0.0.0", "::", "192.168.1.2"):
        assert known("", (), listens_on).knows("nas.local:8000"), listens_on
    for listens_on in ("127.0.0.1", "::1", "localhost", "127.0.0.2"):
        assert not known("", (), listens_on).knows("nas.local:8000"), listens_on
        assert known("nas.local", (), listens_on).knows("nas.local:8000")
    assert known("", (), "dub.lan").knows("dub.lan:8000"), "the health check asks under this name"


def test_the_own_names_are_those_of_the_system_and_of_etc_hosts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a name server, which takes long or lies."""
    monkeypatch.setattr(socket, "gethostname", lambda: "NAS")
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 localhost\n127.0.1.1\tnas.home.example nas # us\n10.0.0.7 other.example other\n")
    assert set(own_names(file)) == {"nas", "nas.local", "nas.home.example"}
    assert set(own_names(tmp_path / "none")) == {"nas", "nas.local"}
    monkeypatch.setattr(socket, "gethostname", lambda: "0f3e5a1b2c4d")
    assert set(own_names(file)) == {"0f3e5a1b2c4d", "0f3e5a1b2c4d.local"}


def test_a_site_that_may_call_the_api_is_a_name_of_ours_too() -> None:
    found = known("", ("https://friend.example", "http://[::1", "null", "http://127.0.0.1:5173"), "0.0.0.0")
    assert found.listed == ("friend.example",) and found.knows("friend.example:8443")
