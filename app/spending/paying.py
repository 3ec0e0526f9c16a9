"""Every request to a paid service is asked for here, before it travels: `paying`.

A job's ledger reserves what the request may cost and refuses what would pass the ceiling. What came back is booked;
what the service refused costs nothing. A request whose answer was lost keeps its reservation: it may have been billed.
Without a ledger (a voice's sample, a test) nothing is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final, Protocol

from app.domain.errors import DubError
from app.domain.problems.requests import DATABASE_BUSY
from app.domain.problems.uploads import DISK_FULL
from app.domain.spending import Ceiling, Charge, Spent
from app.spending import ceiling as ceilings


class Ledger(Protocol):
    """What one job spends. Reservations outlive the process where the job does. Every method blocks."""

    def reserve(self, charge: Charge, answer: str = "") -> str:
        """Room for a request; its id. `answer` is the name under which its answer is stored. Raises ceiling_reached,
        price_unknown; then nothing is reserved."""
        ...

    def book(self, reservation: str, charge: Charge) -> None:
        """The answer is here, and cost this."""
        ...

    def release(self, reservation: str) -> None:
        """The request cost nothing."""
        ...

    def settle(self, answer: str) -> None:
        """This answer is stored: book the last reservation for it, unless one is booked."""
        ...

    def spent(self) -> Spent: ...


class _Answer:
    """What a stored answer is called, and whether it was paid for now."""

    def __init__(self, name: str) -> None:
        self.name, self.paid = name, False


_answer: Final[ContextVar[_Answer | None]] = ContextVar("answer", default=None)
_ledger: Final[ContextVar[Ledger | None]] = ContextVar("ledger", default=None)


@contextlib.contextmanager
def paid_by(ledger: Ledger) -> Iterator[None]:
    """Requests inside the block, and in tasks that begin there, are this job's."""
    token = _ledger.set(ledger)
    try:
        yield
    finally:
        _ledger.reset(token)


@contextlib.asynccontextmanager
async def stored_as(name: str) -> AsyncIterator[None]:
    """Requests inside are for an answer that is stored under this name the moment it is here. Where none was sent, that
    of a killed run has served, and its reservation is booked: neither lost nor counted twice."""
    answer, ledger = _Answer(name), _ledger.get()
    token = _answer.set(answer)
    try:
        yield
    finally:
        _answer.reset(token)
    if ledger is not None and not answer.paid:
        await _written(ledger.settle, name)


class Bill:
    """What came of one request. Where nothing is said, its answer was lost."""

    def __init__(self, charge: Charge | None) -> None:
        self.charge, self.known, self.free = charge, False, False

    def answered(self, charge: Charge | None = None) -> None:
        """The service answered; `charge` is what it said that it cost, else what was reserved."""
        self.charge, self.known = charge or self.charge, True

    def refused(self) -> None:
        """The service did not do it, or was never reached: it costs nothing."""
        self.free = True


@contextlib.asynccontextmanager
async def paying(charge: Charge | None) -> AsyncIterator[Bill]:
    """Around one request to a service; None where it costs nothing. Raises ceiling_reached, price_unknown, and what the
    database raises: then nothing was sent."""
    ledger, bill = _ledger.get(), Bill(charge)
    if ledger is None or charge is None:
        yield bill
        return
    answer = _answer.get()
    reservation = await _reserved(ledger, charge, answer.name if answer else "")
    if answer is not None:
        answer.paid = True
    try:
        yield bill
    finally:
        if bill.free:
            await _written(ledger.release, reservation)
        elif bill.known and bill.charge is not None:
            await _written(ledger.book, reservation, bill.charge)


async def _reserved(ledger: Ledger, charge: Charge, answer: str) -> str:
    reserving = asyncio.ensure_future(asyncio.to_thread(ledger.reserve, charge, answer))
    try:
        return await asyncio.shield(reserving)
    except asyncio.CancelledError:
        # a thread cannot be stopped: nothing travels, so what it has reserved goes back
        with contextlib.suppress(DubError):
            await asyncio.to_thread(ledger.release, await reserving)
        raise


async def _written(write: Callable[..., None], *arguments: Any) -> None:
    """What cannot be written now stays reserved, which counts: nothing is lost."""
    try:
        await asyncio.shield(asyncio.to_thread(write, *arguments))
    except DubError as error:
        if error.problem not in (DISK_FULL, DATABASE_BUSY):
            raise


class MemoryLedger:
    """A ledger for one run."""

    def __init__(self, ceiling: Ceiling) -> None:
        self._ceiling = ceiling
        self._lock = threading.RLock()
        self._open: dict[str, Charge] = {}
        self._booked: list[Charge] = []

    def reserve(self, charge: Charge, answer: str = "") -> str:
        with self._lock:
            ceilings.check(self._ceiling, self.spent(), charge)
            reservation = uuid.uuid4().hex
            self._open[reservation] = charge
            return reservation

    def book(self, reservation: str, charge: Charge) -> None:
        with self._lock:
            self._open.pop(reservation, None)
            self._booked.append(charge)

    def release(self, reservation: str) -> None:
        with self._lock:
            self._open.pop(reservation, None)

    def settle(self, answer: str) -> None:
        """An answer of an earlier run was that run's."""

    def spent(self) -> Spent:
        with self._lock:
            return Spent(
                sum(each.usd or 0.0 for each in self._booked),
                sum(each.credits for each in self._booked),
                sum(each.usd or 0.0 for each in self._open.values()),
                sum(each.credits for each in self._open.values()),
            )
