"""What the job's workers read of a job and its stages. Plain data: the command line has it without a database."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from app.domain.choices import Choices
from app.domain.dub_options import DubOptions
from app.domain.job import Job
from app.domain.speaker import Speaker

PARTIAL: Final = "partial:"  # begins the fingerprint of a stage that has not finished


class JobRow(msgspec.Struct, frozen=True):
    """What the job's workers need besides the public `Job`."""

    job: Job
    source_key: str
    subtitles_key: str | None
    stem_key: str | None
    workflow_id: str | None
    rendered_options: DubOptions | None
    choices_changed: dict[str, int]  # by field of `app.domain.choices`: the choices' revision of its last change
    speakers: tuple[Speaker, ...] = ()

    @property
    def whole_id(self) -> str:
        """The job that this is a language of, else the job itself: it has the original, the keys and the workflow."""
        return self.job.parent_id or self.job.id

    @property
    def choices(self) -> Choices:
        return Choices(self.job.title, self.job.options, self.stem_key)


class StageRow(msgspec.Struct, frozen=True):
    """What a stage gave so far: `fingerprint` is the hash of its inputs, `output` what it gave (JSON), `seconds` what
    it took."""

    fingerprint: str
    output: Any
    seconds: float

    @property
    def finished(self) -> bool:
        """False while only a part of the work is done and kept."""
        return not self.fingerprint.startswith(PARTIAL)
