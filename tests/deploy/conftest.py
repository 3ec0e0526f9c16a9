"""One real server with a completed job in it, and the proxies in front of it, each made from its shipped file."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import msgspec
import pytest

from app.domain.media import ArtifactKind
from tests.deploy.authority import Authority
from tests.deploy.proxies import NAMES, Proxy, proxy
from tests.unit.api.serving import Server, seed_job

VIDEO = secrets.token_bytes(3 * (1 << 20) + 12345)


class Behind(msgspec.Struct, frozen=True):
    """What a proxy stands in front of: a server with one completed job."""

    server: Server
    job_id: str


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    data = tmp_path_factory.mktemp("behind") / "data"
    job_id = seed_job(
        data, {ArtifactKind.VIDEO: (VIDEO, "video/mp4", "mp4"), ArtifactKind.VTT: (b"WEBVTT\n", "text/vtt", "vtt")}
    )
    with Server(data, AUTODUBBER_TRUSTED_PROXIES="127.0.0.1") as server:
        yield Behind(server, job_id)


@pytest.fixture(scope="session", params=NAMES)
def front(
    request: pytest.FixtureRequest, behind: Behind, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """A proxy that speaks TLS on a host name of its own, in front of `behind`."""
    with proxy(request.param, behind.server.port, tmp_path_factory.mktemp(request.param), authority) as running:
        yield running


@pytest.fixture
def client(front: Proxy) -> Iterator[httpx.Client]:
    with front.client() as client:
        yield client
