"""What an archive says is read with care: what cannot be true, or not be kept, is refused with a line, and what only
looks odd is cleaned."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from app.cli import main as cli
from app.domain.errors import DubError
from app.domain.job import JobState
from app.domain.problems.jobs import ARCHIVE_INVALID
from tests.unit.archive.archives import edit, exported, member, rebuilt, take
from tests.unit.retention.shelf import Shelf

Members = list[tuple[tarfile.TarInfo, bytes]]


def raw(start: str, change: Callable[[bytes], bytes]) -> Callable[[Members], None]:
    def act(members: Members) -> None:
        at = member(members, start)
        members[at] = (members[at][0], change(members[at][1]))

    return act


def job(**fields: Any) -> Callable[[Members], None]:
    return edit("jobs/", lambda told: told.update(fields))


def output(value: Any) -> Callable[[Members], None]:
    return edit("jobs/", lambda told: told["stages"][0].update(stage="mux", output=value))


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


IMPOSSIBLE: dict[str, Callable[[Members], None]] = {
    "a revision beyond the database": job(revision=10**30),
    "a revision beyond 32 bits": job(revision=2**31),
    "a rendered revision beyond the database": job(rendered_revision=10**30),
    "a revision of a field beyond the database": job(choices_changed={"title": 10**30}),
    "revisions of too many fields": job(choices_changed={str(field): 1 for field in range(1001)}),
    "a size beyond the database": job(size_bytes=2**63),
    "a file's size beyond the database": edit("jobs/", lambda told: told["artifacts"][0].update(size_bytes=10**30)),
    "a picture of 10^30 lines": edit("jobs/", lambda told: told["media"].update(size_bytes=10**30)),
    "a film of 10^300 s": edit("jobs/", lambda told: told["media"].update(duration_s=1e300)),
    "a line at 10^300 s": edit("jobs/", lambda told: told["segments"][0].update(end_s=1e300)),
    "a line 10^9 times as fast": edit("jobs/", lambda told: told["segments"][0].update(locked_rate=1e9)),
    "a track that no file has": edit("jobs/", lambda told: told["options"]["recognition"].update(audio_track=10**30)),
    "a clip of 10^30 samples a second": edit(
        "jobs/", lambda told: told["stages"][0].update(stage="mux", output=[{"sample_rate_hz": 10**30}])
    ),
    "a time that no clock shows": job(created_at=1e300),
    "a time before all clocks": job(updated_at=-1.0),
    "a type that is a header": edit("jobs/", lambda told: told["artifacts"][0].update(media_type="text/html\r\nX: y")),
    "an extension that is a path": edit("jobs/", lambda told: told["artifacts"][0].update(extension="/../x")),
    "a hash that is a header": edit("jobs/", lambda told: told["artifacts"][0].update(sha256='"\r\nX: y')),
    "a stage's output 500 deep": output(deep(500)),
    "a job 100,000 deep": raw(
        "jobs/", lambda data: data.replace(b'"joined"', b'"more": ' + b"[" * 100_000 + b"]" * 100_000 + b', "joined"')
    ),
    "a job that is no UTF-8": raw("jobs/", lambda data: data.replace(b'"title": "', b'"title": "\xff\xfe')),
    "a job with half a character": raw("jobs/", lambda data: data.replace(b'"title": "', b'"title": "\\ud800')),
    "a manifest that is no UTF-8": raw("manifest", lambda data: data.replace(b'"title": "', b'"title": "\xff\xfe')),
    "a manifest 100,000 deep": raw("manifest", lambda data: b'{"format":' + b"[" * 100_000),
    "a format of 10^30": edit("manifest", lambda told: told.update(format=-(10**30))),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_cannot_be_is_refused_with_one_line_and_leaves_nothing(what: str, shelf: Shelf, other: Shelf) -> None:
    shelf.job()
    archive = rebuilt(exported(shelf), IMPOSSIBLE[what])
    with pytest.raises(DubError) as refused:
        take(other, archive)
    assert refused.value.problem is ARCHIVE_INVALID and "\n" not in refused.value.message
    assert (other.files(), other.store.ids(list(JobState))) == (set(), [])


def test_a_title_and_a_speaker_are_cleaned(shelf: Shelf, other: Shelf) -> None:
    shelf.job()
    odd = "\x1b]0;owned\x07Film \u202egpj.exe\u009b31m"

    def change(told: dict[str, Any]) -> None:
        told["title"] = told["segments"][0]["speaker"] = odd

    (taken,) = take(other, rebuilt(exported(shelf), edit("jobs/", change)))
    assert taken.title == other.store.get(taken.job_id).title == "]0;ownedFilm gpj.exe31m"
    _, script = other.store.script(taken.job_id)
    (speaker,) = script.speakers
    assert (script.segments[0].speaker, speaker.name) == (speaker.id, "]0;ownedFilm gpj.exe31m")


def test_the_command_line_ends_with_the_status_of_bad_input_and_no_traceback(
    shelf: Shelf, other: Shelf, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.job()
    archive = rebuilt(exported(shelf), IMPOSSIBLE["a revision beyond the database"])
    monkeypatch.setenv("AUTODUBBER_DATA", str(other.data))
    assert cli.main(["import", str(archive), "--json"]) == 3
    told = capfd.readouterr()
    assert json.loads(told.out)["error"]["code"] == "archive_invalid" and "Traceback" not in told.err
