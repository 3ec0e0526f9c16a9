"""A job's ceiling, by a real server and strict doubles of paid services: it stops before the ceiling is passed, goes on
from there, and a kill neither loses nor doubles what was spent."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles import elevenlabs as double
from tests.doubles import translators
from tests.integration.running import Running

VOICE = "elevenlabs:EnglishMale000000002"
COUNT = 12
TEXTS = [f"This is line number {number}." for number in range(10, 10 + COUNT)]
EACH = len(TEXTS[0])  # credits
SLOW = {"kind": "delay", "times": 1, "text": f'"text":"{TEXTS[5]}', "delay_s": 1.5}


@pytest.fixture
def service() -> Iterator[str]:
    with double.running("--tones") as url:
        yield url


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.srt"
    path.write_text(
        "\n".join(f"{n + 1}\n00:00:{n:02},100 --> 00:00:{n:02},900\n{text}\n" for n, text in enumerate(TEXTS))
    )
    return path


def calls(service: str) -> list[dict[str, Any]]:
    return list(httpx.get(f"{service}/_journal").json()["calls"])


def bought(service: str) -> Counter[str]:
    return Counter(call["text"] for call in calls(service) if call["charged"])


def created(server: Running, video: Path, lines: Path, **options: Any) -> str:
    options = {"voice": VOICE, "background": "replace", "review": False} | options
    subtitles = server.upload(lines, "lines.srt")
    return str(server.create(server.upload(video), subtitles=subtitles, **options)["id"])


def ended(server: Running, job_id: str) -> dict[str, Any]:
    return dict(server.until(job_id, lambda e: "job" in e and e["job"]["state"] in ("completed", "failed"))["job"])


def estimate(server: Running, job_id: str, **query: str) -> dict[str, Any]:
    return dict(server.ok(server.client.get(f"/api/jobs/{job_id}/estimate", params=query)))


def raised(server: Running, job_id: str, **options: Any) -> None:
    server.ok(server.client.patch(f"/api/jobs/{job_id}", json={"options": {"spending": options}}))


def test_a_ceiling_of_five_lines_buys_five_and_raised_it_buys_exactly_the_rest(
    serve: Callable[..., Running], service: str, spoken_mp4: Path, lines: Path
) -> None:
    server = serve(ELEVENLABS_API_KEY=double.KEY, ELEVENLABS_BASE_URL=service)  # five at once
    job_id = created(server, spoken_mp4, lines, ceiling_credits=5 * EACH + EACH / 2)
    job = ended(server, job_id)
    assert (job["state"], job["error"]["code"], job["error"]["stage"]) == ("failed", "ceiling_reached", "synthesize")
    assert f"{5 * EACH} of {5 * EACH + EACH // 2} credits" in job["error"]["message"]
    assert sum(bought(service).values()) == 5
    told = estimate(server, job_id)
    assert (told["spent_credits"], told["credits"]) == (5 * EACH, 7 * EACH)
    assert told["passes_ceiling"] and told["cached_lines"] == 5
    raised(server, job_id, ceiling_credits=12 * EACH)
    assert not estimate(server, job_id)["passes_ceiling"]
    server.act(job_id, "retry")
    assert ended(server, job_id)["state"] == "completed"
    assert bought(service) == Counter(TEXTS)
    assert estimate(server, job_id)["spent_credits"] == COUNT * EACH


def test_a_kill_while_lines_are_spoken_neither_loses_nor_doubles_what_was_spent(
    serve: Callable[..., Running], service: str, spoken_mp4: Path, lines: Path
) -> None:
    server = serve(ELEVENLABS_API_KEY=double.KEY, ELEVENLABS_BASE_URL=service)
    httpx.post(f"{service}/_faults", json=[SLOW])
    job_id = created(server, spoken_mp4, lines, ceiling_usd=5.0)
    until(lambda: len(calls(service)) > 5)  # the slow one is on its way, others are answered
    server.kill()
    server.start()
    job = ended(server, job_id)
    assert job["state"] == "completed", job["error"]
    until(lambda: all(call["charged"] for call in calls(service)))  # what was on its way is billed, too
    told = estimate(server, job_id)
    assert told["spent_credits"] == COUNT * EACH, "every line was answered once"
    assert told["spent_usd"] == pytest.approx(COUNT * EACH * 0.08 / 1000)
    again = bought(service) - Counter(TEXTS)
    assert set(bought(service)) == set(TEXTS)
    assert sum(again.values()) * EACH <= told["open_credits"] <= 5 * EACH, "only what was on its way is sent again"


def test_a_translation_stops_before_the_ceiling_and_goes_on_where_it_was(
    serve: Callable[..., Running], spoken_mp4: Path, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.json"
    row = {"engine": "chat", "usd": 1.0, "per": 1000.0}
    prices.write_text(json.dumps({"prices": [row | {"unit": "input token"}, row | {"unit": "output token"}]}))
    many = tmp_path / "many.srt"
    texts = [f"There are {number} tables in the workshop." for number in range(100, 160)]  # three requests
    many.write_text(
        "\n".join(
            f"{n + 1}\n00:00:{n // 4:02},{250 * (n % 4):03} --> 00:00:{n // 4:02},{250 * (n % 4) + 240:03}\n{text}\n"
            for n, text in enumerate(texts)
        )
    )
    with translators.running() as url:
        server = serve(
            AUTODUBBER_CHAT_URL=f"{url}/v1",
            AUTODUBBER_CHAT_MODEL=translators.MODEL,
            AUTODUBBER_CHAT_KEY=translators.KEY,
            AUTODUBBER_PRICES=str(prices),
        )
        options = {"translator": "chat", "target_language": "es", "language": "en", "review": True}
        job_id = created(server, spoken_mp4, many, voice="espeak:es", ceiling_usd=3.5, **options)
        job = server.until(job_id, lambda e: "job" in e and e["job"]["state"] in ("review", "failed"))["job"]
        assert (job["state"], job["error"]["code"], job["error"]["stage"]) == ("failed", "ceiling_reached", "translate")
        asked = httpx.get(f"{url}/_journal").json()["calls"]
        told = estimate(server, job_id)
        usd = sum(call_usd(call) for call in asked)
        assert len(asked) > 0 and told["spent_usd"] == pytest.approx(usd) and told["spent_usd"] <= 3.5
        rest = next(item for item in told["items"] if item["what"] == "translation")
        assert rest["engine"] == "chat" and rest["usd"] > 0 and told["passes_ceiling"]
        raised(server, job_id, ceiling_usd=20.0)
        server.act(job_id, "retry")
        server.wait(job_id, "review")
        later = httpx.get(f"{url}/_journal").json()["calls"][len(asked) :]
        first, rest_asked = ({text for call in some for text in call["texts"]} for some in (asked, later))
        assert first | rest_asked == set(texts) and not first & rest_asked, "no line is paid for again"
        before = estimate(server, job_id)["spent_usd"]
        again = estimate(server, job_id, translate="all")
        assert again["money_usd"] > 0 and (again["lines"], again["cached_lines"]) == (60, 0)
        raised(server, job_id, ceiling_usd=before)
        lines = server.ok(server.client.get(f"/api/jobs/{job_id}/segments"))
        refused = server.client.post(
            f"/api/jobs/{job_id}/segments/translate",
            json={"which": "all"},
            headers={"If-Match": f'"{lines["revision"]}"'},
        )
        assert (refused.status_code, refused.json()["code"]) == (402, "ceiling_reached")
        assert estimate(server, job_id)["spent_usd"] == before


def call_usd(call: dict[str, Any]) -> float:
    """As the double counts: a fourth of the bytes, a dollar for 1,000."""
    reads = sum(len(message["content"].encode()) for message in call["body"]["messages"]) // 4
    return (reads + call["written"]) / 1000


def test_the_ceiling_of_the_operator_holds_for_a_job_that_names_none_and_for_a_preview(
    serve: Callable[..., Running], service: str, spoken_mp4: Path, lines: Path
) -> None:
    server = serve(
        ELEVENLABS_API_KEY=double.KEY, ELEVENLABS_BASE_URL=service, AUTODUBBER_CEILING_CREDITS=str(EACH * 1.5)
    )
    job_id = created(server, spoken_mp4, lines, review=True)
    server.wait(job_id, "review")
    first, second = server.segments(job_id)[0][:2]
    url = f"/api/jobs/{job_id}/segments"
    assert server.client.post(f"{url}/{first['id']}/preview").status_code == 200
    refused = server.client.post(f"{url}/{second['id']}/preview")
    assert (refused.status_code, refused.json()["code"]) == (402, "ceiling_reached")
    assert server.client.post(f"{url}/{first['id']}/preview").status_code == 200, "what is bought costs nothing"
    assert bought(service) == Counter(TEXTS[:1])


def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
