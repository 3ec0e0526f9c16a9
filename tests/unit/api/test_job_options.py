"""The title and the options of a job over a real server."""

from __future__ import annotations

import re

import httpx

from app.domain.dub_options import GROUP_OF, GROUPS, in_groups
from tests.unit.api.studio import Studio, refused
from tests.unit.api.test_uploads import append, start


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
