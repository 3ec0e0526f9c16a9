"""What AutoDubber is made of is written down: bills of materials, licences, and workflows that let nothing else in."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import DEPLOY, ROOT

SUPPLY = DEPLOY / "supply"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))


def module(name: str) -> ModuleType:
    """A script of deploy/supply, imported."""
    spec = importlib.util.spec_from_file_location(name, SUPPLY / f"{name}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, loaded)
    spec.loader.exec_module(loaded)
    return loaded


PACKAGES = module("packages")


@pytest.fixture(scope="module")
def boms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sbom")
    ran = subprocess.run([sys.executable, str(SUPPLY / "sbom.py"), str(folder)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr  # it compares each with CycloneDX's schema
    return folder


def components(path: Path) -> dict[str, str]:
    document = json.loads(path.read_text())
    assert document["bomFormat"] == "CycloneDX" and document["specVersion"] == "1.6"
    return {component["name"].lower(): component["version"] for component in document["components"]}


def test_the_bill_of_python_packages_is_the_lock(boms: Path) -> None:
    assert components(boms / "python.cdx.json") == {
        package.name.lower(): package.version for package in PACKAGES.python_packages()
    }


def test_the_bill_of_web_packages_is_the_lock(boms: Path) -> None:
    locked = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    names = {path.rpartition("node_modules/")[2].lower() for path in locked if path}
    assert set(components(boms / "web.cdx.json")) == names
    listed = json.loads((boms / "web.cdx.json").read_text())["components"]
    assert all(component["purl"].startswith("pkg:npm/") for component in listed)
    hashes = [component["hashes"][0]["content"] for component in listed if "hashes" in component]
    # what another package carries has none of its own
    assert len(hashes) > 0.9 * len(listed) and {len(digest) for digest in hashes} == {128}


def test_a_document_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="schema"):
        module("sbom").checked(
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "without a type"}]}
        )


def test_the_same_locks_give_the_same_bills(boms: Path) -> None:
    sbom = module("sbom")
    assert sbom.checked(sbom.web()) == (boms / "web.cdx.json").read_text()
    assert "timestamp" not in (boms / "python.cdx.json").read_text()


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """A table of docs/licences.md: name to version and licence."""
    text = (ROOT / "docs" / "licences.md").read_text()
    part = re.split(r"^## ", text, flags=re.MULTILINE)
    (section,) = [one for one in part if one.startswith(heading)]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| ")
    ]
    return {line[0]: (line[1], line[2]) for line in cells[1:]}


def test_the_licences_page_names_exactly_what_is_locked() -> None:
    python = {package.name: package.version for package in PACKAGES.python_packages()}
    assert {name: version for name, (version, _) in rows("Python").items()} == python, "run `make licences`"
    web = {package.name: (package.version, package.licence) for package in PACKAGES.web_packages()}
    assert rows("The page") == web, "run `make licences`"
    assert all(
        licence and licence != "UNKNOWN" for _, licence in [*rows("Python").values(), *rows("The page").values()]
    )


def test_what_the_page_imports_is_among_the_licences() -> None:
    assert {
        "svelte",
        "@sveltejs/kit",
        "tus-js-client",
        "openapi-fetch",
        "daisyui",
        "tailwindcss",
        "@lucide/svelte",
    } <= set(rows("The page"))
    assert any(name.startswith("@fontsource-variable/") for name in rows("The page"))


def test_every_copyleft_package_is_explained() -> None:
    text = (ROOT / "docs" / "licences.md").read_text().partition("## Programs")[0]
    for name, (_, licence) in [*rows("Python").items(), *rows("The page").items()]:
        if re.search("GPL|MPL", licence):
            assert f"{name} ({licence})" in text, name


def test_what_lies_inside_packages_is_listed() -> None:
    text = (ROOT / "docs" / "licences.md").read_text()
    for part in ("FFmpeg", "x264", "espeak-ng", "Noto Sans", "WenQuanYi", "Silero"):
        assert part in text
    import imageio_ffmpeg

    said = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-L"], capture_output=True, text=True
    ).stdout
    assert "GNU General Public License" in said and "version 3" in said  # as the page says


def test_workflows_keep_their_schema_and_have_no_unsafe_habit() -> None:
    assert {path.name for path in WORKFLOWS} == {"ci.yaml", "release.yaml"}
    schema = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        *map(str, WORKFLOWS),
    ]
    ran = subprocess.run(schema, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    zizmor = [
        str(Path(sys.executable).with_name("zizmor")),
        "--offline",
        "--no-progress",
        "--min-severity",
        "medium",
        *map(str, WORKFLOWS),
    ]
    ran = subprocess.run(zizmor, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    return [step for job in jobs for step in job.get("steps", [])]


def test_every_action_is_pinned_by_its_commit() -> None:
    for path in WORKFLOWS:
        uses = re.findall(r"uses: (\S+)(?: # (v[\d.]+))?$", path.read_text(), re.MULTILINE)
        assert uses
        for action, version in uses:
            assert action.startswith("./") or (re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) and version), action


def test_workflows_have_no_rights_but_those_that_a_job_names() -> None:
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}
        for name, job in workflow["jobs"].items():
            rights = {right for right, level in job["permissions"].items() if level == "write"}
            assert rights == ({"packages", "id-token"} if name == "publish" else set())


def test_a_release_is_named_only_after_it_was_tested_scanned_and_signed() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yaml").read_text())
    publish = workflow["jobs"]["publish"]
    assert publish["needs"] == "test" and workflow["jobs"]["test"]["uses"] == "./.github/workflows/ci.yaml"
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads `on` as true
    texts = [json.dumps(step) for step in publish["steps"]]

    def place(word: str) -> int:
        return next(number for number, text in enumerate(texts) if word in text)

    order = ["push-by-digest=true", "deploy/check.py", "anchore/scan-action", "cosign sign", "imagetools create"]
    assert [place(word) for word in order] == sorted(place(word) for word in order)
    (build,) = [step["with"] for step in publish["steps"] if "build-push-action" in step.get("uses", "")]
    assert (
        build["platforms"] == "linux/amd64,linux/arm64"
        and build["sbom"] is True
        and build["provenance"] == "mode=max"
        and "tags" not in build
    )
    scans = [step for step in publish["steps"] if "scan-action" in step.get("uses", "")]
    assert {scan["env"]["GRYPE_PLATFORM"] for scan in scans} == {"linux/amd64", "linux/arm64"}
    assert all(scan["with"]["fail-build"] is True and scan["with"]["severity-cutoff"] == "critical" for scan in scans)


def test_ci_does_what_the_projects_own_ci_does() -> None:
    assert "bash .ci/run" in [step.get("run") for step in steps(ROOT / ".github" / "workflows" / "ci.yaml")]


def test_build_arguments_of_a_release_are_the_dockerfiles() -> None:
    (build,) = [
        step["with"]
        for step in steps(ROOT / ".github" / "workflows" / "release.yaml")
        if "build-push-action" in step.get("uses", "")
    ]
    given = {line.split("=")[0] for line in build["build-args"].splitlines()}
    assert given <= set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))


def test_a_scan_runs_every_scanner_that_is_there_and_tells_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "python.cdx.json").write_text("{}")
    for name, status in (("grype", 0), ("pip-audit", 0)):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name}: $*"\nexit {status}\n')
        (tmp_path / name).chmod(0o755)

    def scan() -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": f"{tmp_path}:/usr/bin:/bin" if not Path("/usr/bin/npm").exists() else str(tmp_path),
            "HOME": os.environ.get("HOME", "/"),
        }
        for program in ("sh", "dirname"):
            if not (tmp_path / program).exists():
                (tmp_path / program).symlink_to(f"/usr/bin/{program}")
        command = ["/bin/sh", str(SUPPLY / "scan.sh"), str(tmp_path), "an-image"]
        return subprocess.run(command, env=environ, capture_output=True, text=True)

    clean = scan()
    assert clean.returncode == 0, clean.stderr
    assert (
        "grype: --fail-on critical --only-fixed an-image" in clean.stdout and "-- trivy: not installed" in clean.stdout
    )
    (tmp_path / "grype").write_text("#!/bin/sh\nexit 2\n")
    assert scan().returncode == 1
    (tmp_path / "grype").unlink()
    (tmp_path / "pip-audit").unlink()
    assert scan().returncode == 2
