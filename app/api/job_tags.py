"""The ETag of a job, and the revision of its choices in If-Match.

The tag is `"REVISION-HASH"`: the revision of the choices (title, options, background), then a hash of the whole job. A
condition on reading compares all of it. A condition on a change asks for the revision alone: progress of the work does
not stand against a new title.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Final, cast

import msgspec
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from litestar.response import Response

from app.api.problems import MEDIA_TYPE, JobChangedDetails
from app.api.ranges import tags
from app.domain.job import Job

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The ETag of the job that was seen, or its `choices_revision` in quotes. Optional.",
    ),
]
IfNoneMatch = Annotated[
    str | None, HeaderParameter(name="If-None-Match", description="The ETag of the job that the client has.")
]
CHANGED: Final = {
    412: ResponseSpec(
        JobChangedDetails,
        generate_examples=False,
        description="Others have changed the same fields since; nothing was changed. `job_changed`",
        media_type=MEDIA_TYPE,
    )
}
UNCHANGED: Final = {304: ResponseSpec(None, description="The job is as the client has it.")}
ETAG: Final = [
    ResponseHeader(
        name="ETag",
        documentation_only=True,
        description='`"REVISION-HASH"`: the revision of the choices, and a hash of the whole job. Strong.',
    )
]
_TAG: Final = re.compile(r'"(\d{1,18})(?:-[^"]*)?"', re.ASCII)
_UNKNOWN: Final = 0  # older than every revision


def seen_revision(if_match: str | None) -> int | None:
    """The revision of the choices in If-Match; None without the header, or with `*`. A tag that is no revision is older
    than everything."""
    found = tags(if_match)
    if if_match is None or "*" in found:
        return None
    return max((int(match[1]) for tag in found if (match := _TAG.fullmatch(tag))), default=_UNKNOWN)


def tagged(
    job: Job, *, if_none_match: str | None = None, headers: Mapping[str, str] | None = None, status_code: int = 200
) -> Response[Job]:
    """The job with its ETag; 304 without a body when the client has it. Encodes here: call it in the handler's thread.

    The tag is strong, so the answer is not compressed on its way (no-transform).
    """
    body = msgspec.json.encode(job)
    tag = f'"{job.choices_revision}-{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    sent = {**(headers or {}), "ETag": tag, "Cache-Control": "private, no-cache, no-transform"}
    wanted = tags(if_none_match)
    if tag in wanted or "*" in wanted:
        return Response(cast(Job, b""), status_code=304, headers=sent, media_type="application/json")
    return Response(cast(Job, body), status_code=status_code, headers=sent, media_type="application/json")
