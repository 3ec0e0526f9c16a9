"""Writes the software bills of materials, CycloneDX 1.6 JSON: `python deploy/supply/sbom.py FOLDER [IMAGE]` (`make
sbom`).

FOLDER/python.cdx.json  from requirements.lock: what is installed, without the network
FOLDER/web.cdx.json     from package-lock.json: what the page is built from and with
FOLDER/image.cdx.json   with IMAGE (needs docker): what really lies in it: Python packages, FFmpeg, espeak-ng, Debian
packages Each is compared with CycloneDX's own schema before this ends. No document has a time or a serial number: the
same locks give the same bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent))
from packages import ROOT, python_packages

# Run inside the image: every Python package of its environment, programs that lie in some of them (and Python itself),
# every Debian package.
_LISTED = (
    "from importlib.metadata import distributions as d; print(*sorted({f'{i.name}\\t{i.version}' for i in "
    "d()}), sep='\\n')"
)
_BESIDE = """
import glob, os, platform, subprocess, espeakng_loader, imageio_ffmpeg
print("python", platform.python_version(), sep="\\t")
version = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-version"], capture_output=True, text=True).stdout
print("ffmpeg", version.split()[2], sep="\\t")
[library] = glob.glob(os.path.dirname(espeakng_loader.__file__) + "/libespeak-ng.so.1.*")[:1]
print("espeak-ng", library.rpartition(".so.")[2], sep="\\t")
"""
_DEBIAN = r"${binary:Package}\t${Version}\t${Architecture}\t${source:Package}\n"


def run(*command: str, cwd: Path = ROOT) -> str:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout  # noqa: S603


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def about(name: str, kind: str) -> dict[str, Any]:
    """The head of a document about `name`."""
    component = {
        "type": kind,
        "bom-ref": name,
        "name": name,
        "version": version(),
        "licenses": [{"license": {"id": "MIT"}}],
    }
    head = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
    }
    return head | {"metadata": {"component": component}}


def library(purl: str, name: str, version: str, **more: Any) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, **more}


def pypi(name: str, version: str) -> dict[str, Any]:
    return library(f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version)}", name, version)


def python() -> dict[str, Any]:
    """From requirements.lock, by cyclonedx-py; it must name every line."""
    tool = str(Path(sys.executable).with_name("cyclonedx-py"))
    options = [
        "--pyproject",
        "pyproject.toml",
        "--output-reproducible",
        "--spec-version",
        "1.6",
        "--output-format",
        "JSON",
    ]
    made: dict[str, Any] = json.loads(run(tool, "requirements", *options, "requirements.lock"))
    named = {component["name"].lower() for component in made["components"]}
    missing = [package.name for package in python_packages() if package.name.lower() not in named]
    if missing:
        raise SystemExit(f"sbom: not in the document: {', '.join(missing)}")
    return made


def web() -> dict[str, Any]:
    """From package-lock.json; npm's own `npm sbom` needs the packages installed and writes a time and a serial
    number."""
    locked = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    components: dict[str, dict[str, Any]] = {}
    for path, entry in locked.items():
        if not path or "version" not in entry:
            continue
        name = path.rpartition("node_modules/")[2]
        purl = f"pkg:npm/{quote(name, safe='/')}@{entry['version']}"
        licence = {"licenses": [{"expression": entry["license"]}]} if entry.get("license") else {}
        kind, _, digest = entry.get("integrity", "").partition("-")
        hashes = {"hashes": [{"alg": "SHA-512", "content": _hex(digest)}]} if kind == "sha512" else {}
        components[purl] = library(purl, name, entry["version"], **licence, **hashes)
    return about("autodubber-web", "application") | {"components": [components[purl] for purl in sorted(components)]}


def _hex(base64: str) -> str:
    import binascii

    return binascii.a2b_base64(base64).hex()


def image(name: str) -> dict[str, Any]:
    """From the image itself: what its Python and its dpkg know."""

    def inside(*command: str) -> list[list[str]]:
        started = ["docker", "run", "--rm", "--network", "none", "--entrypoint", command[0], name, *command[1:]]
        return [line.split("\t") for line in run(*started).splitlines() if line]

    components = [pypi(*line) for line in inside("/opt/venv/bin/python", "-c", _LISTED) if line[0] != "autodubber"]
    components += [
        library(f"pkg:generic/{name}@{quote(number)}", name, number)
        for name, number in inside("/opt/venv/bin/python", "-c", _BESIDE)
    ]
    for package, number, architecture, source in inside("dpkg-query", "--show", "--showformat", _DEBIAN):
        plain = package.split(":")[0]
        name = f"{quote(plain, safe='+.-')}@{quote(number, safe='+.~-')}"
        purl = f"pkg:deb/debian/{name}?arch={architecture}&distro=debian-12"
        components.append(library(purl, plain, number, properties=[{"name": "debian:source", "value": source}]))
    document = about("autodubber-image", "container") | {"components": components}
    identity = run("docker", "image", "inspect", "--format", "{{.Id}}", name).strip()
    document["metadata"]["component"]["properties"] = [{"name": "docker:image:id", "value": identity}]
    return document


def checked(document: dict[str, Any]) -> str:
    """The document as text, after a comparison with CycloneDX's schema (it comes with the library)."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"sbom: against CycloneDX's schema: {problem}")
    return text


def main(folder: Path, name: str | None) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    documents = {"python": python(), "web": web()} | ({"image": image(name)} if name else {})
    for kind, document in documents.items():
        path = folder / f"{kind}.cdx.json"
        path.write_text(checked(document), encoding="utf-8")
        print(f"{path}: {len(document['components'])} components")
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python deploy/supply/sbom.py FOLDER [IMAGE]")
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 and sys.argv[2] else None))
