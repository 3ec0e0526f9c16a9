"""A whole job that is translated on its way, by a server that talks to a strict double of a chat service."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles import translators as double
from tests.integration.conftest import SPOKEN
from tests.integration.running import Running

COUNT = 60
TEXTS = [f"This is line number {number} of the film." for number in range(10, 10 + COUNT)]


@pytest.fixture(scope="module")
def service() -> Any:
    with double.running() as url:
        yield url


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.srt"
    path.write_text(
        "\n".join(
            f"{n + 1}\n00:00:{n // 5:02},{200 * (n % 5):03} --> 00:00:{n // 5:02},{200 * (n % 5) + 190:03}\n{text}\n"
            for n, text in enumerate(TEXTS)
        )
    )
    return path


def environ(service: str) -> dict[str, str]:
    return {
        "AUTODUBBER_CHAT_URL": f"{service}/v1",
        "AUTODUBBER_CHAT_MODEL": double.MODEL,
        "AUTODUBBER_CHAT_KEY": double.KEY,
        "AUTODUBBER_LIBRETRANSLATE_URL": service,
    }


def journal(service: str) -> dict[str, Any]:
    return dict(httpx.get(f"{service}/_journal").json())


def kept_tag(lines: dict[str, Any]) -> str:
    return f'"{lines["revision"]}"'


def test_a_film_is_translated_and_the_files_have_both_languages(
    serve: Callable[..., Running], spoken_mp4: Path, service: str
) -> None:
    server = serve(**environ(service))
    job = server.create(
        server.upload(spoken_mp4), language="en", target_language="es", translator="chat", voice="espeak:auto"
    )
    server.wait(job["id"], "review")
    found = server.ok(server.client.get(f"/api/jobs/{job['id']}/segments"))["segments"]
    assert found and all(line["translation"] == "done" for line in found)
    assert [line["text"] for line in found] == [double.word_by_word(line["original"]) for line in found]
    assert len(found) == len(SPOKEN)
    path = f"/api/jobs/{job['id']}/segments"
    answer = server.client.get(path)
    edit = {"edit": [{"id": found[0]["id"], "original": "Something else."}]}
    changed = server.ok(server.client.patch(path, json=edit, headers={"If-Match": answer.headers["ETag"]}))
    assert (changed["segments"][0]["translation"], changed["segments"][0]["text"]) == ("stale", found[0]["text"])
    tag = {"If-Match": f'"{changed["revision"]}"'}
    wanted = {"ids": [found[0]["id"]]}
    assert server.client.post(f"{path}/translate", json={"ids": ["none"]}, headers=tag).status_code == 404
    again = server.client.post(f"{path}/translate", json=wanted, headers=tag)
    line = server.ok(again)["segments"][0]
    assert (line["translation"], line["text"]) == ("done", double.word_by_word("Something else."))
    assert server.client.post(f"{path}/translate", json=wanted, headers=tag).json()["code"] == "edit_conflict"
    assert journal(service)["calls"][-1]["texts"] == ["Something else."]
    httpx.post(f"{service}/_faults", json=[{"drop": [1]}] * 3)
    tag = {"If-Match": again.headers["ETag"]}
    kept = server.ok(server.client.post(f"{path}/translate", json=wanted, headers=tag))
    assert kept["segments"][0] == line, "without a usable answer it stays as it is"
    stale = {"edit": [{"id": one["id"], "original": f"Line {n}."} for n, one in enumerate(found[:2])]}
    changed = server.client.patch(path, json=stale, headers={"If-Match": kept_tag(kept)})
    both = server.client.post(
        f"{path}/translate", json={"which": "stale"}, headers={"If-Match": changed.headers["ETag"]}
    )
    told = server.ok(both)
    assert [one["text"] for one in told["segments"]][:2] == [double.word_by_word(f"Line {n}.") for n in (0, 1)]
    assert (told["kept"], told["next"]) == ([], None)
    before = len(journal(service)["calls"])
    tag = {"If-Match": both.headers["ETag"]}
    server.ok(server.client.post(f"{path}/translate", json={"which": "all", "after": found[0]["id"]}, headers=tag))
    assert len(journal(service)["calls"][before]["texts"]) == len(found) - 1
    edit = {"edit": [{"id": found[0]["id"], "original": "Something else."}]}
    server.ok(server.client.patch(path, json=edit, headers={"If-Match": server.client.get(path).headers["ETag"]}))
    server.ok(server.client.post(f"/api/jobs/{job['id']}/approve"))
    server.wait(job["id"], "completed")
    spoken, original = (server.client.get(f"/download/{kind}/{job['id']}").text for kind in ("srt", "source_srt"))
    assert "Something else." in original and "Line 1." in original
    assert double.word_by_word("Line 1.") in spoken
    assert double.KEY not in server.logged()


def test_a_server_killed_while_it_translates_buys_no_batch_twice(
    serve: Callable[..., Running], spoken_mp4: Path, lines: Path, service: str
) -> None:
    server = serve(**environ(service))
    before = len(journal(service)["calls"])
    httpx.post(f"{service}/_faults", json=[{"match": TEXTS[-1], "delay_s": 60}])  # the third batch hangs
    job = server.create(
        server.upload(spoken_mp4),
        subtitles=server.upload(lines),
        language="en",
        target_language="es",
        translator="libretranslate",
        join_short_cues="off",
    )
    server.until(job["id"], lambda event: event["type"] == "progress" and event["message"] == f"50 of {COUNT} lines")
    server.kill()
    server.start()
    server.wait(job["id"], "review")
    told = journal(service)
    answered = [call for call in told["calls"][before:] if call["answered"]]
    assert Counter(text for call in answered for text in call["texts"]) == Counter(TEXTS)
    assert told["violations"] == []


def test_a_translation_is_cancelled_within_two_seconds_and_goes_on_at_a_retry(
    serve: Callable[..., Running], spoken_mp4: Path, lines: Path, service: str
) -> None:
    server = serve(**environ(service))
    before = len(journal(service)["calls"])
    httpx.post(f"{service}/_faults", json=[{"match": TEXTS[30], "delay_s": 60}])
    job = server.create(
        server.upload(spoken_mp4),
        subtitles=server.upload(lines),
        language="en",
        target_language="de",
        translator="libretranslate",
        join_short_cues="off",
    )
    server.until(job["id"], lambda event: event["type"] == "progress" and event["message"] == f"25 of {COUNT} lines")
    began_s = time.monotonic()
    server.ok(server.client.post(f"/api/jobs/{job['id']}/cancel"))
    server.wait(job["id"], "cancelled")
    assert time.monotonic() - began_s < 2
    server.ok(server.client.post(f"/api/jobs/{job['id']}/retry"))
    server.wait(job["id"], "review")
    answered = [call for call in journal(service)["calls"][before:] if call["answered"]]
    assert Counter(text for call in answered for text in call["texts"]) == Counter(TEXTS)


def test_a_translator_without_a_language_or_that_is_none_is_refused(
    serve: Callable[..., Running], spoken_mp4: Path
) -> None:
    server = serve()
    upload = server.upload(spoken_mp4)
    for options, code in (
        ({"translator": "chat"}, "target_language_missing"),
        ({"translator": "babelfish", "target_language": "es"}, "engine_unknown"),
    ):
        answer = server.client.post("/api/jobs", json={"upload_id": upload, "options": {"translation": options}})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    job = server.create(upload, translator="chat", target_language="es", language="en", review=False)
    found = server.until(job["id"], lambda e: "job" in e and e["job"]["state"] == "failed")["job"]
    assert (found["error"]["code"], found["error"]["stage"]) == ("translator_unavailable", "translate")


def test_a_hurried_line_is_shortened_by_itself_only_where_that_is_allowed(
    serve: Callable[..., Running], spoken_mp4: Path, tmp_path: Path, service: str
) -> None:
    subtitles = tmp_path / "hurried.srt"
    texts = ["We really have to go home right now.", "They come.", "We go."]
    subtitles.write_text(
        "\n".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},950\n{text}\n" for n, text in enumerate(texts, 1))
    )
    server = serve(**environ(service))
    job = server.create(
        server.upload(spoken_mp4),
        subtitles=server.upload(subtitles),
        language="en",
        target_language="es",
        translator="chat",
        voice="espeak:es",
        join_short_cues="off",
    )
    path = f"/api/jobs/{job['id']}"
    server.wait(job["id"], "review")

    def asked() -> int:
        return sum("shorter wordings" in str(call["body"]) for call in journal(service)["calls"])

    before = asked()
    server.ok(server.client.post(f"{path}/approve"))
    server.wait(job["id"], "completed")
    hurried = server.ok(server.client.get(f"{path}/report"))["lines"][0]
    assert hurried["rate"] > 1.2 and asked() == before
    httpx.post(f"{service}/_faults", json=[{"match": "shorter wordings", "text": {"1": "Vamos ya."}}])
    server.ok(server.client.patch(path, json={"options": {"translation": {"shorten": True}}}))
    server.ok(server.client.post(f"{path}/render"))
    server.until(job["id"], lambda event: event["type"] == "state" and event["job"]["state"] == "completed")
    line = server.ok(server.client.get(f"{path}/report"))["lines"][0]
    assert line["text"] == "Vamos ya." and asked() > before
    assert line["rate"] < hurried["rate"]
    done = server.ok(server.client.get(path))
    assert done["stale"] is False
    kept = server.ok(server.client.get(f"{path}/segments"))["segments"][0]
    assert (kept["original"], kept["translation"]) == (texts[0], "done")
