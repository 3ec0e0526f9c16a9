"""Jobs that lose files and jobs that travel, with the real server, a real dub, and a voice service that counts what it
is paid for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles import elevenlabs as double
from tests.integration.conftest import SPOKEN
from tests.integration.running import Running

VOICE = "elevenlabs:EnglishMale000000002"


@pytest.fixture(scope="module")
def service() -> Any:
    with double.running() as url:
        yield url


@pytest.fixture
def bought(service: str) -> Callable[[], list[str]]:
    httpx.post(f"{service}/_reset")
    return lambda: [call["text"] for call in httpx.get(f"{service}/_journal").json()["calls"] if call["charged"]]


def command(data: Path, *arguments: str, **environ: str) -> dict[str, Any]:
    """`autodubber ... --json` on a data folder; its answer."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTODUBBER_", "ELEVENLABS_"))}
    limits = {"AUTODUBBER_MIN_FREE_BYTES": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "app", *arguments, "--data", str(data), "--json"],
        capture_output=True,
        text=True,
        env=kept | limits | environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return dict(json.loads(done.stdout))


def test_an_imported_job_speaks_only_the_line_that_is_edited(
    serve: Callable[..., Running], spoken_mp4: Path, service: str, bought: Callable[[], list[str]], tmp_path: Path
) -> None:
    environ = {"ELEVENLABS_API_KEY": double.KEY, "ELEVENLABS_BASE_URL": service}
    server = serve("here", **environ)
    job = server.create(server.upload(spoken_mp4), voice=VOICE, review=False)
    server.wait(job["id"], "completed")
    assert sorted(bought()) == sorted(sentence.text for sentence in SPOKEN)
    files, lines = server.files(job["id"]), server.segments(job["id"])[0]
    told = command(server.data, "export", "-o", str(tmp_path / "jobs.tar"))  # while the server runs
    assert told["jobs"] == [job["id"]]
    with server.client.stream("GET", f"/api/jobs/{job['id']}/export") as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"] == 'attachment; filename="spoken.tar"'
        over_http = tmp_path / "one.tar"
        over_http.write_bytes(answer.read())
    with tarfile.open(tmp_path / "jobs.tar") as one, tarfile.open(over_http) as two:
        assert one.getnames() == two.getnames()
    assert double.KEY.encode() not in (tmp_path / "jobs.tar").read_bytes()
    server.stop()

    other = serve("there", **environ)
    taken = command(other.data, "import", str(tmp_path / "jobs.tar"))
    assert [one["outcome"] for one in taken["jobs"]] == ["taken"]
    assert other.job(job["id"])["state"] == "completed"
    assert (other.files(job["id"]), other.segments(job["id"])[0]) == (files, lines)
    assert other.render(job["id"]) == []  # nothing changed: no stage has anything to do
    assert other.client.get(f"/api/jobs/{job['id']}/estimate").json()["cached_lines"] == len(SPOKEN)
    httpx.post(f"{service}/_reset")
    other.edit(job["id"], edit=[{"id": lines[1]["id"], "text": "Today we build a chair."}])
    stages = other.render(job["id"])
    assert "transcribe" not in stages
    assert bought() == ["Today we build a chair."]


def test_what_retention_took_is_told_and_made_again(
    serve: Callable[..., Running], spoken_mp4: Path, service: str, bought: Callable[[], list[str]]
) -> None:
    environ = {"ELEVENLABS_API_KEY": double.KEY, "ELEVENLABS_BASE_URL": service}
    server = serve(**environ)
    job_id = server.create(server.upload(spoken_mp4), voice=VOICE, review=False)["id"]
    server.wait(job_id, "completed")

    def clean(**rules: str) -> dict[str, Any]:
        told = command(server.data, "clean", "--dry-run", **rules)
        assert told["dry_run"] and told["count"] > 0
        done = command(server.data, "clean", **rules)  # beside the running server
        assert (done["count"], done["bytes"]) == (told["count"], told["bytes"])
        return done

    clean(AUTODUBBER_MAX_OUTPUTS_BYTES="1")
    assert server.job(job_id)["outputs_gone"]
    gone = server.client.get(f"/download/video/{job_id}")
    assert (gone.status_code, gone.json()["code"]) == (404, "artifact_not_ready")
    assert "deleted to make room" in gone.json()["detail"]
    httpx.post(f"{service}/_reset")
    assert set(server.render(job_id)) == {"mix", "mux"}
    assert (bought(), server.job(job_id)["outputs_gone"]) == ([], False)

    assert server.client.get(f"/api/jobs/{job_id}/estimate").json()["characters"] == 0
    clean(AUTODUBBER_MAX_CLIPS_BYTES="1")
    assert server.client.get(f"/api/jobs/{job_id}/estimate").json()["characters"] == sum(
        len(sentence.text) for sentence in SPOKEN
    )
    server.render(job_id)
    assert sorted(bought()) == sorted(sentence.text for sentence in SPOKEN)

    clean(AUTODUBBER_MAX_SOURCES_BYTES="1")
    job = server.job(job_id)
    assert job["source_gone"] and not job["outputs_gone"]
    for action in ("render", "duplicate"):
        refused = server.client.post(f"/api/jobs/{job_id}/{action}", json={} if action == "duplicate" else None)
        assert (refused.status_code, refused.json()["code"]) == (409, "source_gone")
    assert server.client.get(f"/media/{job_id}/source").json()["code"] == "source_gone"
    assert server.client.get(f"/download/video/{job_id}").status_code == 200


def test_a_render_that_finds_its_original_gone_says_so(serve: Callable[..., Running], spoken_mp4: Path) -> None:
    server = serve()
    job_id = server.create(server.upload(spoken_mp4), review=True)["id"]
    server.wait(job_id, "review")
    (original,) = (server.data / "blobs" / "uploads").iterdir()
    original.rename(original.with_suffix(".aside"))
    refused = server.client.post(f"/api/jobs/{job_id}/approve")
    assert refused.json()["code"] == "source_gone"
