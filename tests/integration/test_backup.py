"""The restore drill: a real server, a real loss, and a server that goes on as if nothing had been. Then the commands,
as an operator types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.system import exit_status
from tests.doubles import s3 as double
from tests.doubles.s3_signature import ACCESS_KEY, REGION, SECRET_KEY
from tests.integration.conftest import SPOKEN
from tests.integration.running import Running

PASSWORD = "correct horse battery"


def autodubber(*arguments: str, data: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTODUBBER_", "AWS_"))}
    command = [sys.executable, "-m", "app", *arguments, "--data", str(data)]
    return subprocess.run(command, env=kept | environ, capture_output=True, text=True, timeout=120)


def done(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert result.returncode == exit_status.OK, result.stderr
    return dict(json.loads(result.stdout))


def failed(result: subprocess.CompletedProcess[str], status: int, says: str) -> None:
    assert result.returncode == status, f"{result.returncode}: {result.stderr}"
    assert says in result.stderr and "Traceback" not in result.stderr


def test_the_restore_drill(serve: Callable[..., Running], spoken_mp4: Path, tmp_path: Path) -> None:
    """One job is completed, one waits for a person, one is at work when the backup is made; then the whole folder is
    lost."""
    place = tmp_path / "backups"
    environ = {"AUTODUBBER_BACKUP_PASSWORD": PASSWORD}
    server = serve()
    key = server.ok(server.client.put("/api/settings/keys/elevenlabs", json={"key": "sk_entered_in_the_page"}))
    finished = server.wait(server.create(server.upload(spoken_mp4), review=False)["id"], "completed")
    waiting = server.wait(server.create(server.upload(spoken_mp4))["id"], "review")
    unclaimed = server.upload(spoken_mp4)
    running = server.create(server.upload(spoken_mp4), review=False, background="replace")
    server.until(
        running["id"],
        lambda event: event["type"] == "progress" and event["stage"] in ("transcribe", "synthesize", "mix"),
    )
    started = time.monotonic()
    taken = done(autodubber("backup", "--to", str(place), "--json", data=server.data, **environ))
    backup_s = time.monotonic() - started
    assert (taken["jobs"], taken["missing"], taken["encrypted"]) == (3, [], True)
    files, lines = server.files(finished["id"]), server.segments(waiting["id"])[0]
    video = server.download(finished["id"], "video", tmp_path / "before.mp4").read_bytes()
    server.kill()

    shutil.rmtree(server.data)
    started = time.monotonic()
    told = done(autodubber("restore", "--from", str(place), "--json", data=server.data, **environ))
    server.start()
    print(
        f"\nthe drill: backup {backup_s:.1f} s, lost, restored and answering {time.monotonic() - started:.1f} s "
        f"({told['bytes'] / 1e6:.1f} MB)"
    )

    assert server.files(finished["id"]) == files
    assert server.download(finished["id"], "video", tmp_path / "after.mp4").read_bytes() == video
    assert server.job(waiting["id"])["state"] == "review" and server.segments(waiting["id"])[0] == lines
    server.wait(running["id"], "completed")
    assert [line["text"] for line in server.segments(running["id"])[0]] == [sentence.text for sentence in SPOKEN]
    assert server.ok(server.client.get("/api/settings/keys/elevenlabs")) == key
    server.edit(waiting["id"], edit=[{"id": lines[0]["id"], "text": "Edited after the loss."}])
    server.act(waiting["id"], "approve")
    server.wait(waiting["id"], "completed")
    assert server.wait(server.create(unclaimed)["id"], "review")["size_bytes"] == spoken_mp4.stat().st_size


def test_the_schedule_makes_backups_and_knows_of_them_after_a_restart(
    serve: Callable[..., Running], tmp_path: Path
) -> None:
    place = tmp_path / "backups"
    server = serve(AUTODUBBER_BACKUP_TO=str(place), AUTODUBBER_BACKUP_EVERY_S="2")
    told = server.data / "backup.json"

    def wait_for(reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if told.exists() and reached(found := json.loads(told.read_text())):
                return dict(found)
            time.sleep(0.05)
        raise AssertionError(server.logged()[-4000:])

    first = wait_for(lambda found: found["ok"])
    assert first["to"] == str(place) and first["error"] == "" and first["good_at"] == first["at"]
    second = wait_for(lambda found: found["snapshot"] != first["snapshot"])
    assert second["ok"]
    place.rename(tmp_path / "away")
    place.write_text("a file where the folder was")
    broken = wait_for(lambda found: not found["ok"] and "the backup failed" in server.logged())
    assert broken["good_at"] is not None and broken["error"]
    place.unlink()
    (tmp_path / "away").rename(place)
    wait_for(lambda found: found["ok"])
    assert server.stop() < 10
    listed = done(autodubber("backups", "--from", str(place), "--json", data=server.data))
    assert {first["snapshot"], second["snapshot"]} <= {snapshot["id"] for snapshot in listed["snapshots"]}
    before = json.loads(told.read_text())
    server.environ["AUTODUBBER_BACKUP_EVERY_S"] = "86400"
    server.start()
    server.stop()
    assert json.loads(told.read_text()) == before, "a restart is no reason for a backup"


def test_an_operator_s_commands(serve: Callable[..., Running], tmp_path: Path) -> None:
    """backup into the default place, list, verify, damage, restore: each with its exit status and what it says."""
    data = tmp_path / "data"
    failed(autodubber("backup", data=data), exit_status.USAGE, "app.sqlite3")
    server = serve()
    first = autodubber("backup", data=data)
    assert first.returncode == 0 and str(data / "backups") in first.stdout
    for _ in range(4):  # the job engine writes its own start into its database, a moment after the server is ready
        taken = done(autodubber("backup", "--json", data=data))
        if taken["new_bytes"] == 0:
            break
    assert taken["new_bytes"] == 0, "nothing has changed"
    assert taken["id"] in autodubber("backups", data=data).stdout
    assert done(autodubber("verify", "--json", data=data))["ok"]
    failed(autodubber("restore", "--replace", data=data), exit_status.ENVIRONMENT, "in use")
    server.stop()
    failed(autodubber("restore", data=data), exit_status.ENVIRONMENT, "--replace")
    failed(
        autodubber("restore", "--from", str(tmp_path / "nowhere"), data=tmp_path / "new"),
        exit_status.ENVIRONMENT,
        "There is none in",
    )
    failed(
        autodubber("restore", "--snapshot", "../x", "--from", str(data / "backups"), data=tmp_path / "new"),
        exit_status.ENVIRONMENT,
        "no backup's id",
    )
    failed(autodubber("backup", "--to", str(data / "blobs" / "x"), data=data), exit_status.USAGE, "another folder")
    failed(autodubber("backup", "--to", "s3://key:secret@bucket/x", data=data), exit_status.USAGE, "s3://BUCKET/PREFIX")
    failed(autodubber("backup", "--to", "ftp://host/x", data=data), exit_status.USAGE, "s3://")
    failed(autodubber("backup", "--to", "s3://bucket/x", data=data), exit_status.ENVIRONMENT, "AWS_ACCESS_KEY_ID")
    restored = done(autodubber("restore", "--replace", "--json", data=data))
    assert Path(restored["aside"]).is_dir() and (data / "backups").is_dir()
    server.start()
    server.stop()
    damaged = max((path for path in (data / "backups" / "objects").rglob("*.z")), key=lambda path: path.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    result = autodubber("verify", data=data)
    assert result.returncode == exit_status.ENVIRONMENT and "DAMAGED" in result.stdout and ".sqlite3: " in result.stderr


def test_backups_go_to_a_bucket_and_come_back_with_no_secret_shown(
    serve: Callable[..., Running], tmp_path: Path
) -> None:
    server = serve()
    with double.running(tmp_path / "s3") as (url, bucket):
        environ = {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }
        environ |= {"AUTODUBBER_BACKUP_TO": "s3://backups/dub", "AUTODUBBER_BACKUP_PASSWORD": PASSWORD}
        done(autodubber("backup", "--json", data=server.data, **environ))
        wrong = environ | {"AWS_SECRET_ACCESS_KEY": "wrong-and-secret"}
        result = autodubber("backup", data=server.data, **wrong)
        failed(result, exit_status.ENVIRONMENT, "The secret key is not right.")
        said = result.stdout + result.stderr + (server.data / "backup.json").read_text() + server.logged()
        assert not any(secret in said for secret in ("wrong-and-secret", ACCESS_KEY, SECRET_KEY, PASSWORD))
        failed(
            autodubber("verify", data=server.data, **environ | {"AUTODUBBER_BACKUP_PASSWORD": "wrong"}),
            exit_status.ENVIRONMENT,
            "backup password",
        )
        restored = done(autodubber("restore", "--json", data=tmp_path / "new", **environ))
        assert restored["aside"] is None and (tmp_path / "new" / "app.sqlite3").is_file()
        bucket.violations = [line for line in bucket.violations if "SignatureDoesNotMatch" not in line]
        assert bucket.violations == []
