"""What reaches the log, and what never does."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from app import logs

KEY = "sk_0123456789abcdef0123456789abcdef"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    yield stream
    root.handlers, root.level = before[0], before[1]
    structlog.configure(**before[2])


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_what_is_bound(lines: io.StringIO) -> None:
    with logs.bound(job_id="j1", stage="mix"):
        structlog.get_logger("here").info("mixed", seconds=1.5)
        logging.getLogger("there").warning("%s of %d", "one", 2, extra={"blob": "b"})
    structlog.get_logger("here").info("after")
    first, second, third = written(lines)
    assert (first["event"], first["job_id"], first["stage"], first["seconds"], first["level"], first["logger"]) == (
        "mixed",
        "j1",
        "mix",
        1.5,
        "info",
        "here",
    )
    assert (second["event"], second["job_id"], second["blob"]) == ("one of 2", "j1", "b")
    assert "job_id" not in third
    assert all(line["timestamp"].endswith("Z") for line in (first, second, third))


@pytest.mark.parametrize(
    "fields",
    [
        {"xi-api-key": KEY},
        {"headers": {"XI-API-KEY": KEY, "Accept": "x"}},
        {"headers": [("Authorization", f"Bearer {KEY}")]},
        {"authorization": f"Basic {KEY}"},
        {"api_key": KEY},
        {"token": KEY},
        {"text": f"called with {KEY}, failed"},
        {"url": f"https://user:{KEY}@host/path"},
        {"url": f"https://host/?api_key={KEY}&x=1"},
        {"body": b"xi-api-key: " + KEY.encode()},
        {"error": ValueError(f"xi-api-key: {KEY}")},
        {"deep": [{"a": ({"password": KEY},)}]},
        {"text": f"{{'xi-api-key': '{KEY}'}}"},
        {"text": f"Bearer {KEY}"},
    ],
)
def test_no_secret_reaches_the_log(lines: io.StringIO, fields: dict[str, Any]) -> None:
    structlog.get_logger("here").error("failed", **fields)
    logging.getLogger("there").error("failed: %s", fields)
    assert KEY not in lines.getvalue()
    assert lines.getvalue().count(logs.HIDDEN) >= 2
    assert len(written(lines)) == 2


def test_no_secret_reaches_the_log_by_a_traceback(lines: io.StringIO) -> None:
    try:
        raise RuntimeError(f"401 for xi-api-key: {KEY}")
    except RuntimeError:
        structlog.get_logger("here").exception("failed")
        logging.getLogger("there").exception("failed")
    assert KEY not in lines.getvalue()
    assert all("RuntimeError" in line["exception"] for line in written(lines))


def test_what_is_no_secret_is_left_as_it_is(lines: io.StringIO) -> None:
    fields = {"key": "clips/0123456789abcdef0123456789abcdef.wav", "path": "/api/settings/keys/elevenlabs", "keyframe": 3, "ok": True, "none": None}
    structlog.get_logger("here").info("kept", **fields)
    assert fields.items() <= written(lines)[0].items()


def test_the_level_is_kept(lines: io.StringIO) -> None:
    logs.configure("warning", "json", lines)
    structlog.get_logger("here").info("no")
    logging.getLogger("there").info("no")
    structlog.get_logger("here").warning("yes")
    assert [line["event"] for line in written(lines)] == ["yes"]


def test_libraries_write_the_same_lines(lines: io.StringIO) -> None:
    code = (
        "from app import logs; logs.configure(); import warnings, dbos, logging; warnings.warn('careful'); logging.getLogger('dbos').error('trouble')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert len(events) == 2 and "careful" in events[0] and events[1] == "trouble"


def test_people_get_plain_lines(lines: io.StringIO) -> None:
    logs.configure("info", "console", lines)
    structlog.get_logger("here").info("hello", number=1)
    assert "hello" in lines.getvalue() and "number=1" in lines.getvalue() and "\x1b" not in lines.getvalue()
