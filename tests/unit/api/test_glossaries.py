"""Glossaries that are kept, files that are read, and what a job's lines suggest, over a real server."""

from __future__ import annotations

import httpx

from tests.unit.api.studio import Studio, refused

TERMS = [{"term": "Ada", "say": "Eyda"}, {"term": "Workshop", "keep": True}]


def test_a_glossary_is_kept_read_changed_and_deleted(studio: Studio, api: httpx.Client) -> None:
    assert api.get("/api/glossaries").json() == []
    kept = api.put("/api/glossaries/My films ü", json={"terms": TERMS}).json()
    assert [(term["term"], term["say"], term["keep"]) for term in kept["terms"]] == [
        ("Ada", "Eyda", False),
        ("Workshop", "", True),
    ]
    api.put("/api/glossaries/A", json={"terms": []})
    assert [one["name"] for one in api.get("/api/glossaries").json()] == ["A", "My films ü"]
    api.put("/api/glossaries/My films ü", json={"terms": TERMS[:1]})
    assert [len(one["terms"]) for one in api.get("/api/glossaries").json()] == [0, 1]
    for name in ("A", "My films ü"):
        assert api.delete(f"/api/glossaries/{name}").status_code == 204
    refused(api.delete("/api/glossaries/A"), 404, "glossary_not_found")
    refused(api.put("/api/glossaries/A", json={"terms": [{"term": ""}]}), 400, "invalid_request")
    refused(api.put("/api/glossaries/A", json={"terms": [{"term": "a"}] * 501}), 400, "invalid_request")
    refused(api.put(f"/api/glossaries/{'a' * 101}", json={"terms": []}), 400, "invalid_request")


def test_a_file_is_read_and_a_bad_one_is_refused_with_its_row(studio: Studio, api: httpx.Client) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    found = api.post("/api/glossaries", content="Ada;;Eyda\nWorkshop;Workshop".encode("utf-16"), headers=headers)
    assert [(term["term"], term["say"], term["keep"]) for term in found.json()["terms"]] == [
        ("Ada", "Eyda", False),
        ("Workshop", "", True),
    ]
    bad = api.post("/api/glossaries", content=b"a\n" + b"b" * 200, headers=headers)
    refused(bad, 422, "glossary_invalid")
    assert "Row 2" in bad.json()["detail"]
    refused(api.post("/api/glossaries", content=b"a" * ((1 << 20) + 2), headers=headers), 413, "body_too_large")


def test_terms_of_a_job_change_while_its_lines_stay_and_are_no_longer_suggested(
    studio: Studio, api: httpx.Client
) -> None:
    job, lines = f"/api/jobs/{studio.ids[3]}", f"/api/jobs/{studio.ids[3]}/segments"
    edit = {"edit": [{"id": "s1", "text": "Here is Ada Lovelace, and there is Ada Lovelace."}]}
    api.patch(lines, json=edit, headers={"If-Match": api.get(lines).headers["etag"]})
    assert [one["term"] for one in api.get(f"{job}/glossary/suggestions").json()] == ["Ada Lovelace"]
    before = api.get(lines).json()
    changed = api.patch(job, json={"options": {"glossary": {"terms": [{"term": "Ada Lovelace", "say": "Eyda"}]}}})
    assert changed.json()["options"]["glossary"]["terms"][0]["say"] == "Eyda"
    assert api.get(f"{job}/glossary/suggestions").json() == []
    assert api.get(lines).json() == before
    wished = api.patch(job, json={"options": {"translation": {"formality": "formal", "style": "dry"}}}).json()
    assert wished["options"]["translation"]["formality"] == "formal"
    refused(api.patch(job, json={"options": {"translation": {"formality": "rude"}}}), 400, "invalid_request")
    stale = api.patch(job, json={"options": {"glossary": {"terms": []}}}, headers={"If-Match": '"1"'})
    refused(stale, 412, "job_changed")
    assert stale.json()["changed"][0]["now"][0]["term"] == "Ada Lovelace"
    bad = {"terms": [{"term": "a", "phonemes": "]]x"}]}
    refused(api.patch(job, json={"options": {"glossary": bad}}), 400, "invalid_request")
