"""The Kubernetes manifests: the API's own schemas, the restricted Pod Security profile, and what AutoDubber needs of a
cluster."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config.environment import load
from app.config.settings import variables
from tests.deploy.manifests import DEPLOY, ROOT, document, documents

HERE = DEPLOY / "kubernetes"
BASE = HERE / "base"
FOLDERS = [HERE, BASE, HERE / "gpu", HERE / "with-monitoring"]
KINDS = {"Namespace", "ServiceAccount", "PersistentVolumeClaim", "Deployment", "Service", "Ingress", "NetworkPolicy"}


def manifest(name: str) -> dict[str, Any]:
    return document(BASE / f"{name}.yaml")


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    return dict(manifest("deployment")["spec"]["template"]["spec"])


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    return dict(only)


def built(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl kustomize` makes of it."""
    ran = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return [one for one in yaml.safe_load_all(ran.stdout) if one]


def modern_kubectl() -> bool:
    """`kubectl` with Kustomize 4 or newer (kubectl 1.21); Debian 12's own is older."""
    if shutil.which("kubectl") is None:
        return False
    said = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True).stdout
    version = re.search(r"Kustomize Version: v(\d+)", said)
    return version is not None and int(version[1]) >= 4


needs_kubectl = pytest.mark.skipif(not modern_kubectl(), reason="needs kubectl 1.21 or newer")


def validated(*files: Path) -> None:
    command = [str(Path(sys.executable).with_name("kubernetes-validate")), "--strict", *map(str, files)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("passed for resource") + ran.stderr.count("passed for resource") >= len(files)


def test_every_manifest_keeps_the_apis_schema_strictly() -> None:
    files = sorted(set(BASE.glob("*.yaml")) - {BASE / "kustomization.yaml"})
    assert {one["kind"] for file in files for one in documents(file)} == KINDS
    validated(*files)


def test_a_field_that_the_api_does_not_know_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "service.yaml"
    wrong.write_text((BASE / "service.yaml").read_text().replace("targetPort", "targetport"))
    with pytest.raises(AssertionError):
        validated(wrong)


def test_kustomizations_name_exactly_the_files_that_are_there() -> None:
    for folder in FOLDERS:
        kustomization = document(folder / "kustomization.yaml")
        named = [*kustomization["resources"], *(patch["path"] for patch in kustomization.get("patches", []))]
        assert {name for name in named if name.endswith(".yaml")} == {file.name for file in folder.glob("*.yaml")} - {
            "kustomization.yaml"
        }
        for name in named:
            assert (folder / name).exists(), (folder, name)
    assert {path.name for path in HERE.iterdir() if path.is_dir()} == {
        folder.name for folder in FOLDERS if folder != HERE
    }


def test_the_pod_keeps_the_restricted_profile(pod: dict[str, Any], container: dict[str, Any]) -> None:
    """Every control of https://kubernetes.io/docs/concepts/security/pod-security-standards/ (restricted, which includes
    baseline)."""
    outer, inner = pod["securityContext"], container["securityContext"]
    assert outer["runAsNonRoot"] is True and inner["runAsNonRoot"] is True and outer["runAsUser"] != 0
    assert outer["seccompProfile"]["type"] == "RuntimeDefault"
    assert inner["allowPrivilegeEscalation"] is False and inner["capabilities"] == {"drop": ["ALL"]}
    assert not {"privileged", "procMount", "seLinuxOptions"} & set(inner)
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers"} & set(pod)
    assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} <= {
        "configMap",
        "emptyDir",
        "persistentVolumeClaim",
        "secret",
    }
    assert not [port for port in container["ports"] if "hostPort" in port]
    assert manifest("namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_pod_writes_nothing_but_data_and_tmp_and_knows_nothing_of_the_cluster(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]} == {
        "/data": "data",
        "/tmp": "tmp",
    }
    assert pod["securityContext"]["fsGroup"] == 1000
    assert (
        pod["automountServiceAccountToken"] is False
        and manifest("serviceaccount")["automountServiceAccountToken"] is False
    )
    assert pod["enableServiceLinks"] is False  # AUTODUBBER_PORT=tcp://... stops the start
    assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]


def test_what_service_links_would_set_stops_the_start() -> None:
    from app.config.environment import SettingsError

    with pytest.raises(SettingsError, match="AUTODUBBER_"):
        load({"AUTODUBBER_SERVICE_HOST": "10.0.0.1"})


def test_one_server_owns_one_data_folder() -> None:
    spec = manifest("deployment")["spec"]
    assert spec["replicas"] == 1 and spec["strategy"] == {"type": "Recreate"}
    assert manifest("pvc")["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_probes_ask_what_the_server_answers(container: dict[str, Any]) -> None:
    from app.config.settings import Settings
    from app.server.app import create_app

    paths = {route.path for route in create_app(Settings()).routes}
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {probe["path"] for probe in probes.values()} <= paths
    assert (
        probes["readiness"]["path"] == "/health/ready"
        and probes["liveness"]["path"] == probes["startup"]["path"] == "/health/live"
    )
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {probe["port"] for probe in probes.values()} == set(ports) and ports["http"] == Settings().port
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 60  # the requirement is 30 s


def test_every_variable_of_the_pod_is_a_setting(container: dict[str, Any]) -> None:
    known = {variable.name for variable in variables()}
    patched = document(HERE / "gpu" / "deployment.yaml")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {one["name"] for one in [*container["env"], *patched]} <= known
    for one in (one for one in container["env"] if "valueFrom" in one):
        assert one["valueFrom"]["secretKeyRef"]["optional"] is True  # the bare installation has no secret


def test_ingress_service_and_pod_are_joined(container: dict[str, Any]) -> None:
    service, ingress = manifest("service"), manifest("ingress")
    labels = manifest("deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels == manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"]
    assert service["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container["ports"]}
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": service["metadata"]["name"], "port": {"name": service["spec"]["ports"][0]["name"]}}
    notes = {
        name.removeprefix("nginx.ingress.kubernetes.io/"): value
        for name, value in ingress["metadata"]["annotations"].items()
    }
    assert notes["proxy-body-size"] == "0" and notes["proxy-request-buffering"] == notes["proxy-buffering"] == "off"
    assert min(int(notes["proxy-read-timeout"]), int(notes["proxy-send-timeout"])) >= 3600
    assert all(isinstance(value, str) for value in notes.values())


def test_the_server_knows_the_ingress_host_and_the_services_names(container: dict[str, Any]) -> None:
    from app.config.hosts import known

    (setting,) = [one["value"] for one in container["env"] if one["name"] == "AUTODUBBER_ALLOWED_HOSTS"]
    hosts, ingress, service = (
        known(setting, (), "0.0.0.0"),
        manifest("ingress")["spec"],
        manifest("service")["metadata"]["name"],
    )
    assert all(hosts.knows(rule["host"]) for rule in ingress["rules"]) and all(
        hosts.knows(host) for one in ingress["tls"] for host in one["hosts"]
    )
    full = f"{service}.{document(BASE / 'kustomization.yaml')['namespace']}.svc.cluster.local"
    for name in (service, *(full.rsplit(".", left)[0] for left in (3, 2)), full):
        assert hosts.knows(f"{name}:80"), name
    assert not hosts.knows("evil.test")


def test_the_network_is_open_to_the_proxy_and_monitoring_and_out_to_names_and_https_only() -> None:
    spec = manifest("networkpolicy")["spec"]
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    (rule,) = spec["ingress"]
    assert [one["port"] for one in rule["ports"]] == ["http"]
    named = {peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule["from"]}
    assert named == {"ingress-nginx", "monitoring"}
    assert {port["port"] for out in spec["egress"] for port in out["ports"]} == {53, 443}
    assert all(out.get("to") for out in spec["egress"] if {port["port"] for port in out["ports"]} == {53})


def test_the_image_is_the_programs_version() -> None:
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (image,) = document(BASE / "kustomization.yaml")["images"]
    assert image == {
        "name": manifest("deployment")["spec"]["template"]["spec"]["containers"][0]["image"],
        "newTag": version,
    }


@needs_kubectl
def test_kustomize_builds_every_folder_and_the_result_keeps_the_schemas(tmp_path: Path) -> None:
    results = []
    for folder in FOLDERS:
        made = built(folder)
        assert {one["kind"] for one in made} == KINDS | (
            {"ServiceMonitor"} if folder.name == "with-monitoring" else set()
        )
        assert all(one["metadata"].get("namespace", "autodubber") == "autodubber" for one in made)
        results.append(tmp_path / f"{folder.name}.yaml")
        known = [one for one in made if one["kind"] != "ServiceMonitor"]  # a resource of the Prometheus operator's own
        results[-1].write_text(yaml.safe_dump_all(known))
    validated(*results)


@needs_kubectl
def test_the_gpu_overlay_asks_for_a_gpu_and_keeps_the_rest() -> None:
    (deployment,) = [one for one in built(HERE / "gpu") if one["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert (
        container["resources"]["limits"]["nvidia.com/gpu"] == 1
        and container["resources"]["requests"]["memory"] == "1Gi"
    )
    assert {one["name"] for one in container["env"]} >= {
        "AUTODUBBER_DEVICE",
        "ELEVENLABS_API_KEY",
        "AUTODUBBER_METRICS_TOKEN",
    }
    assert container["securityContext"]["readOnlyRootFilesystem"] is True and container["image"].endswith("-cuda")


def test_the_service_monitor_sends_the_token_that_the_server_reads(container: dict[str, Any]) -> None:
    monitor = document(HERE / "with-monitoring" / "servicemonitor.yaml")
    (endpoint,) = monitor["spec"]["endpoints"]
    (token,) = [
        one["valueFrom"]["secretKeyRef"] for one in container["env"] if one["name"] == "AUTODUBBER_METRICS_TOKEN"
    ]
    assert endpoint["authorization"]["credentials"] == {"name": token["name"], "key": token["key"]}
    assert monitor["spec"]["selector"]["matchLabels"] == manifest("service")["metadata"]["labels"]
    assert endpoint["port"] == manifest("service")["spec"]["ports"][0]["name"] and endpoint["path"] == "/metrics"
