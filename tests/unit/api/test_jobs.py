"""Jobs over a real server: the list, one job from its upload to its end, its report and its cost."""

from __future__ import annotations

import httpx
import msgspec

from app.domain.report import Report
from tests.unit.api.conftest import REPORT, Seeded
from tests.unit.api.studio import Studio, refused, until


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


def test_a_report_is_read_by_its_type_and_absent_before_the_first_render(
    studio: Studio, api: httpx.Client, seeded: Seeded
) -> None:
    told = httpx.get(f"{seeded.url}/api/jobs/{seeded.job_id}/report")
    assert told.status_code == 200 and msgspec.json.decode(told.content, type=Report) == REPORT
    refused(api.get(f"/api/jobs/{studio.ids[5]}/report"), 404, "artifact_not_ready")
    refused(api.get("/api/jobs/none/report"), 404, "job_not_found")


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
