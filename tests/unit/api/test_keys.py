"""An API key belongs to an engine: where it comes from, who is handed it, and where it is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from litestar.datastructures import Headers
from sqlalchemy import select

from app.api.keys import read_keys
from app.domain.errors import DubError
from app.domain.secret_names import Keys
from app.speech.ports import Availability, EngineInfo, VoiceInfo
from app.speech.registry import Registry
from app.storage import tables as t
from app.storage.database import migrate, open_database
from app.storage.secrets import SecretStore

KEY = "sk_0123456789abcdefWXYZ"


class Keyed:
    """A voice that only says which keys it was handed."""

    needs_key = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.handed: list[str | None] = []

    async def info(self, key: str | None = None) -> EngineInfo:
        self.handed.append(key)
        return EngineInfo(self.name, "voice", self.name, True, Availability(True, "", ""), ())

    async def voices(self, key: str | None = None) -> tuple[VoiceInfo, ...]:
        self.handed.append(key)
        return ()


def read(*headers: tuple[str, str]) -> Keys:
    came = Headers([(name.lower().encode(), value.encode()) for name, value in headers])
    return read_keys(came, Registry((), (Keyed("elevenlabs"), Keyed("other"))))  # type: ignore[arg-type]


def test_every_engine_is_handed_its_own_key_and_no_other() -> None:
    one, two, three = Keyed("elevenlabs"), Keyed("other"), Keyed("third")
    registry, keys = Registry((), (one, two, three)), Keys({"elevenlabs": "sk_one", "other": "sk_two"})  # type: ignore[arg-type]
    asyncio.run(registry.infos(keys))
    asyncio.run(registry.all_voices(keys))
    assert (one.handed, two.handed, three.handed) == (["sk_one"] * 2, ["sk_two"] * 2, [None] * 2)


@pytest.mark.parametrize(
    ("headers", "keys"),
    [
        ([], {}),
        ([("xi-api-key", "a-key ")], {"elevenlabs": "a-key"}),
        ([("X-Autodubber-Key", "other=a=b=")], {"other": "a=b="}),
        ([("X-Autodubber-Key", "other=a"), ("X-Autodubber-Key", "elevenlabs=b")], {"other": "a", "elevenlabs": "b"}),
        ([("X-Autodubber-Key", "other=a, elevenlabs=b")], {"other": "a", "elevenlabs": "b"}),  # a proxy may join them
        ([("X-Autodubber-Key", "elevenlabs=named"), ("xi-api-key", "old")], {"elevenlabs": "named"}),
    ],
)
def test_keys_are_read_from_the_headers(headers: list[tuple[str, str]], keys: dict[str, str]) -> None:
    assert dict(read(*headers)) == keys


@pytest.mark.parametrize(
    "value",
    [
        KEY,
        f"unheard-of={KEY}",
        f"{KEY}=x",
        "other=",
        f"other={KEY} x",
        f"other={KEY},other={KEY}",
        f"other={'k' * 256}",
    ],
)
def test_a_header_that_names_no_engine_is_refused_and_never_repeated(value: str) -> None:
    with pytest.raises(DubError) as caught:
        read(("X-Autodubber-Key", value))
    assert caught.value.problem.code == "invalid_request" and KEY not in f"{caught.value!r} {caught.value.message}"


def test_the_routes_take_keys_by_engine(client: httpx.Client) -> None:
    for path in ("/api/engines", "/api/voices"):
        assert client.get(path, headers={"X-Autodubber-Key": "elevenlabs=not ascii"}).status_code == 400
        answer = client.get(path, headers={"X-Autodubber-Key": KEY})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request") and KEY not in answer.text
        assert client.get(path, headers={"X-Autodubber-Key": "espeak=nothing-to-open"}).status_code == 200
    parameters = client.get("/schema/openapi.json").json()["paths"]["/api/jobs/{job_id}/render"]["post"]["parameters"]
    assert {"X-Autodubber-Key", "xi-api-key"} <= {each["name"] for each in parameters}
    assert not [each for each in parameters if each["in"] == "header" and each["required"]]


def test_a_jobs_keys_are_kept_by_engine_also_one_from_before(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    migrate(database)
    store = SecretStore(database, tmp_path / "secret.key")
    store.set("job:a1:key", "of an earlier version")
    store.keep_job_keys("a1", Keys({"other": "sk_other"}))
    store.keep_job_keys("a11", Keys({"other": "another job's"}))
    assert dict(store.job_keys("a1")) == {"elevenlabs": "of an earlier version", "other": "sk_other"}
    store.keep_job_keys("a1", Keys({"elevenlabs": "sk_new"}))
    assert store.job_keys("a1").of("elevenlabs") == "sk_new"
    store.forget_job_keys("a1")
    with database.connect() as c:
        assert set(c.execute(select(t.settings.c.name)).scalars()) == {"job:a11:key:other"}
    database.dispose()


def test_keys_do_not_show_themselves() -> None:
    keys = Keys({"elevenlabs": KEY})
    assert KEY not in f"{keys} {keys!r}" and "elevenlabs" in repr(keys)
