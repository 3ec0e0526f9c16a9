"""The lines of a job over a real server."""

from __future__ import annotations

import io
import wave
from typing import Any

import httpx

from tests.unit.api.studio import Studio, refused


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


def test_speakers_are_changed_by_the_etag_of_the_lines(studio: Studio, api: httpx.Client) -> None:
    path = f"/api/jobs/{studio.ids[4]}/speakers"
    first = api.get(path)
    assert first.json()["speakers"] == []
    refused(api.post(path, json={"name": "Anna"}), 428, "precondition_required")
    tag = {"If-Match": first.headers["etag"]}
    made = api.post(path, json={"name": "Anna", "voice": "espeak:de", "segments": ["s0", "s1"]}, headers=tag)
    (anna,) = made.json()["speakers"]
    assert [line["speaker"] for line in made.json()["segments"]] == [anna["id"], anna["id"], ""]
    refused(api.post(path, json={"name": "Ben"}, headers=tag), 412, "edit_conflict")
    tag = {"If-Match": made.headers["etag"]}
    refused(api.patch(f"{path}/{anna['id']}", json={"level_db": 99}, headers=tag), 400, "invalid_request")
    refused(api.patch(f"{path}/{anna['id']}", json={"voice": "x"}, headers=tag), 422, "voice_unknown")
    refused(api.patch(f"{path}/nobody", json={"name": "X"}, headers=tag), 404, "speaker_not_found")
    changed = api.patch(f"{path}/{anna['id']}", json={"level_db": -2, "speed": 1.1}, headers=tag)
    assert changed.json()["speakers"] == [{**anna, "level_db": -2.0, "speed": 1.1}]
    tag = {"If-Match": changed.headers["etag"]}
    lines = f"/api/jobs/{studio.ids[4]}/segments"
    edit = [{"id": "s2", "speaker": "Ben", "voice": "espeak:fr", "speed": 0.9, "level_db": 1}]
    edited = api.patch(lines, json={"edit": edit}, headers=tag)
    ben = edited.json()["speakers"][1]
    assert {key: edited.json()["segments"][2][key] for key in ("speaker", "voice", "speed", "level_db")} == {
        "speaker": ben["id"],
        "voice": "espeak:fr",
        "speed": 0.9,
        "level_db": 1.0,
    }
    tag = {"If-Match": edited.headers["etag"]}
    merged = api.post(f"{path}/{ben['id']}/merge", json={"into": anna["id"]}, headers=tag)
    assert {line["speaker"] for line in merged.json()["segments"]} == {anna["id"]}
    assert [one["lines"] for one in api.get(path).json()["speakers"]] == [3]
    gone = api.delete(f"{path}/{anna['id']}", headers={"If-Match": merged.headers["etag"]})
    assert gone.json()["speakers"] == [] and {line["speaker"] for line in gone.json()["segments"]} == {""}


def test_a_translation_is_previewed_brought_and_taken_back(studio: Studio, api: httpx.Client) -> None:
    lines, path = (f"/api/jobs/{studio.ids[0]}/{part}" for part in ("segments", "translation"))
    before = api.get(lines)
    body = {"text": "1. Uno.\n3. Tres."}
    told = api.post(f"{path}/preview", json=body).json()
    assert [(line["number"], line["text"]) for line in told["lines"]] == [(1, "Uno."), (2, None), (3, "Tres.")]
    assert (told["by"], told["given"], told["missing"], told["left_over"]) == ("number", 2, 1, [])
    refused(api.post(path, json=body), 428, "precondition_required")
    refused(api.post(path, json=body, headers={"If-Match": '"0"'}), 412, "edit_conflict")
    refused(api.post(f"{path}/preview", json={"text": ""}), 422, "subtitles_empty")
    refused(api.post(f"{path}/preview", json={"text": "a", "by": "magic"}), 400, "invalid_request")
    done = api.post(path, json=body, headers={"If-Match": before.headers["etag"]})
    assert [line["text"] for line in done.json()["segments"]] == ["Uno.", "Line 1.", "Tres."]
    assert [line["translation"] for line in done.json()["segments"]] == ["done", "failed", "done"]
    tag = {"If-Match": done.headers["etag"]}
    refused(api.post(f"{path}/undo", json={"undo": "none"}, headers=tag), 404, "undo_gone")
    undone = api.post(f"{path}/undo", json={"undo": done.json()["undo"]}, headers=tag).json()
    assert undone["segments"] == before.json()["segments"] and undone["kept"] == []
