"""A job store in memory, for one run of the command line."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec

from app.domain.choices import FIRST_REVISION
from app.domain.dub_options import DubOptions
from app.domain.job import Job, JobState, Phase
from app.domain.media import Artifact, ArtifactKind
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.segment import Segment
from app.domain.speaker import Speaker
from app.domain.stages import Stage
from app.spending.paying import MemoryLedger
from app.storage.job_row import JobRow, StageRow

JOB_ID: Final = "cli"


class MemoryStore:
    """Holds one job; every method ignores the id that it is given. The methods are those of `JobStore` that the stages
    use."""

    def __init__(
        self, options: DubOptions, *, title: str, source_key: str, subtitles_key: str | None, stem_key: str | None
    ) -> None:
        now = time.time()
        self._job = Job(
            id=JOB_ID,
            title=title,
            state=JobState.PREPARING,
            phase=Phase.PREPARE,
            stage=None,
            stage_progress=0.0,
            progress=0.0,
            eta_s=None,
            options=options,
            language=None,
            media=None,
            size_bytes=0,
            segment_count=0,
            has_stem=stem_key is not None,
            revision=1,
            rendered_revision=None,
            choices_revision=FIRST_REVISION,
            stale=False,
            error=None,
            artifacts=(),
            created_at=now,
            updated_at=now,
        )
        self._keys = (source_key, subtitles_key, stem_key)
        self._stages: dict[str, StageRow] = {}
        self._lines: list[Segment] = []
        self._speakers: tuple[Speaker, ...] = ()
        self._ledger = MemoryLedger(options.spending.ceiling)

    @property
    def job(self) -> Job:
        return self._job

    @property
    def keys(self) -> tuple[str, str | None, str | None]:
        """Of the original, the subtitles that were brought, and the background."""
        return self._keys

    def begin(self, lines: Sequence[Segment], speakers: Sequence[Speaker]) -> None:
        """The lines and speakers of a job that has none."""
        self._lines, self._speakers = list(lines), tuple(speakers)

    def output(self, stage: Stage) -> Any:
        """The stage's output. Raises KeyError when it has not run."""
        return msgspec.convert(self._stages[stage.name].output, stage.output)

    def artifacts(self, kinds: Collection[ArtifactKind]) -> list[Artifact]:
        return [artifact for artifact in self._job.artifacts if artifact.kind in kinds]

    # ---------------------------------------------------------------- used by the stages

    def row(self, job_id: str) -> JobRow:
        return JobRow(
            self._job, *self._keys, workflow_id=None, rendered_options=None, choices_changed={}, speakers=self._speakers
        )

    def update(self, job_id: str, **fields: Any) -> Job:
        known = {name: value for name, value in fields.items() if name in Job.__struct_fields__}
        self._job = msgspec.structs.replace(self._job, **known)
        return self._job

    def stage(self, job_id: str, stage: str) -> StageRow | None:
        return self._stages.get(stage)

    def finish_stage(
        self,
        job_id: str,
        stage: str,
        fingerprint: str,
        output: Any,
        seconds: float,
        *,
        keys: Collection[str] = (),
        artifacts: Collection[Artifact] = (),
        kinds: Collection[ArtifactKind] = (),
    ) -> list[str]:
        self._stages[stage] = StageRow(fingerprint, msgspec.to_builtins(output), seconds)
        replaced = {*kinds, *(artifact.kind for artifact in artifacts)}
        others = (artifact for artifact in self._job.artifacts if artifact.kind not in replaced)
        self._job = msgspec.structs.replace(self._job, artifacts=(*others, *artifacts))
        return []

    def segments(self, job_id: str) -> tuple[int, tuple[Segment, ...]]:
        return self._job.revision, tuple(sorted(self._lines, key=lambda line: (line.start_s, line.end_s, line.id)))

    def append_segments(
        self,
        job_id: str,
        added: Iterable[Segment],
        *,
        stage: str,
        fingerprint: str,
        output: Any,
        speakers: Sequence[Speaker] | None = None,
    ) -> int:
        self._lines.extend(added)
        self._cast(speakers)
        self._stages[stage] = StageRow(fingerprint, msgspec.to_builtins(output), 0.0)
        return self._job.revision

    def clear_segments(self, job_id: str) -> tuple[int, tuple[str, ...]]:
        gone = tuple(line.id for line in self._lines)
        self._lines = []
        return self._job.revision, gone

    def replace_segments(
        self, job_id: str, changed: Sequence[Segment], speakers: Sequence[Speaker] | None = None
    ) -> int:
        self._cast(speakers)
        new = {line.id: line for line in changed}
        self._lines = [new.get(line.id, line) for line in self._lines]
        return self._job.revision

    def _cast(self, speakers: Sequence[Speaker] | None) -> None:
        if speakers is not None:
            self._speakers = tuple(speakers)

    def refer(self, job_id: str, keys: Collection[str]) -> None:
        """Does nothing: the run's folder keeps all blobs until it ends."""

    def ledger(self, job_id: str) -> MemoryLedger:
        return self._ledger


class NoKeys:
    """The command line's API key is in the environment, where its engine finds it."""

    def job_keys(self, job_id: str) -> Keys:
        return NO_KEYS
