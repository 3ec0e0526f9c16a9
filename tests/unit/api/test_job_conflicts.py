"""A job's ETag, and If-Match on what changes or renders it, over a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.unit.api.conftest import Seeded


@pytest.fixture
def path(seeded: Seeded, client: httpx.Client) -> str:
    """The address of a job in review."""
    made = client.post(f"/api/jobs/{seeded.job_id}/duplicate", json={"title": "Film"})
    assert made.status_code == 201 and made.json()["state"] == "review"
    return f"/api/jobs/{made.json()['id']}"


def match(tag: str | int) -> dict[str, str]:
    return {"If-Match": f'"{tag}"' if isinstance(tag, int) else tag}


def speed(value: float) -> dict[str, Any]:
    return {"options": {"voices": {"speed": value}}}


def test_an_unchanged_job_is_not_sent_again(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    assert tag.startswith('"1-') and first.json()["choices_revision"] == 1, "strong, and with the revision in front"
    assert "content-encoding" not in first.headers, "a strong tag is for these bytes"
    same = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert same.headers["cache-control"] == first.headers["cache-control"] == "private, no-cache, no-transform"
    changed = client.patch(path, json=speed(1.1))
    assert changed.headers["etag"].startswith('"2-')
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.headers["etag"], again.json()) == (200, changed.headers["etag"], changed.json())


def test_a_job_that_works_on_has_another_tag_with_the_same_revision(client: httpx.Client, path: str) -> None:
    tag = client.get(path).headers["etag"]
    lines = client.get(f"{path}/segments")
    edit = {"edit": [{"id": lines.json()["segments"][0]["id"], "text": "Other words."}]}
    assert client.patch(f"{path}/segments", json=edit, headers=match(lines.headers["etag"])).status_code == 200
    other = client.get(path).headers["etag"]
    assert other != tag and other.startswith('"1-')
    assert client.patch(path, json=speed(1.1), headers=match(tag)).status_code == 200, "nobody has changed the options"


def test_the_second_change_of_a_field_gets_412_with_what_differs(client: httpx.Client, path: str) -> None:
    tag = client.get(path).headers["etag"]
    theirs = client.patch(path, json={"title": "Theirs", **speed(1.1)}, headers=match(tag))
    assert theirs.status_code == 200
    mine = {"title": "Mine", "options": {"voices": {"speed": 0.9}, "mix": {"keep_db": -3}}}
    refused = client.patch(path, json=mine, headers=match(tag))
    problem = refused.json()
    assert (refused.status_code, refused.headers["content-type"]) == (412, "application/problem+json")
    assert (problem["code"], problem["choices_revision"]) == ("job_changed", 2)
    assert problem["changed"] == [
        {"field": "title", "now": "Theirs"},
        {"field": "options.voices.speed", "now": 1.1},
    ]
    assert "title, options.voices.speed" in problem["detail"] and "If-Match" in problem["hint"]
    assert client.get(path).json() == theirs.json(), "nothing is changed"
    assert client.patch(path, json=mine, headers=match(problem["choices_revision"])).json()["title"] == "Mine"


def test_other_fields_are_merged_and_the_same_value_is_no_conflict(client: httpx.Client, path: str) -> None:
    client.patch(path, json={"title": "Theirs", **speed(1.1)}, headers=match(1))
    merged = client.patch(path, json={"options": {"voices": {"speed": 1.1}, "mix": {"keep_db": -3}}}, headers=match(1))
    assert merged.status_code == 200
    job = merged.json()
    assert (job["title"], job["options"]["voices"]["speed"], job["options"]["mix"]["keep_db"]) == ("Theirs", 1.1, -3)
    assert client.patch(path, json={"options": {"duck_db": -9}}, headers=match(1)).status_code == 200, "by old names"
    flat = client.patch(path, json={"options": {"speed": 0.9}}, headers=match(1))
    assert flat.json()["changed"] == [{"field": "options.voices.speed", "now": 1.1}]


@pytest.mark.parametrize("tag", ['"1"', '"1-0123abc"', 'W/"1-0123abc-gzip"', '"0", "1"', "*", None])
def test_a_tag_is_read_as_clients_and_proxies_send_it(client: httpx.Client, path: str, tag: str | None) -> None:
    assert client.patch(path, json=speed(1.1), headers=match(tag) if tag else {}).status_code == 200


@pytest.mark.parametrize("tag", ['"0"', '"x"', "1", '""', '"-1"', '"99"', '"1x"', '"' + "9" * 40 + '"'])
def test_a_tag_that_the_job_never_had_changes_nothing(client: httpx.Client, path: str, tag: str) -> None:
    refused = client.patch(path, json=speed(1.1), headers=match(tag))
    assert (refused.status_code, refused.json()["code"]) == (412, "job_changed")
    assert client.get(path).json()["choices_revision"] == 1


def test_without_if_match_the_last_change_counts(client: httpx.Client, path: str) -> None:
    assert client.patch(path, json={"title": "Theirs"}).status_code == 200
    assert client.patch(path, json={"title": "Mine"}).json()["title"] == "Mine"


@pytest.mark.parametrize("action", ["approve", "render"])
def test_a_render_of_other_options_than_those_seen_is_not_started(client: httpx.Client, path: str, action: str) -> None:
    client.patch(path, json=speed(1.1))
    refused = client.post(f"{path}/{action}", headers=match(1))
    assert (refused.status_code, refused.json()["code"]) == (412, "job_changed")
    assert refused.json()["changed"] == [{"field": "options.voices.speed", "now": 1.1}]
    assert client.get(path).json()["state"] == "review"


def test_an_open_page_is_told_the_revision(seeded: Seeded, client: httpx.Client, path: str) -> None:
    address = seeded.url.replace("http", "ws", 1) + "/ws/" + path.rsplit("/", 1)[-1]
    with connect(address, max_size=None) as socket:
        assert json.loads(socket.recv(10))["job"]["choices_revision"] == 1
        client.patch(path, json=speed(1.1))
        while (event := json.loads(socket.recv(10)))["type"] != "state":
            pass
        assert (event["job"]["choices_revision"], event["job"]["options"]["voices"]["speed"]) == (2, 1.1)


def test_the_description_names_the_headers_and_the_refusal(client: httpx.Client) -> None:
    described = client.get("/schema/openapi.json").json()
    operations = described["paths"]["/api/jobs/{job_id}"]
    assert "If-None-Match" in {parameter["name"] for parameter in operations["get"]["parameters"]}
    assert operations["get"]["responses"]["200"]["headers"].keys() == {"ETag"}
    assert "304" in operations["get"]["responses"]
    changing = [operations["patch"]]
    changing += [described["paths"][f"/api/jobs/{{job_id}}/{name}"]["post"] for name in ("approve", "render", "retry")]
    for operation in changing:
        assert "If-Match" in {parameter["name"] for parameter in operation["parameters"]}
        answer = operation["responses"]["412"]["content"]["application/problem+json"]["schema"]
        assert answer["$ref"].endswith("/JobChangedDetails")
    assert {"changed", "choices_revision", "code"} <= set(
        described["components"]["schemas"]["JobChangedDetails"]["required"]
    )


def together(seeded: Seeded, path: str, makes: Callable[[int], tuple[Any, Any]]) -> list[list[httpx.Response]]:
    """40 pairs of changes, the two of each at the same moment and for the same ETag, from two clients."""
    with (
        ThreadPoolExecutor(2) as pool,
        httpx.Client(base_url=seeded.url, timeout=30) as one,
        httpx.Client(base_url=seeded.url, timeout=30) as two,
    ):
        results = []
        for n in range(40):
            tag, gate = one.get(path).headers["etag"], threading.Barrier(2)

            def change(who: httpx.Client, patch: Any, tag: str = tag, gate: threading.Barrier = gate) -> httpx.Response:
                gate.wait(10)
                return who.patch(path, json=patch, headers=match(tag))

            results.append(list(pool.map(change, (one, two), makes(n))))
    return results


def test_of_40_pairs_with_the_same_field_exactly_one_each_wins(seeded: Seeded, client: httpx.Client, path: str) -> None:
    pairs = together(seeded, path, lambda n: ({"title": f"One {n}"}, {"title": f"Two {n}"}))
    assert [sorted(answer.status_code for answer in pair) for pair in pairs] == [[200, 412]] * 40
    (won,) = (answer for answer in pairs[-1] if answer.status_code == 200)
    assert client.get(path).json()["title"] == won.json()["title"]
    assert client.get(path).json()["choices_revision"] == 41


def test_of_40_pairs_with_different_fields_none_is_lost(seeded: Seeded, client: httpx.Client, path: str) -> None:
    pairs = together(seeded, path, lambda n: (speed(0.8 + n / 1000), {"options": {"mix": {"keep_db": -n / 10 - 1}}}))
    for n, pair in enumerate(pairs):
        assert [answer.status_code for answer in pair] == [200, 200]
        last = max((answer.json() for answer in pair), key=lambda job: int(job["choices_revision"]))["options"]
        assert (last["voices"]["speed"], last["mix"]["keep_db"]) == (0.8 + n / 1000, -n / 10 - 1)
