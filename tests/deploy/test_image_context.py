"""What the builder is sent, and what the Dockerfile promises without being built."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


def _pattern(text: str) -> re.Pattern[str]:
    """A .dockerignore pattern: it also matches everything below what it names."""
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(words.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*\*|\*|\?)", text))
    return re.compile(f"{expression}(/.*)?")


RULES = [
    (not line.startswith("!"), _pattern(line.lstrip("!")))
    for line in (ROOT / ".dockerignore").read_text().splitlines()
    if line.strip() and not line.startswith("#")
]


def sent(path: str) -> bool:
    """Whether the builder gets this file: the last pattern that matches decides."""
    ignored = False
    for exclude, pattern in RULES:
        if pattern.fullmatch(path):
            ignored = exclude
    return not ignored


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [name for name in listed.stdout.split("\0") if name]


@pytest.mark.parametrize(
    "path",
    [
        "data/app.sqlite3",
        "data/secret.key",
        ".git/config",
        ".venv/bin/python",
        ".env",
        "web/.env",
        "web/.env.local",
        "app/.env",
        "app/api/server.key",
        "web/src/private.pem",
        "web/node_modules/vite/package.json",
        "web/build/index.html",
        "web/.svelte-kit/tsconfig.json",
        "web/test-results/x.png",
        "app/__pycache__/cli.cpython-311.pyc",
        "app/api/__pycache__/pages.cpython-311.pyc",
        "web/src/lib/stores/job.test.ts",
        "tests/conftest.py",
        "docs/architecture.md",
        "bench/mix.py",
        "deploy/compose.yaml",
        "deploy/image/notes.txt",
        ".ci/run",
        "video.mp4",
        "requirements-dev.lock",
    ],
)
def test_what_is_not_needed_is_never_sent(path: str) -> None:
    assert not sent(path)


def test_of_the_checkout_only_what_the_image_is_made_of_is_sent() -> None:
    needed = {
        "LICENSE",
        "entrypoint.sh",
        "supervisord.conf",
        "requirements.lock",
        "deploy/image/install.sh",
        "deploy/image/shrink.sh",
        "deploy/image/smoke.py",
        "web/package.json",
        "web/package-lock.json",
        "web/.npmrc",
        "web/svelte.config.js",
        "web/vite.config.ts",
        "web/tsconfig.json",
    }
    folders = ("app/", "web/src/", "web/static/")
    got = {name for name in tracked() if sent(name)}
    assert {name for name in got if not name.startswith(folders)} == needed
    assert {name for name in got if name.startswith(folders)} == {
        name for name in tracked() if name.startswith(folders) and not name.endswith(".test.ts")
    }


def test_everything_that_the_dockerfile_copies_is_sent() -> None:
    copied = [
        words[1:-1] for words in (line.split() for line in LINES) if words[:1] == ["COPY"] and "--from" not in words[1]
    ]
    sources = [source for words in copied for source in words]
    assert len(sources) > 8
    names = [name for name in tracked() if sent(name)]
    for source in sources:
        assert any(name == source.rstrip("/") or name.startswith(source.rstrip("/") + "/") for name in names), source


def test_the_dockerfile_is_clean() -> None:
    hadolint = ROOT / ".venv" / "bin" / "hadolint"
    if not hadolint.exists():
        pytest.skip("hadolint is not installed: make setup")
    done = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_secret_and_no_foreign_frontend_is_named_in_the_dockerfile() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "# syntax=" not in text
    assert not re.search(r"(?i)(password|token|api_key|secret)\s*=", text)


def test_the_image_runs_as_a_numbered_user_other_than_root_and_is_labelled() -> None:
    text = "\n".join(LINES)
    assert re.search(r"^USER 1000:1000$", text, re.M)
    for name in ("title", "description", "source", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{name}=" in text
    assert re.search(r'^HEALTHCHECK .*--start-interval=\S+ .*CMD \["autodubber", "health"\]$', text, re.M)


def test_supervisord_waits_longer_than_the_server_takes_and_less_than_an_engine_does() -> None:
    from app.server.granian import KILL_AFTER_S

    found = re.search(r"^stopwaitsecs=(\d+)$", (ROOT / "supervisord.conf").read_text(), re.M)
    assert found is not None
    assert KILL_AFTER_S < int(found[1]) < 10
