"""Names that would turn the text around them, or act on a terminal, are cleaned on the way in; older ones on the way
out."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from app.api.ranges import disposition
from app.domain.media import ArtifactKind
from tests.unit.api.conftest import Seeded
from tests.unit.api.serving import Server, seed_job

ODD = "Film \u202egpj.exe\u2069\x9b31m"
CLEAN = "Film gpj.exe31m"


@pytest.mark.parametrize("filename", [f"{ODD}.mp4", f"{ODD}\x1b]0;x\x07.mp4", f"../{ODD}.mp4"])
def test_a_files_name_is_cleaned_in_a_form_and_in_tus(filename: str, client: httpx.Client) -> None:
    head = (
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"'.encode()
        + b"\r\n\r\nno video\r\n--b--\r\n"
    )
    made = client.post("/api/jobs", content=head, headers={"Content-Type": "multipart/form-data; boundary=b"})
    told = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "1",
        "Upload-Metadata": f"filename {base64.b64encode(filename.encode()).decode()}",
    }
    upload = client.post(
        "/api/uploads", content=b"x", headers={**told, "Content-Type": "application/offset+octet-stream"}
    )
    also = client.post("/api/jobs", json={"upload_id": upload.headers["location"].rpartition("/")[2]})
    for answer in (made, also):
        assert answer.status_code == 201, answer.text
        assert answer.json()["title"].startswith(CLEAN)
        assert not set("\u202e\u2069\x9b\x1b\x07") & set(answer.json()["title"])
        client.post(f"/api/jobs/{answer.json()['id']}/cancel")
        assert client.delete(f"/api/jobs/{answer.json()['id']}").status_code == 204


def test_a_title_is_cleaned_or_refused(client: httpx.Client, seeded: Seeded) -> None:
    job = f"/api/jobs/{seeded.job_id}"
    before = client.get(job).json()["title"]
    assert client.patch(job, json={"title": "Film \u202egpj.exe\u2069"}).json()["title"] == "Film gpj.exe"
    assert client.patch(job, json={"title": "Film\x1b[31m"}).json()["code"] == "text_invalid"
    assert client.patch(job, json={"title": before}).json()["title"] == before


def test_a_title_from_before_is_cleaned_when_it_is_told(tmp_path: Path) -> None:
    job_id = seed_job(tmp_path / "data", {ArtifactKind.VIDEO: (b"v", "video/mp4", "mp4")}, title=ODD)
    with Server(tmp_path / "data") as server:
        assert httpx.get(f"{server.url}/api/jobs/{job_id}").json()["title"] == CLEAN
        header = httpx.get(f"{server.url}/download/video/{job_id}").headers["content-disposition"]
    assert quote("\u202e") not in header and CLEAN in header


def test_no_header_turns_a_files_name() -> None:
    header = disposition("attachment", f"{ODD}.mp4")
    assert header.isascii() and header.isprintable()
    assert not any(quote(character) in header for character in "\u202e\u2069\x9b")
