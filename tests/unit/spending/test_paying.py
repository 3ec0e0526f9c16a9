"""Requests that cost something: reserved before they travel, booked when they are answered, never past the ceiling."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.dub_options import DubOptions, changed
from app.domain.errors import DubError
from app.domain.problems.spending import CEILING_REACHED, PRICE_UNKNOWN
from app.domain.spending import Ceiling, Charge, Spent
from app.spending.paying import Ledger, MemoryLedger, paid_by, paying, stored_as
from app.storage.database import migrate, open_database
from app.storage.jobs import JobStore

Make = Callable[[Ceiling], Ledger]
TEN = Charge("elevenlabs", "m", "credit", 10.0, 0.01)


@pytest.fixture(params=["memory", "database"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    def make(ceiling: Ceiling) -> Ledger:
        if request.param == "memory":
            return MemoryLedger(ceiling)
        return store_of(tmp_path, ceiling).ledger("job")

    return make


def store_of(folder: Path, ceiling: Ceiling) -> JobStore:
    database = open_database(f"sqlite:///{folder / 'app.sqlite3'}")
    migrate(database)
    store = JobStore(database)
    options = changed(DubOptions(), ceiling_usd=ceiling.usd, ceiling_credits=ceiling.credits)
    store.insert("job", title="t", options=options, source_key="uploads/a", subtitles_key=None, size_bytes=1)
    return store


async def pays(charge: Charge = TEN) -> None:
    async with paying(charge) as bill:
        await asyncio.sleep(0)
        bill.answered()


async def test_of_requests_at_the_same_time_exactly_as_many_travel_as_the_ceiling_allows(ledger: Make) -> None:
    kept = ledger(Ceiling(credits=70.0))
    with paid_by(kept):
        done = await asyncio.gather(*(pays() for _ in range(20)), return_exceptions=True)
    refused = [one for one in done if isinstance(one, DubError)]
    assert len(refused) == 13 and {one.problem for one in refused} == {CEILING_REACHED}
    assert "70 of 70 credits are spent" in refused[-1].detail and "needs 10" in refused[-1].detail
    assert kept.spent() == Spent(pytest.approx(0.07), 70.0)


async def test_a_ceiling_in_money_holds_too_and_says_what_is_missing(ledger: Make) -> None:
    kept = ledger(Ceiling(usd=0.025))
    with paid_by(kept):
        await pays()
        await pays()
        with pytest.raises(DubError, match=r"\$0\.02 of \$0\.025 are spent.*needs \$0\.01"):
            await pays()
    assert kept.spent().usd == pytest.approx(0.02)


async def test_what_the_service_refused_costs_nothing_and_a_lost_answer_counts(ledger: Make) -> None:
    kept = ledger(Ceiling(credits=20.0))
    with paid_by(kept):
        async with paying(TEN) as bill:
            bill.refused()
        assert kept.spent() == Spent()
        with pytest.raises(TimeoutError):
            async with paying(TEN):
                raise TimeoutError
        assert kept.spent() == Spent(0.0, 0.0, 0.01, 10.0)
        async with paying(TEN) as bill:
            bill.answered(Charge("elevenlabs", "m", "credit", 7.0, 0.007))
        assert kept.spent() == Spent(0.007, 7.0, 0.01, 10.0)
        with pytest.raises(DubError):  # both count
            await pays()


async def test_a_request_that_is_cancelled_before_it_travels_reserves_nothing() -> None:
    begun, goes_on = threading.Event(), threading.Event()

    class Slow(MemoryLedger):
        def reserve(self, charge: Charge, answer: str = "") -> str:
            begun.set()
            goes_on.wait(10)
            return super().reserve(charge, answer)

    kept = Slow(Ceiling())
    with paid_by(kept):
        task = asyncio.create_task(pays())
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert kept.spent() == Spent()


async def test_a_price_that_nobody_knows_does_not_pass_below_a_ceiling_in_money(ledger: Make) -> None:
    unknown = Charge("openai", "m", "character", 100.0, None)
    with paid_by(ledger(Ceiling(usd=5.0))), pytest.raises(DubError) as refused:
        await pays(unknown)
    assert refused.value.problem is PRICE_UNKNOWN
    with paid_by(MemoryLedger(Ceiling(credits=5.0))):
        await pays(unknown)  # it is not counted in credits


async def test_a_reservation_outlives_the_process_and_the_ceiling_is_that_of_the_options_now(tmp_path: Path) -> None:
    store = store_of(tmp_path, Ceiling(credits=15.0))
    store.ledger("job").reserve(TEN)  # killed before the answer came
    again = JobStore(open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}")).ledger("job")
    with pytest.raises(DubError, match="10 of 15 credits"):
        again.reserve(TEN)
    options = changed(store.get("job").options, ceiling_credits=20.0)
    row = store.row("job")
    assert store.revise("job", {row.job.state}, row, type(row.choices)(row.job.title, options, None))
    again.book(again.reserve(TEN), TEN)
    assert again.spent() == Spent(0.01, 10.0, 0.01, 10.0)


async def test_a_stored_answer_of_a_killed_run_is_booked_once_and_a_lost_one_stays_open(tmp_path: Path) -> None:
    kept = store_of(tmp_path, Ceiling()).ledger("job")
    kept.reserve(TEN, "line a")  # killed: the answer is lost
    kept.reserve(TEN, "line a")  # killed: the answer is stored, and not booked yet
    for _ in range(2):
        with paid_by(kept):
            async with stored_as("line a"):
                pass  # the stored answer serves
        assert kept.spent() == Spent(0.01, 10.0, 0.01, 10.0)
    with paid_by(kept):
        async with stored_as("line b"):
            await pays()
    assert kept.spent() == Spent(0.02, 20.0, 0.01, 10.0)


async def test_without_a_ledger_and_for_what_is_free_nothing_is_counted() -> None:
    await pays()
    kept = MemoryLedger(Ceiling(usd=0.0, credits=0.0))
    with paid_by(kept):
        async with paying(None) as bill:
            bill.answered()
        await pays(Charge("deepl", "", "character", 5.0, 0.0))
    assert kept.spent() == Spent()
