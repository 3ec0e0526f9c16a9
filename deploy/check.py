"""Runs the compose files in a real container engine: `python3 deploy/check.py IMAGE`. Standard library only.

Every combination is resolved by `docker compose config`; production is brought up with IMAGE, asked, and taken down;
the volume of monitoring's log is tried with three users; IMAGE's layers and files are searched for secrets. Prints a
line for each; exits 1 when one fails.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = "autodubber-check"
PORT = int(os.environ.get("CHECK_PORT", "8765"))
TOKEN = "check-0123456789abcdef"  # noqa: S105 (of the container that lives for this check)
LAID_OVER = ([], ["compose.gpu.yaml"], ["compose.monitoring.yaml"], ["compose.gpu.yaml", "compose.monitoring.yaml"])
# Names of files, and beginnings of values, that are secret and belong in no layer.
PRIVATE_NAME = r"(/\.env|/run/secrets/[^/]+|\.pem|\.key|id_rsa|id_ed25519|\.npmrc|\.netrc|\.pypirc|/\.git/config)$"
PUBLIC_NAME = r"cacert\.pem$|/etc/ssl/|/usr/share/ca-certificates/|/usr/local/etc/npmrc$"
PRIVATE_VALUE = "|".join(
    (
        r"sk_[0-9a-f]{40,}",
        r"AKIA[0-9A-Z]{16}",
        r"gh[ps]_[A-Za-z0-9]{36}",
        r"npm_[A-Za-z0-9]{36}",
        r"pypi-[A-Za-z0-9_-]{50,}",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    )
)


def run(*command: str, within_s: float = 180.0, **environ: str) -> str:
    """Standard output; raises RuntimeError with what the program said when it fails."""
    ran = subprocess.run(command, env=os.environ | environ, cwd=HERE, capture_output=True, text=True, timeout=within_s)  # noqa: S603
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} ...: {(ran.stderr or ran.stdout).strip()[-1500:]}")
    return ran.stdout


def compose(files: list[str], *command: str, **environ: str) -> str:
    return run(
        "docker",
        "compose",
        "--project-name",
        PROJECT,
        *(part for file in files for part in ("--file", file)),
        *command,
        **environ,
    )


def expect(true: object, said: str) -> None:
    if not true:
        raise RuntimeError(said)


def configurations(secrets: dict[str, str]) -> str:
    """Every combination of files is one that Compose understands."""
    seen = 0
    for files in [*(["compose.yaml", *more] for more in LAID_OVER), ["compose.dev.yaml"]]:
        services = json.loads(compose(files, "config", "--format", "json", **secrets))["services"]
        expect(services, f"{files}: no service")
        seen += 1
    try:
        compose(["compose.yaml", "compose.monitoring.yaml"], "config", "--quiet")
    except RuntimeError as error:
        expect("is the path of a file" in str(error), str(error))
    else:
        raise RuntimeError("monitoring starts without its secrets")
    return f"{seen} combinations"


def production(image: str, secrets: dict[str, str]) -> str:
    """compose.yaml with IMAGE: healthy, answering, guarded, and gone again within its time."""
    chosen = {
        "DUB_IMAGE": image,
        "DUB_PUBLISH": f"127.0.0.1:{PORT}",
        "DUB_MEMORY": "2g",
        "DUB_VOLUME": f"{PROJECT}_data",
    } | secrets
    before = time.monotonic()
    try:
        compose(["compose.yaml"], "up", "--detach", "--wait", "--wait-timeout", "90", "--pull", "never", **chosen)
        healthy_s = time.monotonic() - before
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health/ready", timeout=10) as answer:
            expect(json.load(answer)["ready"], "not ready")
        request = urllib.request.Request(
            f"http://127.0.0.1:{PORT}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            expect(b"autodubber_ready 1.0" in answer.read(), "/metrics does not say ready")
        container = compose(["compose.yaml"], "ps", "--quiet", **chosen).strip()
        state = json.loads(run("docker", "inspect", container))[0]
        host = state["HostConfig"]
        expect(
            host["ReadonlyRootfs"]
            and host["CapDrop"] == ["ALL"]
            and host["Memory"] == 2 << 30
            and host["PidsLimit"] == 1024,
            "not guarded",
        )
        expect(TOKEN not in json.dumps(state["Config"]), "the token is in the container's configuration")
        before = time.monotonic()
        compose(["compose.yaml"], "stop", **chosen)
        stopped_s = time.monotonic() - before
        expect(json.loads(run("docker", "inspect", container))[0]["State"]["ExitCode"] in (0, 143), "had to be killed")
    finally:
        compose(["compose.yaml"], "down", "--volumes", "--timeout", "5", **chosen)
    return f"healthy after {healthy_s:.1f} s, stopped in {stopped_s:.1f} s"


def log_volume(image: str, secrets: dict[str, str]) -> str:
    """compose.monitoring.yaml's volume: the server's user writes it, the collector's (another user of the same group)
    reads it, nobody else."""
    files, chosen = (
        ["compose.yaml", "compose.monitoring.yaml"],
        {"DUB_IMAGE": image, "DUB_VOLUME": f"{PROJECT}_data"} | secrets,
    )
    volume = f"{PROJECT}_logs"

    def shell(user: str, script: str) -> str:
        return run(
            "docker",
            "run",
            "--rm",
            "--network",
            "none",
            "--user",
            user,
            "--volume",
            f"{volume}:/logs",
            "--entrypoint",
            "sh",
            image,
            "-c",
            script,
        )

    try:
        for _ in range(2):  # a second time on the volume that is there
            compose(files, "up", "--no-deps", "--pull", "never", "--exit-code-from", "logs", "logs", **chosen)
        shell("1000:1000", "umask 027; echo a line >/logs/autodubber.log")
        expect(shell("473:1000", "cat /logs/autodubber.log").strip() == "a line", "the collector cannot read the log")
        expect(
            shell("473:1000", "touch /logs/x 2>/dev/null || echo refused").strip() == "refused",
            "the collector can write the log",
        )
        expect(
            shell("65534:65534", "cat /logs/autodubber.log 2>/dev/null || echo refused").strip() == "refused",
            "anybody reads the log",
        )
    finally:
        compose(files, "down", "--volumes", "--timeout", "5", **chosen)
    return "written by user 1000, read by its group"


def no_secret(image: str, _: dict[str, str]) -> str:
    """Neither a layer's command nor a file of the image holds a secret."""
    history = run("docker", "history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    found = re.findall(PRIVATE_VALUE + r"|(?:KEY|TOKEN|PASSWORD|SECRET)=\S+", history)
    expect(not found, f"in the history: {len(found)} lines that look like a secret")
    configured = json.loads(run("docker", "image", "inspect", image))[0]["Config"]["Env"]
    expect(
        not [one.split("=")[0] for one in configured if re.search(r"(KEY|TOKEN|PASSWORD|SECRET)=.", one)],
        "in the image's environment",
    )
    search = ["docker", "run", "--rm", "--network", "none", "--user", "0:0", "--entrypoint", "sh", image, "-c"]
    names = run(*search, "find / -xdev -type f -not -path '/proc/*' -not -path '/sys/*'").splitlines()
    named = [name for name in names if re.search(PRIVATE_NAME, name) and not re.search(PUBLIC_NAME, name)]
    expect(not named, f"files that are secrets by their name: {named[:10]}")
    files = (
        "find /opt/autodubber /etc /root /home /tmp /data -xdev -type f -size -1024k -not -path '*/ssl/*' "
        "-print0 2>/dev/null"
    )
    held = run(*search, f"{files} | xargs -0 grep -lE -e '{PRIVATE_VALUE}' || true").split()
    expect(not held, f"files that hold what looks like a secret: {held[:10]}")
    return f"{len(history.splitlines())} layers, {len(names)} files"


def main(image: str) -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        secrets = {"AUTODUBBER_METRICS_TOKEN_FILE": f"{folder}/token", "GRAFANA_PASSWORD_FILE": f"{folder}/password"}
        for path in secrets.values():
            Path(path).write_text(TOKEN)
            Path(path).chmod(0o444)
        checks: list[tuple[str, Callable[[], str]]] = [
            ("compose config", lambda: configurations(secrets)),
            ("compose up, production", lambda: production(image, secrets)),
            ("the log's volume", lambda: log_volume(image, secrets)),
            ("no secret in the image", lambda: no_secret(image, secrets)),
        ]
        for name, check in checks:
            try:
                print(f"ok    {name}: {check()}", flush=True)
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"FAIL  {name}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 deploy/check.py IMAGE")
    sys.exit(main(sys.argv[1]))
