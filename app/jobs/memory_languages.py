"""The languages of one run of the command line: a store in memory for each, which share what the first stages gave."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from app.domain.dub_options import DubOptions, spoken_in
from app.domain.job import Job, JobLanguage
from app.domain.media import Artifact, ArtifactKind
from app.domain.segment import Segment, untranslated
from app.domain.speaker import Speaker, without_voice
from app.domain.stages import STAGES
from app.jobs.memory_store import JOB_ID, MemoryStore
from app.spending.paying import MemoryLedger
from app.storage.job_row import JobRow, StageRow

_SHARED: Final = frozenset(stage.name for stage in STAGES if not stage.each_language)
_JOBS_OWN: Final = ("language", "media", "joined", "subtitles", "language_certainty")


class MemoryLanguages:
    """The methods of `JobStore` that the stages use, for the first language (`JOB_ID`) and the further ones, by id."""

    def __init__(self, first: MemoryStore, further: Mapping[str, DubOptions]) -> None:
        source_key, subtitles_key, stem_key = first.keys
        self.stores = {JOB_ID: first} | {
            language_id: MemoryStore(
                options, title=first.job.title, source_key=source_key, subtitles_key=subtitles_key, stem_key=stem_key
            )
            for language_id, options in further.items()
        }
        self._waiting = set(further)

    @property
    def first(self) -> MemoryStore:
        return self.stores[JOB_ID]

    def language(self, job_id: str) -> str | None:
        """What the voice speaks in it."""
        return spoken_in(self.stores[job_id].job.options, self.first.job.language)

    def take_lines(self, job_id: str) -> None:
        """Give a further language the lines of the first, once, as they are before they are translated."""
        if job_id in self._waiting:
            self._waiting.discard(job_id)
            lines = [untranslated(line) for line in self.first.segments(JOB_ID)[1]]
            speakers = [without_voice(one) for one in self.first.row(JOB_ID).speakers]
            self.stores[job_id].begin(lines, speakers)

    # ---------------------------------------------------------------- used by the stages

    def row(self, job_id: str) -> JobRow:
        row, first = self.stores[job_id].row(job_id), self.first.job
        job = msgspec.structs.replace(row.job, **{name: getattr(first, name) for name in _JOBS_OWN}, id=job_id)
        if len(self.stores) > 1:
            languages = tuple(
                JobLanguage(each, self.language(each), error=store.job.error) for each, store in self.stores.items()
            )
            parent_id = None if job_id == JOB_ID else JOB_ID
            job = msgspec.structs.replace(job, languages=languages, parent_id=parent_id)
        return msgspec.structs.replace(row, job=job)

    def update(self, job_id: str, **fields: Any) -> Job:
        return self.stores[job_id].update(job_id, **fields)

    def stage(self, job_id: str, stage: str) -> StageRow | None:
        return self.stores[JOB_ID if stage in _SHARED else job_id].stage(job_id, stage)

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
        return self.stores[job_id].finish_stage(
            job_id, stage, fingerprint, output, seconds, keys=keys, artifacts=artifacts, kinds=kinds
        )

    def segments(self, job_id: str) -> tuple[int, tuple[Segment, ...]]:
        return self.stores[job_id].segments(job_id)

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
        return self.stores[job_id].append_segments(
            job_id, added, stage=stage, fingerprint=fingerprint, output=output, speakers=speakers
        )

    def clear_segments(self, job_id: str) -> tuple[int, tuple[str, ...]]:
        return self.stores[job_id].clear_segments(job_id)

    def replace_segments(
        self, job_id: str, changed: Sequence[Segment], speakers: Sequence[Speaker] | None = None
    ) -> int:
        return self.stores[job_id].replace_segments(job_id, changed, speakers)

    def refer(self, job_id: str, keys: Collection[str]) -> None:
        """Does nothing: the run's folder keeps all blobs until it ends."""

    def ledger(self, job_id: str) -> MemoryLedger:
        return self.first.ledger(JOB_ID)
