"""The compose files: what Compose's own schema and a strict operator ask of them. `deploy/check.py` runs them in a real
engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.config.environment import load
from app.config.settings import Settings, variables
from tests.deploy.manifests import DEPLOY, ROOT, document, filled

FILES = sorted(DEPLOY.glob("compose*.yaml"))
SECRETS = {"AUTODUBBER_METRICS_TOKEN_FILE": "/token", "GRAFANA_PASSWORD_FILE": "/password"}


@pytest.fixture(scope="module")
def production() -> dict[str, Any]:
    return dict(document(DEPLOY / "compose.yaml")["services"]["autodubber"])


def services() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in FILES:
        for name, service in document(file)["services"].items():
            yield f"{file.name}:{name}", service


def test_every_compose_file_keeps_composes_schema() -> None:
    assert {file.name for file in FILES} >= {
        "compose.yaml",
        "compose.dev.yaml",
        "compose.gpu.yaml",
        "compose.monitoring.yaml",
    }
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", *map(str, FILES)]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_production_service_writes_nothing_but_data_and_tmp_and_gains_no_right(production: dict[str, Any]) -> None:
    assert production["read_only"] is True
    assert production["cap_drop"] == ["ALL"] and "cap_add" not in production
    assert production["security_opt"] == ["no-new-privileges:true"]
    assert [volume.split(":")[1] for volume in production["volumes"]] == ["/data"]
    assert [mount.split(":")[0] for mount in production["tmpfs"]] == ["/tmp"]
    assert "privileged" not in production and "network_mode" not in production and "user" not in production


def test_the_production_service_is_limited_and_its_log_is_rotated(production: dict[str, Any]) -> None:
    assert filled(production["mem_limit"]) == filled(production["memswap_limit"]) == "4g"
    assert production["pids_limit"] == 1024 and production["cpu_shares"] < 1024
    assert production["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert production["restart"] == "unless-stopped"


def test_a_stop_has_longer_than_the_server_and_its_supervisor_need(production: dict[str, Any]) -> None:
    supervisor = int(re.findall(r"^stopwaitsecs\s*=\s*(\d+)", (ROOT / "supervisord.conf").read_text(), re.MULTILINE)[0])
    assert int(production["stop_grace_period"].removesuffix("s")) > max(supervisor, 10)


def test_only_this_machine_reaches_what_is_published() -> None:
    seen = []
    for name, service in services():
        for port in service.get("ports", []):
            assert filled(port).startswith("127.0.0.1:"), name
            seen.append(name)
    assert len(seen) == 4  # AutoDubber, Grafana, and both halves in development


def test_every_environment_variable_is_a_setting() -> None:
    known = {v.name for v in variables()} | {v.name + "_FILE" for v in variables() if v.secret}
    for name, service in services():
        for variable in service.get("environment", {}):
            # Vite's: where its proxy leads
            if variable.startswith(("AUTODUBBER_", "ELEVENLABS_")) and variable != "AUTODUBBER_SERVER":
                assert variable in known, (name, variable)


def test_the_servers_environment_loads_and_empty_secrets_are_none(production: dict[str, Any]) -> None:
    environment = {name: "/dev/null" for name in production["environment"]}
    assert load(environment) == load({})
    assert Settings(**{}).metrics_token == ""


def test_other_containers_reach_the_server_by_the_name_that_it_calls_itself() -> None:
    """Prometheus asks by the service's name, and development's Vite hands requests to it."""
    scraped = document(DEPLOY / "monitoring/prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"][0]
    own = {
        file: {name: service.get("hostname") for name, service in document(DEPLOY / file)["services"].items()}
        for file in ("compose.yaml", "compose.dev.yaml")
    }
    assert own["compose.yaml"]["autodubber"] == "autodubber" == scraped.partition(":")[0]
    assert (
        document(DEPLOY / "compose.dev.yaml")["services"]["web"]["environment"]["AUTODUBBER_SERVER"]
        == f"http://{own['compose.dev.yaml']['server']}:8000"
    )


def test_every_file_and_guide_says_how_a_name_is_told() -> None:
    files = [
        *DEPLOY.glob("compose*.yaml"),
        *(DEPLOY / "proxies").iterdir(),
        DEPLOY / "kubernetes/base/deployment.yaml",
        DEPLOY / "kubernetes/base/ingress.yaml",
    ]
    guides = [
        ROOT / "README.md",
        *(
            ROOT / "docs" / f"{name}.md"
            for name in ("deployment", "proxies", "kubernetes", "image", "troubleshooting", "environment")
        ),
    ]
    assert len(files) >= 11
    for file in (*files, *guides):
        assert "AUTODUBBER_ALLOWED_HOSTS" in file.read_text(encoding="utf-8"), file


def test_every_secret_is_mounted_where_its_variable_points(production: dict[str, Any]) -> None:
    paths = {value for name, value in production["environment"].items() if name.endswith("_FILE")}
    assert paths == {f"/run/secrets/{secret}" for secret in production["secrets"]}
    declared = document(DEPLOY / "compose.yaml")["secrets"]
    assert {filled(secret["file"]) for secret in declared.values()} == {"/dev/null"} and set(declared) == set(
        production["secrets"]
    )


def test_no_secret_has_a_value_in_a_file() -> None:
    secret = {v.name for v in variables() if v.secret} | {"GF_SECURITY_ADMIN_PASSWORD"}
    for name, service in services():
        assert not secret & set(service.get("environment", {})), name


def test_monitoring_does_not_start_without_its_secrets() -> None:
    declared = document(DEPLOY / "compose.monitoring.yaml")["secrets"]
    for secret in declared.values():
        with pytest.raises(KeyError):
            filled(secret["file"])
        assert filled(secret["file"], **SECRETS).startswith("/")


def test_what_is_mounted_from_the_checkout_is_there() -> None:
    seen = 0
    for name, service in services():
        for volume in service.get("volumes", []):
            if volume.startswith("."):
                assert (DEPLOY / volume.split(":")[0]).exists(), (name, volume)
                assert volume.endswith(":ro"), (name, volume)
                seen += 1
    assert seen >= 12


def test_images_of_others_are_pinned_and_nobody_gets_the_engines_socket() -> None:
    for name, service in services():
        image = filled(service.get("image", "autodubber"))
        assert "autodubber" in image or re.search(r":v?\d+(\.\d+\.\d+|-bookworm-slim)$", image), (name, image)
        assert "docker.sock" not in str(service), name


def test_what_watches_is_as_guarded_as_the_server_and_sees_no_internet() -> None:
    monitoring = document(DEPLOY / "compose.monitoring.yaml")
    assert monitoring["networks"]["monitoring"]["internal"] is True
    for name in ("prometheus", "loki", "alloy", "grafana"):
        service = monitoring["services"][name]
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and "cap_add" not in service
        assert service["security_opt"] == ["no-new-privileges:true"] and service["mem_limit"] and service["pids_limit"]
        assert service["networks"] == (["default", "monitoring"] if name == "grafana" else ["monitoring"])
        assert ("ports" in service) == (name == "grafana")


def test_the_gpu_file_builds_with_an_argument_that_the_dockerfile_has() -> None:
    service = document(DEPLOY / "compose.gpu.yaml")["services"]["autodubber"]
    stated = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert set(service["build"]["args"]) <= stated
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia" and device["capabilities"] == ["gpu"]


def test_what_vite_needs_of_the_checkout_is_mounted() -> None:
    mounted = {
        volume.split(":")[0].removeprefix("../web/")
        for volume in document(DEPLOY / "compose.dev.yaml")["services"]["web"]["volumes"]
    }
    tracked = subprocess.run(
        ["git", "ls-files", "web"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    parts = {path.split("/")[1] for path in tracked} or {"src"}
    assert parts - mounted <= {"scripts"}, "a new file of web/ that Vite may need"


class Reloading:
    """deploy/dev/reload.py over a folder, with a program that tells each of its starts."""

    def __init__(self, folder: Path, program: str) -> None:
        told = folder / "starts"
        os.mkfifo(told)
        self.read = os.open(told, os.O_RDWR)  # writing too: it has no end while a program starts again
        watched = folder / "app"
        watched.mkdir()
        self.file = watched / "part.py"
        self.file.write_text("one")
        script = f"import os\nos.write(os.open({str(told)!r}, os.O_WRONLY), str(os.getpid()).encode())\n{program}"
        command = [sys.executable, str(DEPLOY / "dev" / "reload.py"), str(watched), "--", sys.executable, "-c", script]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)

    def started(self) -> int:
        """Waits for the next start; the program's process id."""
        return int(os.read(self.read, 100))


def test_development_reloads_the_program_when_a_file_changes_and_ends_it_at_the_end(tmp_path: Path) -> None:
    reloading = Reloading(tmp_path, "import time\ntime.sleep(600)")
    first = reloading.started()
    reloading.file.write_text("another")
    second = reloading.started()
    assert first != second and not psutil.pid_exists(first)
    (reloading.file.parent / "new.py").write_text("")
    third = reloading.started()
    reloading.process.terminate()
    _, said = reloading.process.communicate(timeout=20)
    assert reloading.process.returncode == 0 and not psutil.pid_exists(third)
    assert said.decode().count("reload: ") == 2 and str(reloading.file) in said.decode()


def test_development_starts_a_program_again_that_ended_by_an_error(tmp_path: Path) -> None:
    reloading = Reloading(tmp_path, "raise SystemExit(1)")
    first = reloading.started()
    reloading.file.write_text("mended")
    assert reloading.started() != first
    reloading.process.terminate()
    reloading.process.communicate(timeout=20)
