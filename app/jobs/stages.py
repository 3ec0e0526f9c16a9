"""The work of the stages: what a body has to do, what it gives, and how it is found by its declaration
(`app.domain.stages`)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, TypeVar

import msgspec

from app.domain import stages
from app.domain.job import Job
from app.domain.media import Artifact, MediaInfo
from app.domain.secret_names import Keys
from app.domain.segment import Clip, Placement, Segment
from app.domain.speaker import Speaker
from app.domain.stage_outputs import Mixed, Separated, Sound
from app.domain.stages import Stage
from app.dubbing.context import Context, Report, local_copies
from app.jobs.events import Hub
from app.spending.paying import Ledger
from app.storage.hashing import sha256_in_steps
from app.storage.job_row import JobRow, StageRow

Body = TypeVar("Body", bound="type[StageBody]")


class Done(msgspec.Struct, frozen=True):
    """What a stage gave: its output (JSON-able), the blobs it needs kept, the files it hands out, columns of the job it
    sets. `name`: the fingerprint of other inputs than the work began with ("": of the same). `idle`: there was nothing
    to do, and how long that took says nothing of the next time."""

    output: Any
    keys: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    fields: dict[str, Any] = {}
    name: str = ""
    idle: bool = False

    def blobs(self) -> list[str]:
        return [*self.keys, *(artifact.key for artifact in self.artifacts)]


class WorkStore(Protocol):
    """What the stages read and write: the database of a server (`JobStore`), the memory of the command line
    (`MemoryStore`). Blocks."""

    def row(self, job_id: str) -> JobRow: ...

    def update(self, job_id: str, **fields: Any) -> Job: ...

    def stage(self, job_id: str, stage: str) -> StageRow | None: ...

    def finish_stage(
        self,
        job_id: str,
        stage: str,
        fingerprint: str,
        output: Any,
        seconds: float,
        *,
        keys: Collection[str] = ...,
        artifacts: Collection[Artifact] = ...,
        kinds: Collection[Any] = ...,
    ) -> list[str]: ...

    def segments(self, job_id: str) -> tuple[int, tuple[Segment, ...]]: ...

    def append_segments(
        self,
        job_id: str,
        added: Iterable[Segment],
        *,
        stage: str,
        fingerprint: str,
        output: Any,
        speakers: Sequence[Speaker] | None = ...,
    ) -> int: ...

    def clear_segments(self, job_id: str) -> tuple[int, tuple[str, ...]]: ...

    def replace_segments(
        self, job_id: str, changed: Sequence[Segment], speakers: Sequence[Speaker] | None = ...
    ) -> int: ...

    def refer(self, job_id: str, keys: Collection[str]) -> None: ...

    def ledger(self, job_id: str) -> Ledger: ...


class JobKeys(Protocol):
    """Where the API keys of a job are."""

    def job_keys(self, job_id: str) -> Keys: ...


class StageBody:
    """The work of one stage. `inputs` and `tidy` block; `work` is a task that can be cancelled."""

    stage: ClassVar[Stage]

    def __init__(
        self, *, store: WorkStore, keys: JobKeys, context: Context, hub: Hub, digest: Callable[[Path, Path], str]
    ) -> None:
        self._store, self._keys, self._context, self._hub, self._digest = store, keys, context, hub, digest

    def inputs(self, row: JobRow) -> Any:
        """Everything that decides the output, as JSON-able values: the declared options and earlier outputs, and the
        job's own lines and files."""
        raise NotImplementedError

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        """Do it. `name` is the fingerprint of the inputs. Raises catalogue errors."""
        raise NotImplementedError

    def tidy(self, job_id: str) -> None:
        """The output is recorded: delete what was kept on the way to it."""

    # ---------------------------------------------------------------- what the bodies read

    @contextlib.asynccontextmanager
    async def local(self, *keys: str) -> AsyncIterator[tuple[Path, ...]]:
        """Where these blobs can be read while the block lasts."""
        async with local_copies(self._context.blobs, keys) as paths:
            yield tuple(paths[key] for key in keys)

    def output(self, row: JobRow, stage: Stage) -> Any:
        """What an earlier stage gave, as its declared type."""
        found = self._store.stage(row.job.id, stage.name)
        if found is None:
            raise RuntimeError(f"{stage.name} has not run")
        return msgspec.convert(found.output, stage.output)

    def lines(self, row: JobRow) -> tuple[Segment, ...]:
        return self._store.segments(row.job.id)[1]

    def source_id(self, row: JobRow) -> str:
        return str(self.output(row, stages.PROBE))

    def sound(self, row: JobRow) -> Sound:
        found: Sound = self.output(row, stages.INGEST)
        return found

    def separated(self, row: JobRow) -> str | None:
        """The key of the original without voices, if it was separated."""
        found: Separated = self.output(row, stages.SEPARATE)
        return found.background

    def clips(self, row: JobRow) -> tuple[Clip, ...]:
        found: tuple[Clip, ...] = self.output(row, stages.SYNTHESIZE)
        return found

    def placements(self, row: JobRow) -> tuple[Placement, ...]:
        found: tuple[Placement, ...] = self.output(row, stages.FIT)
        return found

    def mixed(self, row: JobRow) -> Mixed:
        found: Mixed = self.output(row, stages.MIX)
        return found


BODIES: Final[dict[str, type[StageBody]]] = {}


def body_of(stage: Stage) -> Callable[[Body], Body]:
    """Class decorator: this is the work of that stage."""

    def register(body: Body) -> Body:
        body.stage = stage
        BODIES[stage.name] = body
        return body

    return register


class StageWork:
    """The bodies of all stages, by name. `digest` names the bytes of an original; it may keep how far it is in the
    second file."""

    def __init__(
        self,
        *,
        store: WorkStore,
        keys: JobKeys,
        context: Context,
        hub: Hub,
        digest: Callable[[Path, Path], str] = sha256_in_steps,
    ) -> None:
        # they register the bodies
        from app.jobs import prepare_stages, render_stages, separate_stage, speaker_stage, translate_stage  # noqa: F401

        self._bodies = {
            name: body(store=store, keys=keys, context=context, hub=hub, digest=digest) for name, body in BODIES.items()
        }

    def inputs(self, stage: str, row: JobRow) -> Any:
        """Everything that decides the stage's output, as JSON-able values."""
        return self._bodies[stage].inputs(row)

    async def work(self, stage: str, row: JobRow, name: str, report: Report) -> Done:
        """Do it. `name` is the fingerprint of the inputs. Raises catalogue errors."""
        return await self._bodies[stage].work(row, name, report)

    def tidy(self, stage: str, job_id: str) -> None:
        """The stage's output is recorded: what was kept on the way to it has served."""
        self._bodies[stage].tidy(job_id)


def media_of(job: Job) -> MediaInfo:
    """What probe has found."""
    if job.media is None:
        raise RuntimeError("the job has not been probed")
    return job.media
