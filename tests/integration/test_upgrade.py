"""Data folders of earlier releases, with jobs in every state, brought up by this version: a real server, and a count of
what is bought again.

The folders are in tests/fixtures/upgrades, made by the releases themselves (`tests.upgrades.make`).
"""

from __future__ import annotations

import contextlib
import json
import lzma
import re
import sqlite3
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.storage.database import migrate, open_database
from app.storage.revision import HEAD
from app.system.exit_status import ENVIRONMENT
from tests.doubles import elevenlabs as double
from tests.integration.running import Running
from tests.upgrades.make import PREPARING, RENDERING, UPGRADES

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(UPGRADES.glob("*.tar.xz"))


class Upgraded:
    """An older data folder, a server of this version on it, and the voice service."""

    def __init__(self, archive: Path, folder: Path, checkpoint: Path, service: str) -> None:
        with lzma.open(archive) as packed, tarfile.open(fileobj=packed) as tar:
            tar.extractall(folder, filter="data")
        told = json.loads((folder / "data/upgrade.json").read_text())
        self.jobs: dict[str, str] = told["jobs"]
        self.service = service
        # the model lies elsewhere now
        with contextlib.closing(sqlite3.connect(folder / "data/app.sqlite3")) as database, database:
            database.execute(
                (
                    "UPDATE jobs SET options = replace(options, ?1, ?2), rendered_options = replace(rendered_options, "
                    "?1, ?2)"
                ),
                (told["model"], str(checkpoint)),
            )
            self.before = {id: json.loads(options) for id, options in database.execute("SELECT id, options FROM jobs")}
            self.lines = dict(database.execute("SELECT job_id, count(*) FROM segments GROUP BY job_id").fetchall())
        self.server = Running(
            folder / "data",
            AUTODUBBER_MODEL=str(checkpoint),
            AUTODUBBER_THREADS="1",
            ELEVENLABS_API_KEY=double.KEY,
            ELEVENLABS_BASE_URL=service,
            AUTODUBBER_PREPARE_AT_ONCE="2",
        )

    def job(self, name: str) -> dict[str, Any]:
        return self.server.job(self.jobs[name])

    def ends(self, name: str, state: str) -> dict[str, Any]:
        return self.server.wait(self.jobs[name], state)

    def bought(self) -> Counter[str]:
        return Counter(
            call["text"] for call in httpx.get(f"{self.service}/_journal").json()["calls"] if call["charged"]
        )


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name.removesuffix(".tar.xz"))
def upgraded(request: pytest.FixtureRequest, tmp_path: Path, whisper_checkpoint: Path) -> Iterator[Upgraded]:
    with double.running() as service:
        found = Upgraded(request.param, tmp_path, whisper_checkpoint, service)
        try:
            yield found
        finally:
            found.server.close()


def test_every_job_of_an_older_folder_ends_as_it_should_and_no_line_is_bought_twice(upgraded: Upgraded) -> None:
    upgraded.server.start()

    # what nothing was working for is as it was
    assert (
        upgraded.job("review")["state"] == "review" and len(upgraded.server.segments(upgraded.jobs["review"])[0]) == 2
    )
    done = upgraded.job("completed")
    assert done["state"] == "completed" and not done["stale"]
    for kind in ("video", "audio", "srt"):
        assert upgraded.server.client.get(f"/download/{kind}/{done['id']}").status_code == 200
    assert upgraded.job("failed")["state"] == "failed" and upgraded.job("failed")["error"]["stage"] == "synthesize"
    assert upgraded.job("cancelled")["state"] == "cancelled"

    # what was at work or waited goes on by itself
    for name in (*PREPARING, "queued prepare"):
        job = upgraded.ends(name, "review")
        assert job["segment_count"] == upgraded.lines.get(job["id"], job["segment_count"]) > 0, name
    for name in (*RENDERING, "queued render"):
        job = upgraded.ends(name, "completed")
        assert {artifact["kind"] for artifact in job["artifacts"]} >= {"video", "audio", "srt", "report"}, name

    # what stopped can be tried again, and finds what it had bought
    for name in ("failed", "cancelled"):
        upgraded.server.act(upgraded.jobs[name], "retry")
        upgraded.ends(name, "completed")
    bought = upgraded.bought()
    assert all(count == 1 for count in bought.values()), bought
    owned = {f"The first of {name}." for name in ("completed", "failed", "cancelled", *RENDERING)}
    owned |= {f"The second of {name}." for name in ("completed", "fit", "mix", "mux")}
    assert not owned & bought.keys(), "these lines were bought before the upgrade"
    assert set(bought) == {"The first of queued render.", "The second of queued render."} | {
        text for text in bought if text.endswith(("second of failed.", "second of cancelled.", "second of synthesize."))
    }
    assert len(bought) == 5

    # a finished job needs nothing, not even a mix
    assert upgraded.server.client.get(f"/api/jobs/{done['id']}/report").status_code == 200
    assert upgraded.job("completed")["stale"] is False


def test_an_older_program_refuses_a_newer_folder_in_one_sentence(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    migrate(open_database(f"sqlite:///{data / 'app.sqlite3'}"))
    with contextlib.closing(sqlite3.connect(data / "app.sqlite3")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    server = Running(data)
    ended = subprocess.run(server.command, env=server.environ, capture_output=True, text=True, timeout=60)
    assert ended.returncode == ENVIRONMENT
    (said,) = (ended.stdout + ended.stderr).splitlines()
    assert f"the database has schema 9999, this version knows {HEAD}: run the newer version again" in said


def test_every_released_version_has_a_folder_here() -> None:
    released = set(re.findall(r"^## v?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE))
    assert released | {"0.1.0"} <= {path.name.removesuffix(".tar.xz") for path in FOLDERS}, (
        "docs/releasing.md says how to make one"
    )
