"""The error catalogue: it has every entry of every subject, once."""

from __future__ import annotations

import importlib
import pkgutil

from app.domain import problems
from app.domain.catalogue import catalogue
from app.domain.errors import Problem


def test_the_catalogue_has_every_problem_of_every_subject_under_a_code_of_its_own() -> None:
    subjects = [
        importlib.import_module(f"{problems.__name__}.{m.name}") for m in pkgutil.iter_modules(problems.__path__)
    ]
    entries = [entry for subject in subjects for entry in vars(subject).values() if isinstance(entry, Problem)]
    assert len(entries) > 80
    assert sorted(catalogue()) == sorted(entry.code for entry in entries)
