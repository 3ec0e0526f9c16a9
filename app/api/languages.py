"""Routes of the languages of a job. Each further language is a job of its own address: its lines, speakers, options of
translation and voices, and its files are read and changed as those of any job; it begins, stops and goes with its
job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from litestar import Router, delete, post
from litestar.params import FromPath, JSONBody

from app.api.depends import Given
from app.api.problems import refuses
from app.domain.job import Job
from app.domain.secret_names import Keys
from app.jobs.language_schemas import LanguageNew

if TYPE_CHECKING:
    from app.jobs.service import JobService


@post("/", sync_to_thread=True, responses=refuses(404, 409, 422, 507))
def add_language(service: Given[JobService], job_id: FromPath[str], data: JSONBody[LanguageNew]) -> Job:
    """Add a further language to a job that is not at work; the answer is that language. It begins with the lines of the
    job, and costs its translation, its voices, its mix and the writing of the file, with the next render."""
    return service.add_language(job_id, data)


@delete("/{language:str}", status_code=200, responses=refuses(404, 409))
async def remove_language(
    service: Given[JobService], keys: Given[Keys], job_id: FromPath[str], language: FromPath[str]
) -> Job:
    """Take a further language away with its lines and files; the answer is the job. Its file keeps the language until
    the next render."""
    gone = await asyncio.to_thread(service.language_id, job_id, language)
    await service.forget_clones(gone, keys=keys)
    return await asyncio.to_thread(service.remove_language, job_id, language)


router = Router("/api/jobs/{job_id:str}/languages", tags=["jobs"], route_handlers=[add_language, remove_language])
