"""The files of deploy/proxies say what they are for: limits and time-outs as the programs read them, and nothing left
to chance."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from granian.http import HTTP1Settings

from app.config.environment import load
from tests.deploy.authority import Authority
from tests.deploy.proxies import (
    FILLED,
    SHIPPED,
    compose_file,
    free_port,
    nginx,
    program,
    shipped,
    traefik_options,
)

SLOWEST_S = 600
IDLE_S = 20
DIRECTIVES = ("client_max_body_size", "proxy_request_buffering", "proxy_buffering", "gzip", "proxy_http_version")
TIMES = ("proxy_read_timeout", "proxy_send_timeout", "client_body_timeout", "send_timeout")


def without_comments(text: str) -> list[str]:
    return [
        line.split(" #")[0].rstrip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")
    ]


@pytest.mark.parametrize("subpath", [False, True])
def test_nginx_takes_2_gb_does_not_buffer_and_is_patient(tmp_path: Path, authority: Authority, subpath: bool) -> None:
    """As nginx itself prints the configuration that it has read."""
    options, _ = nginx(
        tmp_path,
        free_port(),
        free_port(),
        free_port(),
        authority,
        subpath=subpath,
        stripped=False,
        tls=True,
        users=False,
    )
    printed = subprocess.run([program("nginx"), "-T", *options], capture_output=True, text=True, check=True)
    assert "test is successful" in printed.stderr and "warn" not in printed.stderr
    found = dict(re.findall(rf"^\s*({'|'.join(DIRECTIVES)}) ([^;]+);", printed.stdout, re.MULTILINE))
    assert found == {
        "client_max_body_size": "0",
        "proxy_request_buffering": "off",
        "proxy_buffering": "off",
        "gzip": "off",
        "proxy_http_version": "1.1",
    }
    assert dict(re.findall(rf"^\s*({'|'.join(TIMES)}) ([^;]+);", printed.stdout, re.MULTILINE)) == dict.fromkeys(
        TIMES, f"{SLOWEST_S // 60}m"
    )


def test_every_proxy_lets_an_idle_connection_go_before_the_server_does() -> None:
    """A request that meets a connection which is being closed fails, and is not sent again unless it only reads."""
    assert HTTP1Settings().header_read_timeout >= 1.5 * IDLE_S * 1000
    for file in ("nginx.conf", "nginx-subpath.conf"):
        assert f"    keepalive_timeout {IDLE_S}s;" in (SHIPPED / file).read_text()
    assert caddys("Caddyfile")["transport"]["keep_alive"] == {"idle_timeout": IDLE_S * 10**9}
    assert f"--serverstransport.forwardingtimeouts.idleconntimeout={IDLE_S}s" in traefik_options(FILLED)[0]


def test_every_file_tells_autodubber_the_name_that_it_serves() -> None:
    """Else AutoDubber refuses every request that it passes on (421)."""
    for file in ("nginx.conf", "nginx-subpath.conf", "Caddyfile", "Caddyfile-subpath"):
        text = (SHIPPED / file).read_text()
        name = re.findall(r"^(?:    server_name )?((?:dub|www)\.example\.org)(?:;| \{)", text, re.MULTILINE)[0]
        assert f"AUTODUBBER_ALLOWED_HOSTS={name}." in text, file
    traefik = compose_file("traefik.yaml", FILLED)["services"]["autodubber"]
    settings = load({name: value for name, value in traefik["environment"].items() if name.startswith("AUTODUBBER_")})
    assert (
        settings.allowed_hosts == FILLED["DOMAIN"]
        and f"Host(`{FILLED['DOMAIN']}`)" in traefik["labels"]["traefik.http.routers.autodubber.rule"]
    )


def test_nginx_below_a_path_is_set_up_as_on_a_name_of_its_own() -> None:
    def settings(file: str, location: str) -> set[str]:
        text = (SHIPPED / file).read_text()
        block = re.search(rf"location {location} \{{(.*?)\n    \}}", text, re.DOTALL)
        assert block is not None
        return {line.strip() for line in without_comments(block[1])}

    assert settings("nginx.conf", "/") == settings("nginx-subpath.conf", "/dub/")


def test_caddy_below_a_path_is_set_up_as_on_a_name_of_its_own() -> None:
    assert caddys("Caddyfile") == caddys("Caddyfile-subpath")
    assert caddys("Caddyfile")["flush_interval"] == -1
    assert caddys("Caddyfile")["transport"]["compression"] is False


def caddys(file: str) -> dict[str, Any]:
    """What Caddy makes of `reverse_proxy`."""
    command = [program("caddy"), "adapt", "--config", str(SHIPPED / file), "--adapter", "caddyfile"]
    adapted = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}).stdout
    )
    (found,) = [h for h in handlers(adapted) if h["handler"] == "reverse_proxy"]
    return found


def handlers(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in handlers(item)]
    if not isinstance(node, dict):
        return []
    return ([node] if isinstance(node.get("handler"), str) else []) + [
        found for item in node.values() for found in handlers(item)
    ]


@pytest.mark.parametrize("file", ["Caddyfile", "Caddyfile-subpath"])
def test_caddys_files_are_written_as_caddy_writes_them(file: str) -> None:
    written = subprocess.run(
        [program("caddy"), "fmt", str(SHIPPED / file)], capture_output=True, text=True, check=True
    ).stdout
    assert written == (SHIPPED / file).read_text()


def test_traefik_cuts_no_slow_upload() -> None:
    flags, _ = traefik_options(FILLED)
    assert "--entrypoints.websecure.transport.respondingtimeouts.readtimeout=0" in flags


@pytest.mark.parametrize(
    ("base", "matched", "passed_by"),
    [("", ("/", "/api", "/jobs/1"), ()), ("/dub", ("/dub", "/dub/", "/dub/api"), ("/", "/dubious", "/x/dub"))],
)
def test_traefik_takes_the_paths_that_are_ours(base: str, matched: tuple[str, ...], passed_by: tuple[str, ...]) -> None:
    _, tree = traefik_options(FILLED | {"BASE_PATH": base})
    rule = tree["http"]["routers"]["autodubber"]["rule"]
    found = re.fullmatch(r"Host\(`dub\.test`\) && PathRegexp\(`([^`]+)`\)", rule)
    assert found is not None
    assert all(re.search(found[1], path) for path in matched)
    assert not any(re.search(found[1], path) for path in passed_by)


def test_traefik_has_no_hold_on_docker_and_only_it_is_reached() -> None:
    composed = compose_file("traefik.yaml", FILLED)
    services = composed["services"]
    assert [
        name
        for name, service in services.items()
        if any("docker.sock" in volume for volume in service.get("volumes", ()))
    ] == ["docker-events"]
    events = services["docker-events"]
    assert all(volume.endswith(":ro") for volume in events["volumes"]) and events["environment"]["POST"] == 0
    assert events["networks"] == ["docker-events"] and composed["networks"]["docker-events"]["internal"]
    assert [name for name, service in services.items() if service.get("ports")] == ["traefik"]
    for name in ("traefik", "docker-events"):
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]
        assert not services[name]["image"].endswith(":latest") and ":" in services[name]["image"]


def test_traefiks_file_keeps_composes_schema(tmp_path: Path) -> None:
    """As it is merged: Compose's own tag is none of the schema's."""
    written = tmp_path / "traefik.json"
    written.write_text(json.dumps(compose_file("traefik.yaml", FILLED)))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(written)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_traefik_is_believed_and_nobody_else_is() -> None:
    composed = compose_file("traefik.yaml", FILLED | {"BASE_PATH": "/dub"})
    settings = load(composed["services"]["autodubber"]["environment"])
    assert settings.trusted_proxies == composed["networks"]["proxy"]["ipam"]["config"][0]["subnet"]
    assert settings.base_path == "/dub"


def test_traefiks_labels_stand_on_the_service_that_the_compose_file_has() -> None:
    main = (SHIPPED.parent / "compose.yaml").read_text()
    assert "autodubber" in yaml.safe_load(main)["services"]


@pytest.mark.parametrize("name", ["DOMAIN", "ACME_EMAIL", "USERS"])
def test_what_only_the_operator_knows_is_asked_for(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        compose_file("traefik.yaml", {given: value for given, value in FILLED.items() if given != name})


def test_a_change_to_a_shipped_file_that_finds_nothing_is_an_error() -> None:
    with pytest.raises(AssertionError, match=r"nginx\.conf has no"):
        shipped("nginx.conf", {"listen 8443": "x"})
