"""A server with jobs that the tests of one file may change, and how its refusals are read."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.unit.api.serving import Server


class Studio:
    """A server of this module's own, with jobs that tests may change."""

    def __init__(self, server: Server, ids: list[str]) -> None:
        self.server = server
        self.ids = ids


def until(api: httpx.Client, job_id: str, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while (job := api.get(f"/api/jobs/{job_id}").json())["state"] not in states:
        assert time.monotonic() < deadline, job
    return dict(job)


def refused(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
