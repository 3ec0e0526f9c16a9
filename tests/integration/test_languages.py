"""Several languages of one video: one job, one file with all tracks, by a server that talks to a double of a chat
service."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from av.stream import Disposition

from tests.doubles import translators as double
from tests.integration.running import Running

LINES = [(1.0, "Welcome to the workshop."), (4.0, "Please wear your safety glasses.")]


@pytest.fixture(scope="module")
def service() -> Any:
    with double.running() as url:
        yield url


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, service: str) -> Iterator[Running]:
    """One for all tests here, which are of jobs of their own."""
    running = Running(tmp_path_factory.mktemp("languages") / "data", AUTODUBBER_THREADS="1", **environ(service))
    yield running.start()
    running.close()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> Path:
    """Seven seconds of a moving picture and a tone."""
    path = tmp_path_factory.mktemp("film") / "spoken.mp4"
    made = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=7", "-f", "lavfi", "-i", "sine=f=330:d=7"]
    subprocess.run([ffmpeg, "-v", "error", *made, "-preset", "ultrafast", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("subtitles") / "lines.srt"
    path.write_text(
        "\n".join(
            f"{n}\n00:00:{int(at):02},000 --> 00:00:{int(at) + 2:02},500\n{text}\n"
            for n, (at, text) in enumerate(LINES)
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


def asked(service: str) -> Counter[tuple[str, str]]:
    """How often each line was translated, by target language and text."""
    calls = dict(httpx.get(f"{service}/_journal").json())["calls"]
    return Counter((str(call["body"]["target"]), text) for call in calls if call["answered"] for text in call["texts"])


def created(server: Running, video: Path, lines: Path, *languages: Any, **options: Any) -> dict[str, Any]:
    body = {
        "upload_id": server.upload(video),
        "subtitles_upload_id": server.upload(lines),
        "languages": [{"language": each} if isinstance(each, str) else each for each in languages],
        "options": {
            "recognition": {"language": "en", "review": False, "join_short_cues": "off"},
            "translation": {"target_language": "es", "translator": "libretranslate"},
            "voices": {"voice": "espeak:auto"},
            **options,
        },
    }
    return dict(server.ok(server.client.post("/api/jobs", json=body)))


def tracks(server: Running, job_id: str, to: Path) -> list[tuple[str, str, str, int]]:
    """The tracks of the finished video: kind, language, title, and whether a player begins with it."""
    with av.open(str(server.download(job_id, "video", to))) as film:
        return [
            (
                each.type,
                each.language or "",
                each.metadata.get("title") or each.metadata.get("handler_name", ""),
                int(bool(each.disposition & Disposition.default)),
            )
            for each in film.streams
            if each.type in ("audio", "subtitle")
        ]


def sounds(server: Running, job_id: str, to: Path) -> list[str]:
    """The languages of the finished video's sound."""
    return [language for kind, language, _, _ in tracks(server, job_id, to) if kind == "audio"]


def ids(job: dict[str, Any]) -> dict[str, str]:
    return {each["language"]: each["id"] for each in job["languages"]}


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_one_job_makes_one_file_with_the_sound_and_the_subtitles_of_every_language(
    server: Running, film: Path, lines: Path, service: str, tmp_path: Path, container: str
) -> None:
    output = {"container": container, "keep_original_track": True}
    job = created(server, film, lines, "fr", "de", output=output)
    done = server.wait(job["id"], "completed")
    assert list(ids(done)) == ["es", "fr", "de"]
    assert all(each["rendered"] and not each["stale"] and each["error"] is None for each in done["languages"])
    assert done["stale"] is False
    found = tracks(server, job["id"], tmp_path / f"film.{container}")
    assert [each[:3] for each in found] == [
        ("audio", "spa", "Spanish"),
        ("audio", "fra", "French"),
        ("audio", "deu", "German"),
        ("audio", "eng", "Original"),
        ("subtitle", "spa", "Spanish"),
        ("subtitle", "fra", "French"),
        ("subtitle", "deu", "German"),
        ("subtitle", "eng", "Original"),
    ]
    assert [each[3] for each in found if each[0] == "audio"] == [1, 0, 0, 0]
    assert "mux_by_ffmpeg" not in server.logged(), "it is copied in pieces, as with one language"
    listed = server.ok(server.client.get("/api/jobs"))
    assert listed["total"] == len(listed["jobs"])
    assert not {each["id"] for each in listed["jobs"]} & {each["id"] for each in done["languages"][1:]}
    for language, language_id in ids(done).items():
        own = server.job(language_id)
        assert own["options"]["translation"]["target_language"] == language
        assert own["title"] == done["title"] and own["state"] == "completed"
        kinds = {each["kind"] for each in own["artifacts"]}
        assert kinds >= {"video", "source", "audio", "srt", "vtt", "ass", "source_srt", "report", "peaks"}
        name = server.client.get(f"/download/srt/{language_id}").headers["Content-Disposition"]
        assert (f".{language}.srt" in name) == (language != "es")


def test_an_edit_of_one_language_renders_only_that_one_and_the_file(
    server: Running, film: Path, lines: Path, service: str, tmp_path: Path
) -> None:
    job = created(server, film, lines, "fr")
    french = ids(server.wait(job["id"], "completed"))["fr"]
    first, before = server.files(job["id"]), asked(service)
    line = server.segments(french)[0][0]
    spanish = server.segments(job["id"])[0]
    server.edit(french, edit=[{"id": line["id"], "text": "Quelque chose d'autre."}])
    assert server.segments(job["id"])[0] == spanish
    told = server.job(job["id"])
    assert told["stale"] and [each["stale"] for each in told["languages"]] == [False, True]
    server.act(french, "render")
    done = server.until(job["id"], lambda event: "job" in event and event["job"]["state"] == "completed")["job"]
    assert not done["stale"] and not server.job(french)["stale"]
    after = server.files(job["id"])
    assert after["audio"] == first["audio"] and after["srt"] == first["srt"] and after["video"] != first["video"]
    assert "Quelque chose" in server.client.get(f"/download/srt/{french}").text
    assert asked(service) == before, "nothing was translated again"

    # what is said in the original is the same for all of them: a correction makes both translations stale
    server.edit(french, edit=[{"id": line["id"], "original": "Corrected."}])
    for each in (job["id"], french):
        corrected = server.segments(each)[0][0]
        assert (corrected["original"], corrected["translation"]) == ("Corrected.", "stale")
    assert server.segments(job["id"])[0][0]["text"] == spanish[0]["text"]


def test_a_language_that_is_added_later_costs_its_translation_and_its_sound_and_can_be_taken_away(
    server: Running, film: Path, lines: Path, service: str, tmp_path: Path
) -> None:
    job = created(server, film, lines)
    assert server.wait(job["id"], "completed")["languages"] == []
    first, before = server.files(job["id"]), asked(service)
    path = f"/api/jobs/{job['id']}/languages"
    french = server.ok(server.client.post(path, json={"language": "fr"}))
    assert french["parent_id"] == job["id"] and french["state"] == "completed"
    assert [line["text"] for line in server.segments(french["id"])[0]] == [text for _, text in LINES]
    assert server.client.post(path, json={"language": "fr"}).json()["code"] == "language_taken"
    assert server.client.post(path, json={"language": "es"}).json()["code"] == "language_taken"
    assert server.job(job["id"])["stale"]
    worked = server.render(job["id"])
    assert asked(service) - before == Counter({("fr", text): 1 for _, text in LINES})
    assert "transcribe" not in worked and "separate" not in worked
    after = server.files(job["id"])
    assert after["audio"] == first["audio"]
    assert sounds(server, job["id"], tmp_path / "two.mp4") == ["spa", "fra"]

    left = server.ok(server.client.delete(f"{path}/fr"))
    assert left["languages"] == [] and left["stale"]
    assert server.client.get(f"/api/jobs/{french['id']}").status_code == 404
    assert server.client.delete(f"{path}/fr").json()["code"] == "language_not_found"
    assert server.render(job["id"]) == ["mux"]
    assert sounds(server, job["id"], tmp_path / "one.mp4") == ["spa"]
    server.ok(server.client.delete(f"/api/jobs/{job['id']}"))


def test_a_language_that_fails_is_told_and_the_others_are_made(
    server: Running, film: Path, lines: Path, service: str, tmp_path: Path
) -> None:
    broken = {"language": "fr", "translator": "deepl"}  # not set up here
    job = created(server, film, lines, broken, "de")
    done = server.wait(job["id"], "completed")
    errors = {each["language"]: each["error"] for each in done["languages"]}
    assert errors["fr"]["code"] == "translator_key_missing" and errors["fr"]["stage"] == "translate"
    assert errors["es"] is None and errors["de"] is None
    assert sounds(server, job["id"], tmp_path / "film.mp4") == [
        "spa",
        "deu",
    ]
    before = asked(service)
    server.patch(ids(done)["fr"], options={"translator": "libretranslate"})
    server.act(job["id"], "render")
    done = server.until(job["id"], lambda event: "job" in event and event["job"]["state"] == "completed")["job"]
    assert [each["error"] for each in done["languages"]] == [None, None, None]
    assert asked(service) - before == Counter({("fr", text): 1 for _, text in LINES})
    assert sounds(server, job["id"], tmp_path / "all.mp4") == ["spa", "fra", "deu"]


def test_where_the_first_language_fails_the_others_are_in_the_file(
    server: Running, film: Path, lines: Path, service: str, tmp_path: Path
) -> None:
    job = created(server, film, lines, {"language": "de", "voice": "espeak:de"}, voices={"voice": "espeak:xx"})
    failed = server.until(job["id"], lambda event: "job" in event and event["job"]["state"] == "failed")["job"]
    assert failed["error"]["stage"] == "synthesize"
    assert [each["rendered"] for each in failed["languages"]] == [False, True]
    assert sounds(server, job["id"], tmp_path / "film.mp4") == ["deu"]
    server.patch(job["id"], options={"voice": "espeak:es"})
    before = asked(service)
    server.act(job["id"], "retry")
    server.until(job["id"], lambda event: "job" in event and event["job"]["state"] == "completed")
    assert sounds(server, job["id"], tmp_path / "both.mp4") == ["spa", "deu"]
    assert asked(service) == before


def test_a_server_killed_between_two_languages_buys_nothing_twice(
    server: Running, film: Path, lines: Path, service: str
) -> None:
    before = asked(service)
    job = created(server, film, lines, "fr", "de")
    told = server.until(job["id"], lambda event: event["type"] == "progress" and event["language"] == "de")
    assert 2 / 3 <= told["stage_progress"] <= 1
    server.kill()
    server.start()
    server.wait(job["id"], "completed")
    new = asked(service) - before
    assert all(count == 1 for count in new.values()), new
    assert Counter(language for language, _ in new) == Counter({"es": 2, "fr": 2, "de": 2})
