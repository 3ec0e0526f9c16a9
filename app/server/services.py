"""Everything that a server keeps open: stores, voice engines, the job service and the durable engine. Imported when a
server starts, not before."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Final

import sqlalchemy.orm  # noqa: F401 - else imported by the engine in a thread, while a query in another thread meets a half-imported module
import structlog
from sqlalchemy import Engine as Database

from app import __version__
from app.backup import swap
from app.backup.backend import address_of
from app.backup.schedule import BackupSchedule
from app.config.retention_rules import rules_of
from app.config.settings import Settings
from app.domain.dub_options import DubOptions, changed
from app.domain.errors import DubError
from app.domain.events import Deleted, LinkChanged, StateChanged
from app.domain.job import Phase
from app.domain.problems.uploads import DISK_FULL
from app.domain.secret_names import engine_key
from app.dubbing.context import Context
from app.jobs.events import Hub
from app.jobs.failures import Failures
from app.jobs.patient_store import patient
from app.jobs.runner import StageRunner
from app.jobs.service import JobService
from app.jobs.workflows import Engine
from app.media.ffmpeg import tool
from app.retention.cleaner import Cleaner
from app.retention.periodic_tasks import PeriodicTask
from app.retention.usage import StorageUsage
from app.server.engines import engines_of, environment_keys, limits_of
from app.server.links import links_of
from app.speech.registry import recognizer_by_default
from app.storage import counts, hidden
from app.storage.blobs import BlobStore, FolderBlobs
from app.storage.database import migrate, open_database, urgent
from app.storage.disk_floors import Disks
from app.storage.disk_reserve import Reserve
from app.storage.glossaries import GlossaryStore
from app.storage.jobs import JobStore
from app.storage.secrets import SecretStore
from app.storage.uploads import UploadStore
from app.storage.workspace import Workspace
from app.system.disk_full import is_disk_full

_FLOOR_EVERY_S: Final = 60.0
_RECONCILE_EVERY_S: Final = 3.0
_RESERVE_EVERY_S: Final = 5.0
_HIDDEN_EVERY_S: Final = 5.0
_log = structlog.get_logger("server")


class Services:
    """The constructor opens everything (blocks; migrates the database, deletes leftovers of a killed server); `close`
    closes it."""

    def __init__(self, settings: Settings) -> None:
        data = settings.data
        data.mkdir(parents=True, exist_ok=True)
        if aside := swap.finish(data):
            _log.warning("a restore that was killed is finished", old_files=str(aside))
        self.reserve = Reserve(data)
        self.database: Database = open_database(settings.database_url)
        try:
            urgent(self.database, lambda: self._provide(settings))
        except BaseException:
            self.database.dispose()
            raise

    def _provide(self, settings: Settings) -> None:
        data = settings.data
        migrate(self.database)
        self.blobs: BlobStore = FolderBlobs(settings.blobs)
        self.secrets = SecretStore(self.database, data / "secret.key")
        self.secrets.settle()
        self.glossaries = GlossaryStore(self.database)
        self.store = JobStore(self.database)
        self.hub = Hub()
        self.cleaner = Cleaner(
            database=self.database,
            blobs=self.blobs,
            data=data,
            rules=rules_of(settings),
            min_free_bytes=settings.min_free_bytes,
            changed=self._changed,
        )
        disks = Disks.of(data, settings.min_free_bytes, self.cleaner.make_room)
        floor = disks.at(settings.blobs)
        self.uploads = UploadStore(
            self.database,
            self.blobs,
            settings.uploads,
            expiry_s=settings.upload_expiry_s,
            floor=disks.at(settings.uploads),
            blob_floor=floor,
            most_open=settings.max_open_uploads,
        )
        self.usage = StorageUsage(
            data=data,
            database=self.database,
            blobs=self.blobs,
            cleaner=self.cleaner,
            floor=floor,
            version=__version__,
            backups_on=bool(settings.backup_to),
            backup_every_s=settings.backup_every_s if settings.backup_to else 0.0,
        )
        own_keys = environment_keys(settings)
        self.registry = engines_of(
            settings, lambda engine: self.secrets.get(engine_key(engine)) or own_keys.of(engine), disks=disks
        )
        self._workspace = workspace = Workspace(settings.scratch)
        _log.info(
            "swept",
            scratch=workspace.sweep(),
            blobs=self.blobs.sweep()[0],
            uploads=self.uploads.sweep(),
            open_uploads=self.uploads.resume(),
        )
        cache = data / "cache"
        cache.mkdir(exist_ok=True)
        context = Context(
            blobs=self.blobs,
            workspace=workspace,
            cache=cache,
            engines=self.registry,
            threads=settings.thread_count,
            limits=limits_of(settings),
            max_duration_s=settings.max_duration_s,
            disks=disks,
            blob_folders=(settings.blobs,),
            ahead=settings.ahead,
        )
        failures = Failures(self.store, self.hub)
        runner = StageRunner(
            store=patient(self.store),
            keys=patient(self.secrets),
            context=context,
            hub=self.hub,
            failures=failures,
            discard=self._discard,
        )
        at_once = {Phase.PREPARE: settings.prepare_at_once, Phase.RENDER: settings.render_at_once}
        self.engine = Engine(
            path=settings.engine_path, store=self.store, runner=runner, failures=failures, at_once=at_once
        )
        self.service = JobService(
            store=self.store,
            uploads=self.uploads,
            keys=self.secrets,
            context=context,
            hub=self.hub,
            queue=self.engine,
            defaults=defaults(settings),
            floor=floor,
        )
        self.links = links_of(
            settings,
            uploads=self.uploads,
            disks=disks,
            publish=lambda link_id, link: self.hub.publish(LinkChanged(link_id, 0, link)),
        )
        self._schedule = schedule_of(settings)
        self._engine_failure = ""

    def launch(self) -> bool:
        """Make the reserve, start the durable engine; blocks for about a second. A failure is logged and shown by
        `engine_trouble`; then it may be tried again."""
        try:
            self.reserve.keep()
            self.engine.launch()
        except Exception as error:
            reason = (
                DISK_FULL.message
                if is_disk_full(error, self.reserve.folder)
                else f"{type(error).__name__}: {error}"[:300]
            )
            if reason != self._engine_failure:  # retried every few seconds
                _log.exception("the engine does not start")
            self._engine_failure = reason
            return False
        self._engine_failure = ""
        _log.info("the engine runs")
        return True

    async def close(self) -> None:
        """Stop the engine and a running backup, close connections to voice services and the database."""
        if self._schedule is not None:
            await asyncio.to_thread(self._schedule.stop)
        await self.links.close()
        await asyncio.to_thread(self.engine.shutdown)
        await self.registry.close()
        await asyncio.to_thread(self.database.dispose)

    def periodic_tasks(self) -> list[PeriodicTask]:
        """The periodic tasks of a running server."""
        backups = (
            [PeriodicTask("backup", self._schedule.run, self._schedule.due_in_s)] if self._schedule is not None else []
        )
        return [
            *backups,
            PeriodicTask("jobs without work", self.engine.settle, lambda: _RECONCILE_EVERY_S),
            PeriodicTask("the reserve", self.reserve.keep, lambda: _RESERVE_EVERY_S),
            PeriodicTask("hidden jobs", lambda: hidden.sweep(self.database, self.blobs), lambda: _HIDDEN_EVERY_S),
            PeriodicTask("expired uploads", self.uploads.sweep),
            PeriodicTask("expired links", self.links.sweep),
            PeriodicTask("ended workflows", self.engine.collect),
            PeriodicTask("scratch", self._workspace.sweep),
            PeriodicTask("killed imports", self.cleaner.sweep_imports),
            PeriodicTask("retention", self.cleaner.clean),
            PeriodicTask("the disk's floor", self.cleaner.keep_floor, lambda: _FLOOR_EVERY_S),
        ]

    # ---------------------------------------------------------------- for health and metrics; "" when nothing is wrong

    def engine_trouble(self) -> str:
        if self.engine.launched:
            return ""
        return (
            f"It does not start, and is tried again: {self._engine_failure}"
            if self._engine_failure
            else "It is starting."
        )

    def database_trouble(self) -> str:
        return "" if counts.answers(self.database) else "It does not answer."

    def ffmpeg_trouble(self) -> str:
        try:
            return "" if Path(tool()).is_file() else "ffmpeg is missing."
        except DubError as error:
            return error.message

    def queue_lengths(self) -> dict[str, int]:
        return counts.queue_lengths(self.database)

    def blob_bytes(self) -> dict[str, int]:
        return {kind.kind: kind.bytes for kind in self.usage.report().kinds}

    def waits_s(self) -> dict[str, float]:
        return counts.waits_s(self.database)

    def _discard(self, keys: list[str]) -> None:
        self.store.discard(self.blobs, keys)

    def _changed(self, job_id: str, gone: bool) -> None:
        """Tell open pages that retention deleted files of a job."""
        if gone:
            self.hub.forget(job_id)
            self.hub.publish(Deleted(job_id, 0))
            return
        with contextlib.suppress(DubError):  # deleted by a person in the meantime
            self.hub.publish(StateChanged(job_id, 0, self.store.get(job_id)))


def schedule_of(settings: Settings) -> BackupSchedule | None:
    """The scheduled backup, if the operator has set where backups go. The child gets password and keys in its
    environment."""
    if not settings.backup_to or not settings.backup_every_s:
        return None
    argv = [sys.executable, "-m", "app", "backup", "--data", str(settings.data), "--json"]
    return BackupSchedule(settings.data, to=address_of(settings.backup_to), every_s=settings.backup_every_s, argv=argv)


def defaults(settings: Settings) -> DubOptions:
    """The options of a job that names none."""
    return changed(
        DubOptions(),
        recognizer=recognizer_by_default(settings.recognizer),
        model=settings.model,
        voice=settings.voice,
        review=settings.review,
        ceiling_usd=settings.ceiling_usd or None,
        ceiling_credits=settings.ceiling_credits or None,
    )
