"""Glossaries that are kept under a name, to be chosen for jobs. Blocks on the database."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from sqlalchemy import Engine, delete, insert, select

from app.domain.errors import DubError
from app.domain.glossary import KeptGlossary, Term
from app.domain.problems.glossary import GLOSSARY_NOT_FOUND
from app.storage.database import reading, urgently
from app.storage.tables import glossaries


class GlossaryStore:
    """The kept glossaries of a server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> tuple[KeptGlossary, ...]:
        """By name."""
        with reading(self._engine) as c:
            found = c.execute(select(glossaries).order_by(glossaries.c.name)).all()
        return tuple(
            KeptGlossary(row.name, msgspec.convert(row.terms, tuple[Term, ...]), row.updated_at) for row in found
        )

    @urgently
    def put(self, name: str, terms: Sequence[Term]) -> KeptGlossary:
        """Keep it, in place of one of the same name."""
        named = KeptGlossary(name, tuple(terms), time.time())
        with self._engine.begin() as c:
            c.execute(delete(glossaries).where(glossaries.c.name == name))
            c.execute(insert(glossaries).values(**msgspec.to_builtins(named)))
        return named

    @urgently
    def delete(self, name: str) -> None:
        """Raises glossary_not_found."""
        with self._engine.begin() as c:
            if not c.execute(delete(glossaries).where(glossaries.c.name == name)).rowcount:
                raise DubError(GLOSSARY_NOT_FOUND)
