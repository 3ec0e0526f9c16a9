"""Prometheus, the rules and the dashboard against the real server: every name that they use is one that it exports."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.manifests import DEPLOY, document
from tests.integration.running import Running

MONITORING = DEPLOY / "monitoring"
TOKEN = "a-token-of-the-test"
WORD = re.compile(r"\b(?:autodubber|process|python)_[a-z_0-9]+\b")
needs_prometheus = pytest.mark.skipif(
    shutil.which("promtool") is None or shutil.which("prometheus") is None,
    reason="needs Prometheus (Debian: apt install prometheus)",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that has a backup behind it and writes its log into a file."""
    folder = tmp_path_factory.mktemp("monitored")
    (folder / "token").write_text(TOKEN + "\n")
    (folder / "data").mkdir()
    (folder / "data" / "backup.json").write_text(
        json.dumps({"at": time.time(), "seconds": 2.0, "bytes": 10, "ok": True})
    )
    environ = {
        "AUTODUBBER_METRICS_TOKEN_FILE": str(folder / "token"),
        "AUTODUBBER_LOG_FILE": str(folder / "server.log"),
    }
    running = Running(folder / "data", **environ)
    yield running.start()
    running.close()


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads((MONITORING / "grafana" / "dashboards" / "autodubber.json").read_text())
    return list(dashboard["panels"])


def expressions() -> dict[str, str]:
    """Every PromQL expression of dashboard and rules, by where it stands."""
    found = {}
    for panel in panels():
        for target in panel.get("targets", []):
            if target["datasource"]["type"] == "prometheus":
                found[f"{panel['title']} {target['refId']}"] = target["expr"].replace("$__rate_interval", "1m")
    for group in document(MONITORING / "rules.yml")["groups"]:
        for rule in group["rules"]:
            found[rule["alert"]] = rule["expr"]
    return found


def exported(server: Running) -> dict[str, str]:
    """Every sample name that /metrics can have, and its kind."""
    answer = server.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    names = {}
    for family in text_string_to_metric_families(answer.text):
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        names |= {family.name + end: family.type for end in ends}
    return names


def test_every_metric_of_dashboard_and_rules_is_exported(server: Running) -> None:
    names = exported(server)
    used = {name: where for where, expression in expressions().items() for name in WORD.findall(expression)}
    assert len(used) > 40
    assert {name: where for name, where in used.items() if name not in names} == {}


def test_the_dashboard_shows_every_metric_of_our_own(server: Running) -> None:
    text = " ".join(expressions().values())
    families = {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in exported(server) if name.startswith("autodubber_")
    }
    assert not [name for name in sorted(families) if name not in text]


def test_counters_are_looked_at_by_their_growth_and_gauges_as_they_are(server: Running) -> None:
    names = exported(server)
    for where, expression in expressions().items():
        for name in re.findall(r"(?:rate|increase)\((\w+)", expression):
            assert names[name] in ("counter", "histogram"), where
        for name, kind in names.items():
            if kind == "counter" and re.search(rf"\b{name}\b", expression):
                assert re.search(rf"(rate|increase)\({name}\b", expression), (where, name)


def test_the_dashboards_panels_have_their_own_ids_and_places_and_provisioned_sources() -> None:
    sources = {
        source["uid"]: source["type"]
        for source in document(MONITORING / "grafana" / "datasources" / "datasources.yaml")["datasources"]
    }
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert sources[target["datasource"]["uid"]] == target["datasource"]["type"]


def test_grafana_and_the_collector_find_their_neighbours() -> None:
    services = document(DEPLOY / "compose.monitoring.yaml")["services"]
    for source in document(MONITORING / "grafana" / "datasources" / "datasources.yaml")["datasources"]:
        assert re.fullmatch(r"http://(prometheus:9090|loki:3100)", source["url"])
    alloy = (MONITORING / "config.alloy").read_text()
    assert (
        'url = "http://loki:3100/loki/api/v1/push"' in alloy
        and document(MONITORING / "loki.yaml")["server"]["http_listen_port"] == 3100
    )
    assert f'"{services["autodubber"]["environment"]["AUTODUBBER_LOG_FILE"]}"' in alloy
    provider = document(MONITORING / "grafana" / "dashboards.yaml")["providers"][0]["options"]["path"]
    mounts = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    assert provider in mounts and "/etc/grafana/provisioning/dashboards/dashboards.yaml" in mounts


def test_the_collector_reads_what_the_log_writes(server: Running) -> None:
    server.client.get("/api/jobs")
    log, deadline = Path(server.environ["AUTODUBBER_LOG_FILE"]), time.monotonic() + 10
    while not (requests := [line for line in map(json.loads, log.read_text().splitlines()) if "request_id" in line]):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)  # the line is written after the answer
    wanted = re.search(r"expressions = \{(.*)\}", (MONITORING / "config.alloy").read_text())
    assert wanted is not None
    names = set(re.findall(r"(\w+) = ", wanted[1])) - {"job_id", "stage"}  # these two are on lines about a job
    request = requests[0]
    assert names <= set(request), request
    assert (
        request["level"] in ("debug", "info", "warning", "error")
        and datetime.fromisoformat(request["timestamp"]).tzinfo is not None
    )


def tool(*arguments: str, cwd: Path = MONITORING) -> str:
    ran = subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@needs_prometheus
def test_every_alert_fires_when_it_should_and_only_then() -> None:
    assert "SUCCESS" in tool("check", "rules", "rules.yml")
    assert "SUCCESS" in tool("test", "rules", "rules.test.yml")
    tried = {
        case["alertname"]
        for test in document(MONITORING / "rules.test.yml")["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert tried == {rule["alert"] for group in document(MONITORING / "rules.yml")["groups"] for rule in group["rules"]}


class Prometheus:
    """The real one, with the repository's configuration; only the address, the token's path and the pace are this
    test's."""

    def __init__(self, folder: Path, server: Running) -> None:
        text = (
            (MONITORING / "prometheus.yml")
            .read_text()
            .replace("/run/secrets/metrics_token", server.environ["AUTODUBBER_METRICS_TOKEN_FILE"])
        )
        text = text.replace("autodubber:8000", f"127.0.0.1:{server.port}").replace("15s", "1s").replace("10s", "1s")
        (folder / "prometheus.yml").write_text(text)
        shutil.copy(MONITORING / "rules.yml", folder)
        tool("check", "config", "prometheus.yml", cwd=folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = [
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        self.log = (folder / "prometheus.log").open("wb")
        self.process = subprocess.Popen(["prometheus", *options], stdout=self.log, stderr=self.log)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10)

    def query(self, expression: str) -> list[dict[str, Any]]:
        while (answer := self.client.get("/query", params={"query": expression})).status_code == 503:
            time.sleep(0.1)  # Prometheus answers so until it has read its own log
        assert answer.status_code == 200, (expression, answer.text)
        return list(answer.json()["data"]["result"])

    def until(self, found: Callable[[], bool], within_s: float = 40.0) -> None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                if found():
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, Path(self.log.name).read_text()
            time.sleep(0.1)
        raise AssertionError(f"not within {within_s} s; Prometheus says:\n{Path(self.log.name).read_text()[-3000:]}")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.client.close()
        self.log.close()


@needs_prometheus
def test_a_real_prometheus_reads_the_server_and_answers_every_expression(server: Running, tmp_path: Path) -> None:
    prometheus = Prometheus(tmp_path, server)
    try:
        server.client.get("/api/jobs")
        prometheus.until(lambda: bool(prometheus.query('count_over_time(autodubber_ready{job="autodubber"}[1m]) >= 3')))
        (up,) = prometheus.query('up{job="autodubber"}')
        assert up["value"][1] == "1"
        for expression in expressions().values():
            prometheus.query(expression)
        for alive in (
            "autodubber_ready",
            "autodubber_disk_free_bytes",
            "autodubber_check_ok",
            "time() - autodubber_backup_last_timestamp_seconds",
        ):
            assert prometheus.query(alive), alive
        rules = prometheus.client.get("/rules").json()["data"]["groups"][0]["rules"]
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"} and not [
            rule for rule in rules if rule["state"] == "firing"
        ]
    finally:
        prometheus.close()


def test_metrics_are_closed_without_the_token(server: Running) -> None:
    assert server.client.get("/metrics").status_code == 401
    assert server.client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
