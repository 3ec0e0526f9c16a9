"""A look at a subtitle file before a job is made of it, over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.unit.api.serving import Server

GOOD = "1\r\n00:00:01,000 --> 00:00:02,000\r\nŐ és ű: öröm.\r\n\r\n2\r\n00:00:04,000 --> 00:00:03,000\r\nTűz!\r\n"


def test_a_file_is_looked_at_and_nothing_is_kept(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, httpx.Client(base_url=server.url) as client:

        def looked(data: bytes, status: int = 200, **query: str) -> Any:
            kind = {"Content-Type": "application/octet-stream"}
            answer = client.post("/api/subtitles/preview", content=data, params=query, headers=kind)
            assert answer.status_code == status, answer.text
            return answer.json()

        found = looked(GOOD.encode("cp1250"), language="hu")
        assert found["encodings"][0] == {"id": "cp1250", "name": "Central European (Windows-1250)"}
        assert found["subtitles"] | {"faults": []} == {
            "format": "srt",
            "encoding": "cp1250",
            "guessed": True,
            "sample": "Ő és ű: öröm.",
            "cues": 2,
            "rolling": False,
            "left_out": 0,
            "repaired": 1,
            "faults": [],
        }
        assert [(fault["line"], fault["left_out"]) for fault in found["subtitles"]["faults"]] == [(6, False)]
        chosen = looked(GOOD.encode("cp1250"), encoding="windows-1252")
        assert (chosen["subtitles"]["encoding"], chosen["subtitles"]["guessed"]) == ("cp1252", False)
        assert chosen["subtitles"]["sample"] == "Õ és û: öröm."
        assert {each["id"] for each in chosen["encodings"]} == {each["id"] for each in found["encodings"]}
        assert not looked(GOOD.encode())["subtitles"]["guessed"]
        assert looked(GOOD.encode(), 422, encoding="rot13")["code"] == "encoding_unknown"
        assert looked(GOOD.encode(), 400, language="../x")["code"] == "invalid_request"
        assert looked(b"<SAMI>", 422)["code"] == "subtitles_invalid"
        assert looked(b"", 422)["code"] == "subtitles_empty"
        assert looked(b"x" * (11 << 20), 413)["status"] == 413
        assert not any(path.is_file() for path in (tmp_path / "data" / "blobs").rglob("*"))
        assert "ERROR" not in server.log.read_text()


def test_the_description_says_what_lists_with_a_limit_hold_and_that_the_body_is_the_file() -> None:
    done = subprocess.run([sys.executable, "-m", "app", "openapi"], capture_output=True, text=True, check=True)
    described = json.loads(done.stdout)
    changes = described["components"]["schemas"]["SegmentChanges"]["properties"]
    assert changes["add"]["items"] == {"$ref": "#/components/schemas/SegmentNew"}
    assert changes["remove"]["items"] == {"type": "string"}
    assert "application/octet-stream" in described["paths"]["/api/subtitles/preview"]["post"]["requestBody"]["content"]
