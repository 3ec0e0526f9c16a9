"""supervisord as the container's first process: `python -m app.server.supervisor`, with supervisord's own arguments.

supervisord always ends with status 0. When the server cannot start, the container must end with the server's status, so
that `restart: on-failure` and an orchestrator see the failure. Nothing else differs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from supervisor import events, supervisord  # type: ignore[import-untyped]
from supervisor.options import ServerOptions  # type: ignore[import-untyped]
from supervisor.states import SupervisorStates  # type: ignore[import-untyped]

from app.system.exit_status import INTERNAL, OK


class _Options(ServerOptions):  # type: ignore[misc]  # supervisor has no types
    """Remembers the exit status of the last program: supervisord forgets it when the program ended too soon."""

    ended: int | None = None

    def waitpid(self) -> tuple[int | None, int | None]:
        pid, status = super().waitpid()
        if pid and status is not None:
            self.ended = os.waitstatus_to_exitcode(status)
        return pid, status


class _Supervisor(supervisord.Supervisor):  # type: ignore[misc]
    """Stops after the last attempt to start its program failed."""

    status = OK

    def runforever(self) -> None:
        events.subscribe(events.ProcessStateFatalEvent, self._give_up)  # here, because `run` has just emptied the list
        super().runforever()

    def _give_up(self, _event: Any) -> None:
        if self.options.mood != SupervisorStates.RUNNING:
            return  # a stop was requested while the program waited for its next attempt
        ended = self.options.ended
        self.status = ended if ended is not None and ended > 0 else INTERNAL
        sys.stderr.write(f"autodubber: the server cannot be started; the container ends with status {self.status}\n")
        self.options.mood = SupervisorStates.SHUTDOWN


def main(argv: Sequence[str] | None = None) -> int:
    """Supervise until SIGTERM (status 0), or until the program cannot be started (its status)."""
    options = _Options()
    options.realize(list(sys.argv[1:] if argv is None else argv), doc=supervisord.__doc__)
    options.first, options.test = True, False
    supervisor = _Supervisor(options)
    try:
        supervisor.main()
    except supervisord.asyncore.ExitNow:
        pass
    finally:
        options.close_httpservers()
        options.close_logger()
    return supervisor.status


if __name__ == "__main__":
    sys.exit(main())
