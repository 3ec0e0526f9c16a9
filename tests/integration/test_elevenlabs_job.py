"""The main job spoken by ElevenLabs: the real SDK against a strict server, and everything that can go wrong there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles import elevenlabs as double
from tests.integration.conftest import SPOKEN
from tests.integration.running import Running
from tests.integration.speech import heard

VOICE = "elevenlabs:EnglishMale000000002"
CORRECTED = "The glue needs ten minutes to dry."


class Service:
    """The double, by its address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def journal(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/_journal").json())

    def bought(self) -> Counter[str]:
        return Counter(call["text"] for call in self.journal()["calls"] if call["charged"])

    def fails(self, *faults: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/_faults", json=list(faults))

    def account(self, **values: Any) -> None:
        httpx.post(f"{self.url}/_account", json=values)


def line(text: str) -> str:
    """How a request that speaks this line begins; its neighbours carry the text too, as context."""
    return f'"text":"{text}'


@pytest.fixture
def service() -> Iterator[Service]:
    with double.running() as url:
        yield Service(url)


@pytest.fixture
def dubber(serve: Callable[..., Running], service: Service) -> Running:
    return serve(ELEVENLABS_API_KEY=double.KEY, ELEVENLABS_BASE_URL=service.url)


def finished(
    server: Running, spoken_mp4: Path, *, headers: dict[str, str] | None = None, **options: Any
) -> dict[str, Any]:
    """The job in its end, completed or failed."""
    job = server.create(server.upload(spoken_mp4), review=False, **{"voice": VOICE} | options, headers=headers)
    return dict(server.until(job["id"], lambda e: "job" in e and e["job"]["state"] in ("completed", "failed"))["job"])


def test_a_video_is_corrected_and_spoken_by_elevenlabs(
    dubber: Running, service: Service, spoken_mp4: Path, whisper_checkpoint: Path, ffmpeg: str, tmp_path: Path
) -> None:
    job = dubber.create(dubber.upload(spoken_mp4), voice=VOICE, background="replace")
    dubber.wait(job["id"], "review")
    segments, _ = dubber.segments(job["id"])
    dubber.edit(job["id"], edit=[{"id": segments[1]["id"], "text": CORRECTED}])
    estimate = dubber.ok(dubber.client.get(f"/api/jobs/{job['id']}/estimate"))
    texts = [CORRECTED if i == 1 else s.text for i, s in enumerate(SPOKEN)]
    assert estimate["characters"] == estimate["credits"] == sum(map(len, texts))
    assert estimate["unit"] == "credit"
    assert estimate["money_usd"] == pytest.approx(estimate["credits"] * 0.08 / 1000)
    preview = dubber.client.post(f"/api/jobs/{job['id']}/segments/{segments[0]['id']}/preview")
    assert preview.status_code == 200 and preview.content[:4] == b"RIFF"
    dubber.act(job["id"], "approve")
    dubber.wait(job["id"], "completed")
    said = heard(ffmpeg, dubber.download(job["id"], "video", tmp_path / "dub.mp4"), whisper_checkpoint, tmp_path)
    assert [s.text.strip() for s in said] == texts
    assert [s.start_s for s in said] == pytest.approx([s.start_s for s in SPOKEN], abs=0.3)
    assert service.journal()["violations"] == []
    assert service.bought() == Counter(texts), "the previewed line must not be bought again"


def test_an_edit_after_the_render_buys_one_line(dubber: Running, service: Service, spoken_mp4: Path) -> None:
    job = finished(dubber, spoken_mp4)
    segments, _ = dubber.segments(job["id"])
    before = service.bought()
    dubber.edit(job["id"], edit=[{"id": segments[2]["id"], "text": CORRECTED}])
    dubber.act(job["id"], "render")
    dubber.until(job["id"], lambda e: "job" in e and e["job"]["state"] == "completed" and not e["job"]["stale"])
    assert service.bought() - before == Counter([CORRECTED])


BUSY = {"detail": {"status": "system_busy", "code": "system_busy", "message": "busy"}}


@pytest.mark.parametrize(
    "faults",
    [
        [
            {"kind": "status", "status": 429, "body": BUSY},
            {"kind": "status", "status": 503, "body": "<html>down</html>"},
            {"kind": "truncated"},
            {"kind": "odd"},
        ],
        [{"kind": "disconnect"}, {"kind": "html"}, {"kind": "empty"}, {"kind": "json"}],
    ],
    ids=["busy, down, cut short, odd", "gone, a page, nothing, JSON"],
)
def test_a_passing_trouble_on_every_line_is_tried_again(
    faults: list[dict[str, Any]], dubber: Running, service: Service, spoken_mp4: Path
) -> None:
    service.fails(
        *(fault | {"text": line(sentence.text), "times": 1} for fault, sentence in zip(faults, SPOKEN, strict=True))
    )
    job = finished(dubber, spoken_mp4)
    assert job["state"] == "completed", job["error"]
    assert Counter(call["text"] for call in service.journal()["calls"]) == Counter(
        {sentence.text: 2 for sentence in SPOKEN}
    )


def test_spent_credits_keep_what_is_spoken_and_a_retry_buys_only_the_rest(
    serve: Callable[..., Running], service: Service, spoken_mp4: Path
) -> None:
    dubber = serve(ELEVENLABS_API_KEY=double.KEY, ELEVENLABS_BASE_URL=service.url, AUTODUBBER_ELEVENLABS_AT_ONCE="1")
    service.account(limit=len(SPOKEN[0].text) + len(SPOKEN[1].text), used=0)
    job = finished(dubber, spoken_mp4)
    assert (job["state"], job["error"]["code"], job["error"]["stage"]) == ("failed", "quota_exceeded", "synthesize")
    assert job["error"]["hint"]
    assert service.bought() == Counter(s.text for s in SPOKEN[:2])
    service.account(limit=100_000)
    dubber.act(job["id"], "retry")
    dubber.wait(job["id"], "completed")
    assert service.bought() == Counter(s.text for s in SPOKEN)


def test_a_wrong_key_is_told_and_nowhere_to_be_read(
    serve: Callable[..., Running], service: Service, spoken_mp4: Path
) -> None:
    wrong = "sk_wrong_value_that_must_not_leak"
    server = serve(ELEVENLABS_API_KEY=wrong, ELEVENLABS_BASE_URL=service.url)
    job = finished(server, spoken_mp4)
    assert (job["state"], job["error"]["code"]) == ("failed", "key_invalid")
    everything = (
        server.client.get("/api/jobs").text
        + server.client.get("/api/engines").text
        + server.client.get("/api/settings").text
    )
    assert wrong not in everything and wrong not in server.logged()


def test_a_key_that_comes_with_the_request_is_used_and_survives_a_kill(
    serve: Callable[..., Running], service: Service, spoken_mp4: Path
) -> None:
    server = serve(ELEVENLABS_BASE_URL=service.url)
    job = finished(server, spoken_mp4)
    assert job["error"]["code"] == "key_missing"
    service.fails({"kind": "delay", "text": line(SPOKEN[3].text), "delay_s": 60})
    server.ok(
        server.client.post(f"/api/jobs/{job['id']}/retry", headers={"X-Autodubber-Key": f"elevenlabs={double.KEY}"})
    )
    server.until(job["id"], lambda e: e["type"] == "progress" and e["message"].startswith("3 of "))
    server.kill()
    server.start()
    server.wait(job["id"], "completed")
    assert service.bought() == Counter(s.text for s in SPOKEN)
    for path in server.data.rglob("*"):
        if path.is_file():
            assert double.KEY.encode() not in path.read_bytes(), path
    assert double.KEY not in server.logged()


def test_a_key_entered_in_the_page_is_masked_and_used(
    serve: Callable[..., Running], service: Service, spoken_mp4: Path
) -> None:
    server = serve(ELEVENLABS_BASE_URL=service.url)
    told = server.client.put("/api/settings/keys/elevenlabs", json={"key": double.KEY})
    assert told.status_code < 300, told.text
    shown = server.client.get("/api/settings/keys/elevenlabs").text
    assert double.KEY not in shown and double.KEY[-4:] in shown
    voices = server.ok(server.client.get("/api/voices", params={"engine": "elevenlabs"}))
    assert "EnglishMale000000002" in str(voices)
    assert finished(server, spoken_mp4)["state"] == "completed"


def test_an_unknown_voice_is_refused_before_anything_is_bought(
    dubber: Running, service: Service, spoken_mp4: Path
) -> None:
    job = finished(dubber, spoken_mp4, voice="elevenlabs:NoSuchVoice000000000")
    assert (job["state"], job["error"]["code"]) == ("failed", "voice_unknown")
    assert service.bought() == Counter()
