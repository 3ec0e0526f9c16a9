"""What reaches the log, and what never does."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from app.observability import logs, metrics
from app.observability.log_file import LogFile

KEY = "sk_0123456789abcdef0123456789abcdef"


@contextlib.contextmanager
def configured(style: str, file: LogFile | None = None, stream: io.StringIO | None = None) -> Iterator[io.StringIO]:
    """The log of this process, in a string, for the block."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config(), sys.excepthook, threading.excepthook)
    stream = stream or io.StringIO()
    logs.configure("debug", style, stream, file)
    try:
        yield stream
    finally:
        root.handlers, root.level = before[0], before[1]
        structlog.configure(**before[2])
        sys.excepthook, threading.excepthook = before[3], before[4]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    with configured("json") as stream:
        yield stream


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
        {"X-Autodubber-Key": f"other={KEY}"},
        {"text": f"X-Autodubber-Key: other={KEY}"},
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
    fields = {
        "key": "clips/0123456789abcdef0123456789abcdef.wav",
        "path": "/api/settings/keys/elevenlabs",
        "keyframe": 3,
        "ok": True,
        "none": None,
    }
    structlog.get_logger("here").info("kept", **fields)
    assert fields.items() <= written(lines)[0].items()


def test_the_level_is_kept(lines: io.StringIO) -> None:
    logs.configure("warning", "json", lines)
    structlog.get_logger("here").info("no")
    logging.getLogger("there").info("no")
    structlog.get_logger("here").warning("yes")
    assert [line["event"] for line in written(lines)] == ["yes"]


def test_libraries_write_the_same_lines(lines: io.StringIO) -> None:
    say = "warnings.warn('careful'); logging.getLogger('dbos').error('trouble')"
    code = f"from app.observability import logs; logs.configure(); import warnings, dbos, logging; {say}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert len(events) == 2 and "careful" in events[0] and events[1] == "trouble"


def test_people_get_plain_lines(lines: io.StringIO) -> None:
    logs.configure("info", "console", lines)
    structlog.get_logger("here").info("hello", number=1)
    assert "hello" in lines.getvalue() and "number=1" in lines.getvalue() and "\x1b" not in lines.getvalue()


FORGED = 'x\n{"event": "forged"}\r\n2026-01-01 [critical ] forged\x1b[2J\u2028\u202eend\x85\x00'


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_text_can_look_like_a_line_of_its_own(style: str) -> None:
    with configured(style) as stream:
        structlog.get_logger("here").info("request", path=FORGED, title=FORGED, deep=[FORGED], raw=FORGED.encode())
        structlog.get_logger("here").info(FORGED)
        logging.getLogger("there").warning("took %s", FORGED, extra={"name_of_file": FORGED})
    lines = stream.getvalue().split("\n")
    assert len(lines) == 4 and lines[-1] == ""
    assert all(line.isprintable() for line in lines)


def test_a_traceback_for_people_cannot_forge_a_line_either() -> None:
    with configured("console") as stream:
        try:
            raise ValueError(FORGED)
        except ValueError:
            logging.getLogger("there").exception("failed")
    first, *rest = stream.getvalue().rstrip("\n").split("\n")
    assert "failed" in first and rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_a_traceback_is_within_its_line(lines: io.StringIO) -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("there").exception("failed")
    (line,) = written(lines)
    assert "Traceback" in line["exception"] and "forged" in line["exception"]


def test_what_nobody_caught_is_a_line_from_any_thread() -> None:
    code = (
        "import sys, threading\n"
        "from app.observability import logs\n"
        "logs.configure(stream=sys.stdout)\n"
        "thread = threading.Thread(target=lambda: 1 / 0, name='engine')\n"
        "thread.start(); thread.join()\n"
        f"raise RuntimeError('api_key={KEY}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["level"], first["thread_name"]) == ("critical", "engine") and "ZeroDivisionError" in first[
        "exception"
    ]
    assert second["level"] == "critical" and "RuntimeError" in second["exception"]
    assert done.stderr == "" and KEY not in done.stdout


def test_the_file_has_the_same_lines_with_the_same_times(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log", most_bytes=0, keep=1, rotates=True)
    with configured("json", file) as stream:
        structlog.get_logger("here").info("one")
        logging.getLogger("there").info("two")
    assert (tmp_path / "log").read_text() == stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 2


def test_a_place_that_takes_nothing_stops_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with configured("json", stream=Full()):
        structlog.get_logger("here").info("hello", token=KEY)
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "No space left" in told and KEY not in told


def test_lines_are_counted_by_level() -> None:
    before = metrics.LOG_LINES.values().get(("error",), 0.0)
    with configured("json"):
        logging.getLogger("there").error("one")
        structlog.get_logger("here").error("two")
    assert metrics.LOG_LINES.values()[("error",)] - before == 2


def test_the_settings_own_secrets_are_hidden_whatever_they_look_like(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_own", None)
    logs.hide(["correct horse battery", "a.b*c(d)e", "abc"])
    structlog.get_logger("here").info(
        "said correct horse battery", path=Path("/x/a.b*c(d)e"), deep=[{"odd": "1a.b*c(d)e2"}]
    )
    assert "battery" not in lines.getvalue() and "a.b*c" not in lines.getvalue()
    structlog.get_logger("here").info("abc stays: it is too short to be looked for")
    assert written(lines)[1]["event"].startswith("abc stays")
