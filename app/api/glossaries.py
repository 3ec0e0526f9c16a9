"""Routes of glossaries: those that are kept under a name, files that are read, and what a job's lines suggest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Request, Router, delete, get, post, put
from litestar.params import FromPath, JSONBody, PathParameter

from app.api.depends import Given
from app.api.problems import refuses
from app.domain.glossary import MOST_TERMS, KeptGlossary, Suggestion, Term

if TYPE_CHECKING:
    from app.jobs.service import JobService
    from app.storage.glossaries import GlossaryStore

_MOST_BYTES: Final = 1 << 20
_Name = Annotated[str, PathParameter(pattern=r"^[^\x00-\x1f/\x7f]{1,100}$", description="The name of a glossary.")]


class GlossaryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The terms of a glossary."""

    terms: Annotated[tuple[Term, ...], msgspec.Meta(max_length=MOST_TERMS)]


@get("/", sync_to_thread=True, responses=refuses())
def list_glossaries(glossaries: Given[GlossaryStore]) -> tuple[KeptGlossary, ...]:
    """The kept glossaries with their terms, by name."""
    return glossaries.all()


@put("/{name:str}", sync_to_thread=True, responses=refuses(422, 503))
def put_glossary(glossaries: Given[GlossaryStore], name: _Name, data: JSONBody[GlossaryBody]) -> KeptGlossary:
    """Keep a glossary, in place of one of the same name. Jobs that were made with it keep their terms."""
    return glossaries.put(name, data.terms)


@delete("/{name:str}", sync_to_thread=True, responses=refuses(404, 503))
def delete_glossary(glossaries: Given[GlossaryStore], name: _Name) -> None:
    """Delete a kept glossary. Jobs that were made with it keep their terms."""
    glossaries.delete(name)


@post("/", status_code=200, request_max_body_size=_MOST_BYTES + 1, responses=refuses(413, 422))
async def read_glossary_file(request: Request[Any, Any, Any]) -> GlossaryBody:
    """Read a CSV or TSV file, which is the body (`application/octet-stream`). Nothing is kept."""
    from app.dubbing.glossary_file import read_glossary

    return GlossaryBody(await asyncio.to_thread(read_glossary, await request.body()))


@get("/suggestions", sync_to_thread=True, responses=refuses(404))
def suggest_terms(service: Given[JobService], job_id: FromPath[str]) -> tuple[Suggestion, ...]:
    """Names and terms of a job's lines that are not in its glossary, the likeliest first."""
    return service.suggested_terms(job_id)


router = Router(
    "/api/glossaries",
    tags=["glossaries"],
    route_handlers=[list_glossaries, put_glossary, delete_glossary, read_glossary_file],
)
of_jobs = Router("/api/jobs/{job_id:str}/glossary", tags=["glossaries"], route_handlers=[suggest_terms])
