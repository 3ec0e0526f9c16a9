"""The list of jobs: a page of summaries in two short statements, whatever the number of jobs. Blocks on the
database."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, TextClause, text

from app.domain.dub_options import RecognitionOptions, from_row, same_dub
from app.domain.job import JobError, JobState, Phase
from app.domain.plain_text import plain
from app.domain.summary import JobSummary, Length
from app.storage.compact import unpacked
from app.storage.database import reading
from app.storage.family import LANGUAGE
from app.storage.rows import HIDDEN


class _Chosen(msgspec.Struct, frozen=True):
    recognizer: str | None = None


class _Recognizer(msgspec.Struct, frozen=True):
    """What the list shows of a job's options, whether they were written in groups or before there were any."""

    recognition: _Chosen = _Chosen()
    recognizer: str | None = None

    @property
    def name(self) -> str:
        return self.recognition.recognizer or self.recognizer or RecognitionOptions().recognizer


# JSON is read as it is kept: most of it is only compared. The page is cut before anything is looked up for its rows.
_COUNT: Final = "SELECT count(*) FROM jobs"
_PAGE: Final = """
SELECT j.id, j.title, j.state, j.phase, j.stage, j.stage_progress, j.progress, j.eta_s, {options}, j.language,
    CAST(j.media AS TEXT), j.size_bytes, (SELECT count(*) FROM segments s WHERE s.job_id = j.id), j.revision,
    j.rendered_revision,
    {rendered}, coalesce(j.stem_key, '') = coalesce(j.rendered_stem_key, ''), CAST(j.error AS
    TEXT),
    (SELECT a.sha256 FROM artifacts a WHERE a.job_id = j.id AND a.kind = 'thumbnail'), j.created_at, j.updated_at,
    EXISTS (SELECT 1 FROM blob_references b WHERE b.job_id = j.id AND b.key = j.source_key),
    EXISTS (SELECT 1 FROM artifacts a WHERE a.job_id = j.id AND a.key LIKE 'artifacts/%'),
    EXISTS (SELECT 1 FROM jobs k WHERE k.parent_id = j.id AND k.state = '{further}' AND
    (k.rendered_revision IS NULL OR k.rendered_revision <> k.revision OR {k_rendered} <> {k_options}))
FROM jobs j JOIN (SELECT id FROM jobs{where} ORDER BY created_at DESC, id DESC LIMIT :limit) page ON page.id = j.id
ORDER BY j.created_at DESC, j.id DESC"""
_BEFORE: Final = "created_at <= :at AND (created_at < :at OR id < :id)"
_SEEN: Final = f"state NOT IN ({', '.join(map(repr, (*HIDDEN, LANGUAGE)))})"
_TITLED: Final = "lower(title) LIKE '%' || lower(:query) || '%' ESCAPE '/'"

_CHOICES: Final = 256  # many jobs have the same options
_recognizer: Final = msgspec.json.Decoder(_Recognizer)
_length: Final = msgspec.json.Decoder(Length | None)
_error: Final = msgspec.json.Decoder(JobError | None)


def page(
    engine: Engine, *, states: Collection[JobState], query: str, limit: int, before: tuple[float, str] | None
) -> tuple[list[JobSummary], int]:
    """Up to `limit` jobs that match, newest first, older than `before` (created_at, id); and how many match in all."""
    given: dict[str, Any] = {f"state{number}": state.value for number, state in enumerate(states)}
    if query:
        given["query"] = query.replace("/", "//").replace("%", "/%").replace("_", "/_")
    counting, listing = _statements(engine.dialect.name, len(states), bool(query), before is not None)
    with reading(engine) as c:
        total = c.execute(counting, given).scalar_one()
        if before is not None:
            given["at"], given["id"] = before
        return [_summary(row) for row in c.execute(listing, given | {"limit": limit})], int(total)


@functools.cache
def _statements(dialect: str, states: int, titled: bool, further: bool) -> tuple[TextClause, TextClause]:
    """The count and the page for so many states, with or without a text to look for and a place to go on from."""
    where = [f"state IN ({', '.join(f':state{number}' for number in range(states))})"] if states else [_SEEN]
    where += [_TITLED] if titled else []
    chosen = {
        name: column if dialect == "sqlite" else f"CAST({column} AS TEXT)"
        for name, column in (
            ("options", "j.options"),
            ("rendered", "j.rendered_options"),
            ("k_options", "k.options"),
            ("k_rendered", "k.rendered_options"),
        )
    }
    listing = _PAGE.format(where=_where([*where, _BEFORE] if further else where), further=LANGUAGE, **chosen)
    return text(_COUNT + _where(where)), text(listing)


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _summary(row: Any) -> JobSummary:
    (
        job_id,
        title,
        state,
        phase,
        stage,
        stage_progress,
        progress,
        eta_s,
        options,
        language,
        media,
        size_bytes,
        segment_count,
        revision,
        rendered_revision,
        rendered_options,
        same_stem,
        error,
        thumbnail,
        created_at,
        updated_at,
        has_source,
        has_outputs,
        language_changed,
    ) = row
    rendered = rendered_revision is not None
    current = rendered_revision == revision and same_stem and _same(rendered_options, options)
    return JobSummary(
        id=job_id,
        title=plain(title),
        state=JobState(state),
        phase=Phase(phase),
        stage=stage,
        stage_progress=stage_progress,
        progress=progress,
        eta_s=eta_s,
        recognizer=_recognizer_of(options),
        language=language,
        media=_length.decode(media or "null"),
        size_bytes=size_bytes,
        segment_count=segment_count,
        stale=rendered and (not current or bool(language_changed)),
        error=_error.decode(error or "null"),
        thumbnail=thumbnail,
        created_at=created_at,
        updated_at=updated_at,
        source_gone=not has_source,
        outputs_gone=rendered and not has_outputs,
    )


@functools.lru_cache(_CHOICES)
def _recognizer_of(options: str | bytes) -> str:
    return _recognizer.decode(unpacked(options)).name


def _same(rendered: str | bytes | None, options: str | bytes) -> bool:
    """Whether the options of the last render would give what the job's options give. Most are the same text: those are
    not read."""
    if rendered == options:
        return True
    return (
        rendered is not None
        and rendered != "null"
        and same_dub(*(from_row(msgspec.json.decode(unpacked(row))) for row in (rendered, options)))
    )
