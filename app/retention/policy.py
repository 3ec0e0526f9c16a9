"""Decides what retention deletes: a pure function from the rules and the existing files to deletions with reasons.

A plan never holds files that a running or queued job needs. A shared file is deleted with its last job. Every deletion
is checked again in its own transaction when it is applied (`app.retention.cleaner`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from app.domain.retention import DAY_S, ENDED, IDLE, Deletion, Held, Kind, Rule, Why

_FILES = (Kind.SOURCES, Kind.CLIPS, Kind.OUTPUTS)


class LooseFile(msgspec.Struct, frozen=True):
    """A file without a job, such as a line spoken by `autodubber dub`; `at` is when it was written."""

    kind: Kind
    name: str
    size_bytes: int
    at: float


def plan(
    rules: Iterable[Rule], held: Sequence[Held], loose: Sequence[LooseFile] = (), *, now: float
) -> tuple[Deletion, ...]:
    """What to delete, whole jobs first, then by kind, the oldest first.

    By age: files unused for longer than `keep_days`. By size: the oldest first, until the rest of the kind fits.
    """
    state = _State(held)
    by_kind = {rule.kind: rule for rule in rules}
    made: list[Deletion] = []
    if (rule := by_kind.get(Kind.JOBS)) is not None and rule.keep_days:
        for job in sorted(held, key=_age):
            if job.state in IDLE and job.at < now - rule.keep_days * DAY_S:
                made.append(
                    Deletion(Kind.JOBS, Why.AGE, state.drop(job, (*_FILES, None)), (job.job_id,), job.title, job.at)
                )
    gone = {job_id for deletion in made for job_id in deletion.job_ids}
    left = [job for job in held if job.job_id not in gone]
    for kind in _FILES:
        if (rule := by_kind.get(kind)) is not None and (rule.keep_days or rule.max_bytes):
            made.extend(_of_kind(rule, left, [file for file in loose if file.kind is kind], state, now))
    return tuple(made)


class _State:
    """The jobs that need each file, and the size of each kind."""

    def __init__(self, held: Sequence[Held]) -> None:
        self._holders: Counter[str] = Counter()
        self._sizes: dict[str, int] = {}
        for job in held:
            for key, size in _all(job):
                self._holders[key] += 1
                self._sizes[key] = size

    def drop(self, job: Held, kinds: Sequence[Kind | None]) -> int:
        """The job no longer needs these; returns the bytes that no job needs then. None stands for files that are
        deleted only with the job."""
        freed = 0
        for kind in kinds:
            for key, size in job.shared if kind is None else job.files.get(kind, ()):
                self._holders[key] -= 1
                if not self._holders[key]:
                    freed += size
        return freed

    def total(self, held: Iterable[Held], kind: Kind) -> int:
        keys = {key for job in held for key, _ in job.files.get(kind, ())}
        return sum(self._sizes[key] for key in keys if self._holders[key])


def _of_kind(rule: Rule, held: Sequence[Held], loose: Sequence[LooseFile], state: _State, now: float) -> list[Deletion]:
    kind = rule.kind
    before = now - rule.keep_days * DAY_S if rule.keep_days else float("-inf")
    units = _units(kind, held)
    free = [unit for unit in units if all(job.state in ENDED for job in unit)]
    waiting: list[tuple[float, tuple[Held, ...] | LooseFile]] = [(max(map(_age, unit)), unit) for unit in free]
    waiting += [(file.at, file) for file in loose]
    waiting.sort(key=lambda found: found[0])
    total = state.total(held, kind) + sum(file.size_bytes for file in loose)
    made = []
    for at, thing in waiting:
        too_old, too_much = at < before, bool(rule.max_bytes) and total > rule.max_bytes
        if not (too_old or too_much):
            continue
        why = Why.AGE if too_old else Why.SIZE
        if isinstance(thing, LooseFile):
            made.append(Deletion(kind, why, thing.size_bytes, (), "", at, (thing.name,)))
            total -= thing.size_bytes
            continue
        freed = sum(state.drop(job, (kind,)) for job in thing)
        total -= freed
        made.append(Deletion(kind, why, freed, tuple(job.job_id for job in thing), thing[0].title, at))
    return _merged(made)


def _units(kind: Kind, held: Sequence[Held]) -> list[tuple[Held, ...]]:
    """Jobs that lose a kind together: deleting a shared original from one of them alone would free nothing."""
    having = [job for job in held if job.files.get(kind)]
    if kind is not Kind.SOURCES:
        return [(job,) for job in having]
    by_source: dict[str, list[Held]] = {}
    for job in having:
        by_source.setdefault(job.source, []).append(job)
    return [tuple(sorted(jobs, key=_age)) for jobs in by_source.values()]


def _merged(made: Sequence[Deletion]) -> list[Deletion]:
    """Files without a job, merged into one deletion for each reason."""
    out = [deletion for deletion in made if deletion.job_ids]
    for why in Why:
        loose = [deletion for deletion in made if not deletion.job_ids and deletion.why is why]
        if loose:
            names = tuple(name for deletion in loose for name in deletion.names)
            out.append(Deletion(loose[0].kind, why, sum(d.bytes for d in loose), (), "", loose[0].at, names))
    return out


def _all(job: Held) -> Iterable[tuple[str, int]]:
    for files in job.files.values():
        yield from files
    yield from job.shared


def _age(job: Held) -> float:
    return job.at
