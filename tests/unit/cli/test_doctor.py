"""`autodubber doctor` on the names under which browsers may open the server."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.cli.server_checks import check_names
from app.config.environment import load
from tests.unit.api.serving import Server, free_port

NOBODY = {"AUTODUBBER_PORT": str(free_port())}


def test_doctor_tells_the_names_and_asks_whether_there_are_others_where_others_can_come() -> None:
    (check,) = check_names(load({**NOBODY, "AUTODUBBER_HOST": "0.0.0.0"}))
    assert check.ok and "localhost" in check.found and "AUTODUBBER_ALLOWED_HOSTS" in check.fix
    (check,) = check_names(
        load({**NOBODY, "AUTODUBBER_HOST": "0.0.0.0", "AUTODUBBER_ALLOWED_HOSTS": "dub.example.org"})
    )
    assert check.ok and "dub.example.org" in check.found and not check.fix
    (check,) = check_names(load(NOBODY))
    assert check.ok and not check.fix


def test_doctor_finds_a_proxy_without_a_name() -> None:
    (check,) = check_names(load({**NOBODY, "AUTODUBBER_TRUSTED_PROXIES": "127.0.0.1"}))
    assert not check.ok and not check.needed and "AUTODUBBER_ALLOWED_HOSTS" in check.fix


def test_doctor_asks_the_running_server_whether_it_knows_the_names(tmp_path: Path) -> None:
    with Server(tmp_path / "data", AUTODUBBER_ALLOWED_HOSTS="dub.example.org") as server:
        told = load({"AUTODUBBER_PORT": str(server.port), "AUTODUBBER_ALLOWED_HOSTS": "dub.example.org,*.lan"})
        (check,) = check_names(told)
        assert check.ok, check
        (check,) = check_names(msgspec.structs.replace(told, allowed_hosts="dub.example.org,nas.local"))
        assert not check.ok and "refuses nas.local" in check.found and "Start the server again" in check.fix
