"""Jobs, lines, voices and settings over a real server."""

from __future__ import annotations

import io
import re
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.domain.dub_options import GROUP_OF, GROUPS, in_groups
from app.domain.job import JobState
from app.domain.media import ArtifactKind
from app.domain.report import Report
from tests.unit.api.conftest import REPORT, Seeded
from tests.unit.api.serving import Server, seed_job
from tests.unit.api.test_uploads import append, start


class Studio:
    """A server of this module's own, with jobs that tests may change."""

    def __init__(self, server: Server, ids: list[str]) -> None:
        self.server = server
        self.ids = ids


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    data: Path = tmp_path_factory.mktemp("studio") / "data"
    ids = [
        seed_job(data, {ArtifactKind.VIDEO: (b"v", "video/mp4", "mp4")}, title=f"Film {i}", lines=3) for i in range(5)
    ]
    ids.append(seed_job(data, {}, title="Straße 100%", state=JobState.REVIEW, phase="prepare"))
    with Server(data) as server:
        yield Studio(server, ids)


@pytest.fixture
def api(studio: Studio) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=studio.server.url, timeout=30) as client:
        yield client


def until(api: httpx.Client, job_id: str, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while (job := api.get(f"/api/jobs/{job_id}").json())["state"] not in states:
        assert time.monotonic() < deadline, job
    return dict(job)


def refused(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text


def test_the_list_comes_in_pages_newest_first(studio: Studio, api: httpx.Client) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = api.get("/api/jobs", params={"limit": 2, "q": "film", **({"cursor": cursor} if cursor else {})}).json()
        assert page["total"] == 5
        seen += [job["id"] for job in page["jobs"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == list(reversed(studio.ids[:5]))
    refused(api.get("/api/jobs", params={"cursor": "nonsense"}), 400, "invalid_request")


def test_the_list_is_filtered_by_state_and_title(studio: Studio, api: httpx.Client) -> None:
    assert [job["id"] for job in api.get("/api/jobs?state=review&state=failed").json()["jobs"]] == [studio.ids[5]]
    assert [job["id"] for job in api.get("/api/jobs", params={"q": "100%"}).json()["jobs"]] == [studio.ids[5]]
    assert api.get("/api/jobs", params={"q": "nothing like it"}).json() == {"jobs": [], "next": None, "total": 0}


def test_a_list_has_summaries_and_for_a_version_whole_jobs(studio: Studio, api: httpx.Client) -> None:
    answer, old = api.get("/api/jobs"), api.get("/api/jobs", params={"full": "true"})
    listed, whole = answer.json()["jobs"][-1], old.json()["jobs"][-1]
    assert whole == api.get(f"/api/jobs/{studio.ids[0]}").json()
    assert (
        listed["recognizer"] == whole["options"]["recognition"]["recognizer"]
        and not {"options", "artifacts"} & listed.keys()
    )
    assert listed["media"] == {"duration_s": whole["media"]["duration_s"]}
    assert {name: listed[name] for name in listed.keys() & whole.keys() - {"media"}} == {
        name: whole[name] for name in listed.keys() & whole.keys() - {"media"}
    }
    assert old.headers["deprecation"].startswith("@") and "deprecation" not in answer.headers
    assert answer.headers["content-encoding"] == "gzip"


def test_an_unchanged_list_is_not_sent_again(studio: Studio, api: httpx.Client) -> None:
    path = "/api/jobs?q=film"
    tag = api.get(path).headers["etag"]
    same = api.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"], same.headers["cache-control"]) == (
        304,
        b"",
        tag,
        "private, no-cache",
    )
    api.patch(f"/api/jobs/{studio.ids[2]}", json={"title": "Film 2, again"})
    changed = api.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.headers["etag"] != tag
    api.patch(f"/api/jobs/{studio.ids[2]}", json={"title": "Film 2"})


def test_a_title_and_options_can_be_changed_and_wrong_ones_not(studio: Studio, api: httpx.Client) -> None:
    path = f"/api/jobs/{studio.ids[0]}"
    job = api.patch(
        path, json={"title": "Новое имя", "options": {"voices": {"speed": 1.15}, "output": {"burn_subtitles": True}}}
    ).json()
    assert (
        job["title"],
        job["options"]["voices"]["speed"],
        job["options"]["output"]["burn_subtitles"],
        job["options"]["voices"]["voice"],
    ) == (
        "Новое имя",
        1.15,
        True,
        "espeak:en",
    )
    refused(api.patch(path, json={"options": {"voices": {"speed": 2}}}), 422, "speed_range")
    refused(api.patch(path, json={"options": {"voices": {"voice": "nobody:x"}}}), 422, "engine_unknown")
    refused(api.patch(path, json={"options": {"recognition": {"model": "large"}}}), 409, "job_state")
    refused(api.patch(path, json={"options": {"recognition": {"audio_track": -1}}}), 400, "invalid_request")
    refused(api.patch(path, json={"state": "completed"}), 400, "invalid_request")
    refused(api.patch("/api/jobs/none", json={}), 404, "job_not_found")


def test_a_report_is_read_by_its_type_and_absent_before_the_first_render(
    studio: Studio, api: httpx.Client, seeded: Seeded
) -> None:
    told = httpx.get(f"{seeded.url}/api/jobs/{seeded.job_id}/report")
    assert told.status_code == 200 and msgspec.json.decode(told.content, type=Report) == REPORT
    refused(api.get(f"/api/jobs/{studio.ids[5]}/report"), 404, "artifact_not_ready")
    refused(api.get("/api/jobs/none/report"), 404, "job_not_found")


def test_options_of_the_mix_and_the_files_are_changed_and_checked(studio: Studio, api: httpx.Client) -> None:
    path = f"/api/jobs/{studio.ids[3]}"
    wished = {
        "target_language": "fr",
        "duck_db": None,
        "loudness_lufs": None,
        "audio_format": "opus",
        "container": "mkv",
        "burn_position": "top",
    }
    answer = api.patch(path, json={"options": in_groups(wished)})
    assert {
        name: answer.json()["options"][GROUP_OF[name]][name] for name in wished
    } == wished and "deprecation" not in answer.headers
    assert api.patch(path, json={"options": answer.json()["options"]}).json()["options"] == answer.json()["options"], (
        "as it came"
    )
    for wrong in ({"target_language": "French"}, {"language": "x"}):
        assert api.patch(path, json={"options": in_groups(wrong)}).status_code in (409, 422)
    for unknown in (
        {"voices": {"version": 2}},
        {"voices": {"colour": "red"}},
        {"voices": None},
        {"voices": {"language": "de"}},
        {"later": {}},
    ):
        refused(api.patch(path, json={"options": unknown}), 400, "invalid_request")
    for wrong in (
        {"loudness_lufs": -2},
        {"duck_db": 1},
        {"duck_hold_s": None},
        {"container": "avi"},
        {"burn_size": 12},
    ):
        refused(api.patch(path, json={"options": in_groups(wrong)}), 400, "invalid_request")
        refused(api.patch(path, json={"options": wrong}), 400, "invalid_request")
    refused(api.patch(path, json={"stem_upload_id": "0" * 32}), 404, "upload_not_found")


def test_the_names_without_a_group_are_taken_and_answered_with_a_deprecation(studio: Studio, api: httpx.Client) -> None:
    path = f"/api/jobs/{studio.ids[3]}"
    wished = {"speed": 1.05, "burn_size": "small", "keep_db": -3}
    address = start(api, 3, filename="a.mp4")
    append(api, address, 0, b"abc")
    upload_id = address.rsplit("/", 1)[-1]
    answers = [
        api.patch(path, json={"options": wished}),
        api.post(f"{path}/duplicate", json={"options": wished}),
        api.post("/api/jobs", json={"upload_id": upload_id, "options": wished}),
    ]
    for answer in answers:
        assert answer.status_code in (200, 201), answer.text
        assert re.fullmatch(r"@\d{10}", answer.headers["deprecation"])
        assert {name: answer.json()["options"][GROUP_OF[name]][name] for name in wished} == wished
        assert not GROUP_OF.keys() & answer.json()["options"].keys()
    both = api.patch(path, json={"options": {"speed": 0.9, "voices": {"speed": 1.1}}})
    assert both.json()["options"]["voices"]["speed"] == 1.1 and "deprecation" in both.headers
    assert "deprecation" not in api.patch(path, json={"title": "No options"}).headers
    fields = api.get("/schema/openapi.json").json()["components"]["schemas"]["OptionsPatch"]["properties"]
    assert (
        {name for name, field in fields.items() if field.get("deprecated")}
        == set(GROUP_OF)
        == set(fields) - set(GROUPS)
    )


def test_a_line_is_locked_and_unlocked(studio: Studio, api: httpx.Client) -> None:
    path = f"/api/jobs/{studio.ids[3]}/segments"

    def edited(**change: Any) -> httpx.Response:
        return api.patch(
            path, json={"edit": [{"id": "s1", **change}]}, headers={"If-Match": api.get(path).headers["etag"]}
        )

    line = edited(start_locked=True, locked_rate=1.1).json()["segments"][1]
    assert (line["start_locked"], line["locked_rate"]) == (True, 1.1)
    assert edited(text="Other words.").json()["segments"][1]["locked_rate"] == 1.1
    line = edited(start_locked=False, locked_rate=None, text="Line 1.").json()["segments"][1]
    assert (line["start_locked"], line["locked_rate"]) == (False, None)
    refused(edited(locked_rate=5), 400, "invalid_request")


def test_no_edit_of_the_lines_is_lost(studio: Studio, api: httpx.Client) -> None:
    path = f"/api/jobs/{studio.ids[1]}/segments"
    first = api.get(path)
    tag = first.headers["etag"]
    assert tag == f'"{first.json()["revision"]}"'
    edit = {"edit": [{"id": "s0", "text": "Mine."}]}
    refused(api.patch(path, json=edit), 428, "precondition_required")
    for stale in ('"0"', '"x"', "*", "7"):
        refused(api.patch(path, json=edit, headers={"If-Match": stale}), 412, "edit_conflict")
    mine = api.patch(path, json=edit, headers={"If-Match": tag})
    assert mine.status_code == 200
    assert mine.json()["segments"][0]["text"] == "Mine."
    refused(
        api.patch(path, json={"edit": [{"id": "s0", "text": "Theirs."}]}, headers={"If-Match": tag}),
        412,
        "edit_conflict",
    )
    newer = mine.headers["etag"]
    changes = {"add": [{"text": "New.", "start_s": 5, "end_s": 6}], "remove": ["s2"]}
    after = api.patch(path, json=changes, headers={"If-Match": newer}).json()
    assert [line["text"] for line in after["segments"]] == ["Mine.", "Line 1.", "New."]
    assert api.get(f"/api/jobs/{studio.ids[1]}").json()["segment_count"] == 3


def test_an_edit_happens_wholly_or_not_at_all(studio: Studio, api: httpx.Client) -> None:
    path = f"/api/jobs/{studio.ids[2]}/segments"
    before = api.get(path)
    tag = {"If-Match": before.headers["etag"]}
    refused(
        api.patch(path, json={"edit": [{"id": "s0", "text": "x"}, {"id": "none", "text": "y"}]}, headers=tag),
        404,
        "segment_not_found",
    )
    refused(
        api.patch(
            path, json={"edit": [{"id": "s0", "text": "x"}, {"id": "s1", "start_s": 9, "end_s": 1}]}, headers=tag
        ),
        422,
        "times_invalid",
    )
    refused(api.patch(path, json={"edit": [{"id": "s0", "text": "x" * 5001}]}, headers=tag), 400, "invalid_request")
    assert api.get(path).json() == before.json()


def test_a_line_is_split_and_merged(studio: Studio, api: httpx.Client) -> None:
    path = f"/api/jobs/{studio.ids[3]}/segments"
    tag = api.get(path).headers["etag"]
    split = api.post(f"{path}/s0/split", json={"at": 5}, headers={"If-Match": tag})
    texts = [line["text"] for line in split.json()["segments"]]
    assert texts == ["Line", "0.", "Line 1.", "Line 2."]
    refused(api.post(f"{path}/s0/merge", headers={"If-Match": tag}), 412, "edit_conflict")
    refused(api.post(f"{path}/s0/merge"), 428, "precondition_required")
    merged = api.post(f"{path}/{split.json()['segments'][0]['id']}/merge", headers={"If-Match": split.headers["etag"]})
    assert [line["text"] for line in merged.json()["segments"]] == ["Line 0.", "Line 1.", "Line 2."]


def test_a_line_can_be_heard(studio: Studio, api: httpx.Client) -> None:
    response = api.post(f"/api/jobs/{studio.ids[4]}/segments/s1/preview")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(response.content)) as sound:
        assert sound.getnchannels() == 1
        assert sound.getnframes() / sound.getframerate() > 0.2
    refused(api.post(f"/api/jobs/{studio.ids[4]}/segments/none/preview"), 404, "segment_not_found")


def test_the_cost_is_told_before(studio: Studio, api: httpx.Client) -> None:
    estimate = api.get(f"/api/jobs/{studio.ids[4]}/estimate").json()
    assert estimate["lines"] == 3
    assert (estimate["credits"], estimate["money_usd"], estimate["unit"]) == (0, 0, "")
    assert estimate["seconds"] > 0
    refused(api.get("/api/jobs/none/estimate"), 404, "job_not_found")


def test_a_job_that_cannot_be_read_fails_and_can_be_retried_and_deleted(studio: Studio, api: httpx.Client) -> None:
    made = api.post("/api/jobs", files={"file": ("holiday.mp4", b"this is no video")})
    assert made.status_code == 201
    job = until(api, made.json()["id"], "failed")
    assert (job["title"], job["error"]["code"], job["error"]["stage"]) == ("holiday", "not_media", "probe")
    path = f"/api/jobs/{job['id']}"
    assert api.post(f"{path}/retry").status_code == 200
    until(api, job["id"], "failed")
    refused(api.post(f"{path}/approve"), 409, "job_state")
    refused(api.post(f"{path}/cancel"), 409, "job_state")
    refused(api.post(f"{path}/render"), 409, "job_state")
    assert api.delete(path).status_code == 204
    refused(api.get(path), 404, "job_not_found")
    refused(api.delete(path), 404, "job_not_found")


def test_a_duplicate_shares_the_lines(studio: Studio, api: httpx.Client) -> None:
    made = api.post(
        f"/api/jobs/{studio.ids[4]}/duplicate",
        json={"title": "En español", "options": {"voices": {"voice": "espeak:es"}}},
    )
    assert made.status_code == 201, made.text
    job = made.json()
    assert (job["title"], job["state"], job["options"]["voices"]["voice"]) == ("En español", "review", "espeak:es")
    assert len(api.get(f"/api/jobs/{job['id']}/segments").json()["segments"]) == 3


def test_engines_and_voices_are_listed(api: httpx.Client) -> None:
    engines = {engine["name"]: engine for engine in api.get("/api/engines").json()["engines"]}
    assert {"openai-whisper", "espeak", "elevenlabs"} <= set(engines)
    assert engines["espeak"]["availability"]["available"]
    assert not engines["elevenlabs"]["availability"]["available"]
    assert engines["elevenlabs"]["availability"]["remedy"]
    assert (engines["elevenlabs"]["cost_unit"]["name"], engines["espeak"]["cost_unit"]) == ("credit", None)
    assert engines["espeak"]["speeds"] == {"min": 0.7, "max": 1.2} and engines["openai-whisper"]["speeds"] is None
    voices = api.get("/api/voices", params={"engine": "espeak", "language": "es"}).json()["voices"]
    assert voices and all(voice["engine"] == "espeak" and voice["language"] in (None, "es") for voice in voices)
    assert api.get("/api/voices", params={"engine": "none"}).json() == {"voices": []}


def test_a_key_goes_in_and_never_comes_out(studio: Studio, api: httpx.Client) -> None:
    key = "sk_0123456789abcdefWXYZ"
    path = "/api/settings/keys/elevenlabs"
    assert api.get(path).json() == {"stored": False, "source": None, "last4": None}
    answers = [api.put(path, json={"key": key}), api.get(path), api.get("/api/settings")]
    assert answers[0].json() == {"stored": True, "source": "page", "last4": "WXYZ"}
    assert answers[2].json()["elevenlabs_key"]["last4"] == "WXYZ"
    assert answers[2].json()["keys"] == {"elevenlabs": answers[2].json()["elevenlabs_key"]}
    for engine in ("espeak", "unheard-of"):  # the one takes no key, the other does not exist
        refused(api.put(f"/api/settings/keys/{engine}", json={"key": key}), 422, "engine_unknown")
    refused(api.put(path, json={"key": "short"}), 400, "invalid_request")
    refused(api.put(path, json={"key": "with space and\nline"}), 400, "invalid_request")
    assert api.delete(path).status_code == 204
    assert api.get(path).json()["stored"] is False
    assert all(key not in answer.text for answer in answers)
    assert key not in studio.server.log.read_text()
    assert all(key.encode() not in file.read_bytes() for file in studio.server.data.glob("app.sqlite3*"))


def test_an_environments_key_is_named_by_its_end(tmp_path: Path) -> None:
    with (
        Server(tmp_path / "data", ELEVENLABS_API_KEY="sk_environment_9876") as server,
        httpx.Client(base_url=server.url) as client,
    ):
        assert client.get("/api/settings/keys/elevenlabs").json() == {
            "stored": False,
            "source": "environment",
            "last4": "9876",
        }


def test_the_settings_tell_limits_and_defaults(api: httpx.Client) -> None:
    settings = api.get("/api/settings").json()
    assert settings["max_upload_bytes"] == 2 << 30
    assert settings["chunk_bytes"] == 50 << 20
    assert settings["defaults"]["voices"]["voice"] == "espeak:auto"


def test_health_tells_how_it_stands(seeded: Seeded, client: httpx.Client) -> None:
    deadline = time.monotonic() + 20
    while (ready := client.get("/health/ready")).status_code != 200:  # the engine is still launching
        assert time.monotonic() < deadline, ready.text
    assert {check["name"] for check in ready.json()["checks"]} == {"database", "storage", "disk", "ffmpeg", "engine"}
    assert client.get("/health/live").json() == {"status": "alive"}
    health = client.get("/health").json()
    assert health["jobs"]["completed"] >= 1


def test_the_interface_is_described_without_another_server(client: httpx.Client) -> None:
    document = client.get("/schema/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"application/json", "multipart/form-data"} == set(
        document["paths"]["/api/jobs"]["post"]["requestBody"]["content"]
    )
    assert set(document["paths"]["/ws/{job_id}"]["get"]["responses"]) == {"101", "400", "426"}
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["description"], operation
            for status, response in operation["responses"].items():
                if status >= "400" and status != "503":
                    assert set(response["content"]) == {"application/problem+json"}
    page = client.get("/schema")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "src=" not in page.text and 'id="quota_exceeded"' in page.text
