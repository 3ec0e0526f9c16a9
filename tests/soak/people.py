"""The people of the soak: each thread does at random what a person does, and remembers what the server has
acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

TUS: Final = {"Tus-Resumable": "1.0.0"}
_JOBS: Final = 3  # of one person; the small disk holds no more
_ID_CHARACTERS: Final = 32
_TIMEOUT_S: Final = 90.0  # a writer waits 30 s for a locked database
_SRT: Final = (
    "1\n00:00:00,200 --> 00:00:02,000\nHello everybody and welcome.\n\n"
    "2\n00:00:02,500 --> 00:00:04,500\nToday we build a small table.\n"
)


@dataclass
class Known:
    """What the server has said of a job: the titles that it may have, and whether it is `kept`, `deleted`, or nobody
    was told (`doubtful`)."""

    titles: set[str]
    fate: str = "kept"


class Ledger:
    """What was acknowledged, by whom it can be checked later, and every answer that must not be."""

    def __init__(self) -> None:
        self.jobs: dict[str, Known] = {}
        self.faults: list[str] = []
        self.answers: Counter[str] = Counter()
        self.lock = threading.Lock()

    def saw(self, what: str, answer: httpx.Response) -> httpx.Response:
        """Count the answer; one that no request may ever get is a fault."""
        with self.lock:
            self.answers[f"{what} {answer.status_code}"] += 1
            problem = "problem+json" in answer.headers.get("content-type", "") or what.startswith(
                ("HEAD", "GET /health")
            )
            if answer.status_code == 500 or (answer.status_code >= 400 and not problem):
                self.faults.append(f"{what}: {answer.status_code} {answer.text[:200]}")
        return answer


class Person(threading.Thread):
    """Acts until `over` is set. The same `seed` chooses the same acts; what they meet differs."""

    def __init__(self, url: str, video: Path, ledger: Ledger, seed: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._video, self._ledger, self._over = video.read_bytes(), ledger, over
        self._random = random.Random(seed)
        self._mine: set[str] = set()
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_S)

    def run(self) -> None:
        acts = [
            self._submit,
            self._submit,
            self._upload,
            self._title,
            self._edit,
            self._look,
            self._look,
            self._cancel,
            self._retry,
            self._discard,
        ]
        with self._client:
            while not self._over.wait(self._random.uniform(0.05, 1.0)):
                try:
                    self._random.choice(acts)()
                except httpx.TransportError:  # the server was killed; what the act may have done stays doubtful
                    with self._ledger.lock:
                        self._ledger.answers["connection broke"] += 1

    # ---------------------------------------------------------------- what a person does

    def _ask(self, method: str, address: str, **given: Any) -> httpx.Response:
        names = ["ID" if len(name) == _ID_CHARACTERS else name for name in address.split("/")]
        return self._ledger.saw(f"{method} {'/'.join(names)}", self._client.request(method, address, **given))

    def _one(self) -> str | None:
        """A job of this person's: nobody else changes it."""
        return self._random.choice(sorted(self._mine)) if self._mine else None

    def _submit(self) -> None:
        """A whole job in one request: with subtitles, or to be recognised."""
        if len(self._mine) >= _JOBS:
            return
        files: dict[str, Any] = {"file": ("film.mp4", self._video)}
        if self._random.random() < 0.6:
            files["subtitles"] = ("film.srt", _SRT.encode())
        title = f"film {self._random.randrange(10**6)}"
        answer = self._ask(
            "POST",
            "/api/jobs",
            files=files,
            data={"title": title, "review": self._random.choice(["true", "false", "false"])},
        )
        if answer.status_code == 201:
            with self._ledger.lock:
                self._ledger.jobs[answer.json()["id"]] = Known({title})
            self._mine.add(answer.json()["id"])

    def _upload(self) -> None:
        """Over tus, in pieces, leaving off at random; then a job of it, or not."""
        answer = self._ask("POST", "/api/uploads", headers={**TUS, "Upload-Length": str(len(self._video))})
        if answer.status_code != 201:
            return
        address, at = httpx.URL(answer.headers["Location"]).path, 0
        while at < len(self._video) and self._random.random() > 0.1:
            piece = self._video[at : at + self._random.randrange(1, 200_000)]
            sent = {**TUS, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
            try:
                answer = self._ask("PATCH", address, headers=sent, content=piece)
            except httpx.TransportError:
                time.sleep(1.0)
            told = at + len(piece) if answer.status_code == 204 else at
            asked = self._ask("HEAD", address, headers=TUS)
            if asked.status_code == 404 or "upload-offset" not in asked.headers:
                return
            at = int(asked.headers["upload-offset"])
            if at < told:
                with self._ledger.lock:
                    self._ledger.faults.append(f"an upload at {told} went back to {at}")
        if self._random.random() < 0.5:
            self._ask("DELETE", address, headers=TUS)

    def _title(self) -> None:
        if (job_id := self._one()) is None:
            return
        title = f"renamed {self._random.randrange(10**6)}"
        titles = self._ledger.jobs[job_id].titles
        titles.add(title)  # it may have it, until the answer is here
        answer = self._ask("PATCH", f"/api/jobs/{job_id}", json={"title": title})
        if answer.status_code == 200:
            titles.intersection_update({title})
        elif answer.status_code < 500 or answer.status_code in (503, 507):
            titles.discard(title)

    def _edit(self) -> None:
        """Change a line and render again."""
        if (job_id := self._one()) is None:
            return
        lines = self._ask("GET", f"/api/jobs/{job_id}/segments")
        if lines.status_code != 200 or not lines.json()["segments"]:
            return
        line = self._random.choice(lines.json()["segments"])
        change = {"edit": [{"id": line["id"], "text": f"This is number {self._random.randrange(1000)}."}]}
        self._ask("PATCH", f"/api/jobs/{job_id}/segments", json=change, headers={"If-Match": lines.headers["etag"]})
        self._ask("POST", f"/api/jobs/{job_id}/render")

    def _look(self) -> None:
        self._ask("GET", "/api/jobs")
        self._ask("GET", "/health/ready") if self._random.random() < 0.2 else None
        if (job_id := self._one()) is not None:
            self._ask("GET", f"/api/jobs/{job_id}")

    def _cancel(self) -> None:
        if self._random.random() < 0.3 and (job_id := self._one()) is not None:
            self._ask("POST", f"/api/jobs/{job_id}/cancel")

    def _retry(self) -> None:
        if (job_id := self._one()) is not None:
            self._ask("POST", f"/api/jobs/{job_id}/{self._random.choice(['retry', 'approve', 'render'])}")

    def _discard(self) -> None:
        if self._random.random() > 0.5 or (job_id := self._one()) is None:
            return
        known = self._ledger.jobs[job_id]
        known.fate = "doubtful"
        known.fate = "deleted" if self._ask("DELETE", f"/api/jobs/{job_id}").status_code in (204, 404) else "kept"
        if known.fate == "deleted":
            self._mine.discard(job_id)
