"""The error catalogue: every error a person can meet, with its code, HTTP status, message and what to do."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem
from app.domain.problems import (
    backups,
    glossary,
    jobs,
    lines,
    links,
    media,
    recognition,
    requests,
    separation,
    spending,
    translation,
    uploads,
    voices,
)

_SUBJECTS: Final = (
    requests,
    uploads,
    links,
    media,
    lines,
    jobs,
    recognition,
    voices,
    translation,
    glossary,
    separation,
    spending,
    backups,
)


def catalogue() -> dict[str, Problem]:
    """Every problem by its code, in the order of the subjects; the documentation and a test read it."""
    entries = (entry for subject in _SUBJECTS for entry in vars(subject).values())
    return {entry.code: entry for entry in entries if isinstance(entry, Problem)}
