"""What the operations on jobs work with: the stores, the engines, the queue of phases."""

from __future__ import annotations

import copy
from typing import Protocol, Self

from app.domain.dub_options import DubOptions
from app.domain.job import Phase
from app.domain.principal import ANYONE, Principal
from app.dubbing.context import Context
from app.jobs.events import Hub
from app.storage.disk_floor import Floor
from app.storage.jobs import JobStore
from app.storage.secrets import SecretStore
from app.storage.uploads import UploadStore


class Queue(Protocol):
    """The queue of phases: `app.jobs.workflows`."""

    def enqueue(self, phase: Phase, job_id: str, workflow_id: str) -> None: ...

    def cancel(self, workflow_id: str) -> None: ...


class ServiceParts:
    """`defaults` are the operator's options; `floor` guards the disk's free space for new work."""

    def __init__(
        self,
        *,
        store: JobStore,
        uploads: UploadStore,
        keys: SecretStore,
        context: Context,
        hub: Hub,
        queue: Queue,
        defaults: DubOptions,
        floor: Floor,
        principal: Principal = ANYONE,
    ) -> None:
        self._store, self._uploads, self._keys, self._context, self._hub, self._queue = (
            store,
            uploads,
            keys,
            context,
            hub,
            queue,
        )
        self._defaults, self._floor, self.principal = defaults, floor, principal

    def acting_for(self, principal: Principal) -> Self:
        """The same service for one principal: what is asked of it is asked by them. Nothing is checked yet."""
        service = copy.copy(self)
        service.principal = principal
        return service
