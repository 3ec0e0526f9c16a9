"""What a job spends at paid services, in the database. Reservations survive a kill, and count until they are booked."""

from __future__ import annotations

import time
import uuid

from sqlalchemy import Connection, Engine, case, delete, func, insert, select, update

from app.domain.dub_options import from_row
from app.domain.errors import DubError
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.spending import CREDIT, Charge, Spent
from app.spending import ceiling
from app.storage import rows
from app.storage import tables as t
from app.storage.database import reading, urgently


class JobLedger:
    """Each method is one transaction: of requests that are asked for at the same time, none passes the ceiling. The
    ceiling is that of the job's options as they are now."""

    def __init__(self, engine: Engine, job_id: str) -> None:
        self._engine, self._job_id = engine, job_id

    def reserve(self, charge: Charge, answer: str = "") -> str:
        """Raises ceiling_reached, price_unknown, job_not_found; disk_full and database_busy."""
        reservation = uuid.uuid4().hex
        with self._engine.begin() as c:
            options = c.execute(select(t.jobs.c.options).where(t.jobs.c.id == self._job_id, rows.seen)).scalar()
            if options is None:
                raise DubError(JOB_NOT_FOUND)
            ceiling.check(from_row(options).spending.ceiling, self._sum(c), charge)
            c.execute(
                insert(t.spending).values(
                    job_id=self._job_id,
                    id=reservation,
                    engine=charge.engine,
                    model=charge.model,
                    unit=charge.unit,
                    amount=charge.amount,
                    usd=charge.usd,
                    answer=answer,
                    booked=False,
                    at=time.time(),
                )
            )
        return reservation

    @urgently
    def book(self, reservation: str, charge: Charge) -> None:
        with self._engine.begin() as c:
            c.execute(
                update(t.spending)
                .where(t.spending.c.job_id == self._job_id, t.spending.c.id == reservation)
                .values(amount=charge.amount, usd=charge.usd, booked=True)
            )

    @urgently
    def release(self, reservation: str) -> None:
        with self._engine.begin() as c:
            c.execute(delete(t.spending).where(t.spending.c.job_id == self._job_id, t.spending.c.id == reservation))

    def settle(self, answer: str) -> None:
        """One reservation of several, the last: the others' answers were lost."""
        mine = (t.spending.c.job_id == self._job_id) & (t.spending.c.answer == answer)
        asked = select(t.spending.c.id, t.spending.c.booked).where(mine).order_by(t.spending.c.at)
        with reading(self._engine) as c:
            found = c.execute(asked).all()
        if found and not any(row.booked for row in found):
            with self._engine.begin() as c:
                c.execute(update(t.spending).where(mine, t.spending.c.id == found[-1].id).values(booked=True))

    def spent(self) -> Spent:
        with reading(self._engine) as c:
            return self._sum(c)

    def _sum(self, c: Connection) -> Spent:
        credits = func.sum(case((t.spending.c.unit == CREDIT, t.spending.c.amount), else_=0.0))
        found = c.execute(
            select(t.spending.c.booked, func.sum(t.spending.c.usd), credits)
            .where(t.spending.c.job_id == self._job_id)
            .group_by(t.spending.c.booked)
        )
        sums = {bool(booked): (float(usd or 0.0), float(some or 0.0)) for booked, usd, some in found}
        return Spent(*sums.get(True, (0.0, 0.0)), *sums.get(False, (0.0, 0.0)))
