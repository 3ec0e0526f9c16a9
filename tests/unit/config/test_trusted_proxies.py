"""Who a request comes from, when proxies stand between."""

from __future__ import annotations

import random

import pytest

from app.config.trusted_proxies import parse

TRUSTED = parse("10.0.0.0/8, 192.168.1.7,fd00::/8")


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),  # nobody trusted this peer
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.4"], "198.51.100.4"),
        ("10.1.2.3", ["1.1.1.1, 198.51.100.4"], "198.51.100.4"),  # the first one is the client's own word
        ("10.1.2.3", ["1.1.1.1, 198.51.100.4, 10.9.9.9"], "198.51.100.4"),
        ("10.1.2.3", ["1.1.1.1", "198.51.100.4, 10.9.9.9"], "198.51.100.4"),  # several headers are one list
        ("10.1.2.3", ["10.0.0.5, 10.0.0.6"], "10.0.0.5"),  # all of them are ours
        ("192.168.1.7", ["198.51.100.4"], "198.51.100.4"),
        ("192.168.1.8", ["198.51.100.4"], "192.168.1.8"),
        ("::ffff:10.1.2.3", ["::ffff:198.51.100.4"], "198.51.100.4"),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("10.1.2.3", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ("10.1.2.3", ["198.51.100.4:4711"], "198.51.100.4"),
        ("10.1.2.3", ['"198.51.100.4"'], "198.51.100.4"),
        ("10.1.2.3", ["fe80::1%eth0"], "fe80::1"),
        ("10.1.2.3", ["unknown"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.4, unknown, 10.9.9.9"], "10.9.9.9"),  # behind what is no address, nothing is believed
        ("10.1.2.3", ["", ",,,"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.4\r\nlevel=critical"], "10.1.2.3"),
        (None, ["198.51.100.4"], "unix"),
        ("", ["198.51.100.4"], "unix"),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_not_a_trusted_proxys(
    peer: str | None, headers: list[str], client: str
) -> None:
    assert TRUSTED.client(peer, headers) == client


def test_a_unix_socket_is_trusted_when_it_is_named() -> None:
    assert parse("unix").client(None, ["198.51.100.4"]) == "198.51.100.4"
    assert parse("unix").client("10.0.0.1", ["198.51.100.4"]) == "10.0.0.1"


def test_nobody_is_trusted_by_default() -> None:
    assert parse("").client("127.0.0.1", ["198.51.100.4"]) == "127.0.0.1"


@pytest.mark.parametrize(
    "setting",
    ["*", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8 192.168.0.1", "300.1.1.1", "Unix", "::/129"],
)
def test_what_is_no_proxy_is_refused_in_one_line(setting: str) -> None:
    with pytest.raises(ValueError, match="is no address, no network") as caught:
        parse(setting)
    assert "\n" not in str(caught.value) and repr(setting) in str(caught.value)


def test_garbage_never_raises_and_never_is_the_answer() -> None:
    """Whatever is sent, the answer is an address, or the peer's."""
    source = random.Random(7)
    alphabet = '0123456789abcdef.:[]%," \r\n\t\x00\x1b€\\{}-_' + "10.0.0.1"
    for _ in range(3000):
        headers = ["".join(source.choices(alphabet, k=source.randint(0, 60))) for _ in range(source.randint(1, 3))]
        client = TRUSTED.client("10.1.2.3", headers)
        assert set(client) <= set("0123456789abcdef.:"), headers


def test_a_long_header_is_cut_not_searched() -> None:
    assert TRUSTED.client("10.1.2.3", ["198.51.100.4," + "10.0.0.1," * 100_000 + "10.0.0.2"]) == "10.0.0.1"
