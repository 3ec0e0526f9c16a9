"""Every request of the API reaches its service with who asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import TestClient

from app.api import depends, jobs, routes, segments, storage
from app.api.bodies import CheckedRequest
from app.api.depends import providers
from app.api.keys import keys_of_request
from app.domain.principal import ANYONE, Principal
from app.jobs.service import JobService
from app.retention.cleaner import Cleaner
from app.retention.usage import StorageUsage
from tests.unit.jobs.house import House

MIA = Principal("mia")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Principal]]:
    """What services are asked, and by whom."""
    heard: list[tuple[str, Principal]] = []

    def listen(service: type, name: str) -> None:
        method = getattr(service, name)

        def listening(self: Any, *arguments: Any, **named: Any) -> Any:
            heard.append((name, self.principal))
            return method(self, *arguments, **named)

        monkeypatch.setattr(service, name, listening)

    for name in ("create", "get", "page", "segments", "update", "delete"):
        listen(JobService, name)
    for name in ("report", "clean", "archive"):
        listen(StorageUsage, name)
    return heard


@pytest.fixture
def client(tmp_path: Path, asked: list[tuple[str, Principal]]) -> Iterator[TestClient[Litestar]]:
    house = House(tmp_path)
    cleaner = Cleaner(database=house.database, blobs=house.blobs, data=tmp_path, rules=())
    usage = StorageUsage(
        data=tmp_path, database=house.database, blobs=house.blobs, cleaner=cleaner, floor=house.uploads.floor
    )
    state = dict.fromkeys(depends._NAMES) | {
        "service": house.service,
        "usage": usage,
        "upload": house.uploaded,
        "registry": house.context.engines,
    }
    app = Litestar(
        route_handlers=[jobs.router, segments.router, storage.router, storage.export_job],
        dependencies={**providers(), "keys": keys_of_request},
        request_class=CheckedRequest,
        signature_namespace=dict.fromkeys(routes._NAMES, Any),
        state=State(state),
    )
    with TestClient(app) as client:
        yield client


def test_every_request_is_somebodys(
    client: TestClient[Litestar], asked: list[tuple[str, Principal]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depends, "principal_of", lambda scope: MIA)
    upload_id = client.app.state["upload"]()
    job_id = client.post("/api/jobs/", json={"upload_id": upload_id}).json()["id"]
    client.get("/api/jobs/")
    client.get(f"/api/jobs/{job_id}")
    client.patch(f"/api/jobs/{job_id}", json={"title": "Hers"})
    client.get(f"/api/jobs/{job_id}/segments/")
    client.get(f"/api/jobs/{job_id}/export").read()
    client.get("/api/storage/")
    client.post("/api/storage/clean", json={"dry_run": True})
    client.delete(f"/api/jobs/{job_id}")
    assert {who for _, who in asked} == {MIA}
    assert {name for name, _ in asked} == {
        "create",
        "page",
        "get",
        "update",
        "segments",
        "archive",
        "report",
        "clean",
        "delete",
    }


def test_today_everybody_is_anyone(client: TestClient[Litestar], asked: list[tuple[str, Principal]]) -> None:
    assert client.get("/api/jobs/").status_code == 200
    assert asked == [("page", ANYONE)]
    assert msgspec.json.encode(ANYONE) == b'{"id":"anyone"}'


def test_no_handler_takes_a_service_from_the_state_by_itself() -> None:
    for path in Path(jobs.__file__).parent.glob("*.py"):
        text = path.read_text("utf-8").replace("acting(state.service,", "")
        assert "state.service" not in text and "state.usage" not in text, path
