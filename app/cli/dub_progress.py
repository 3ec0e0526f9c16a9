"""Shows progress: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, TextIO

from app.domain.plain_text import visible
from app.system.console import say

_PLAIN_EVERY_S: Final = 5.0

Report = Callable[[float, str], None]


class Step(Protocol):
    """What is shown: a stage, or what comes before them."""

    @property
    def name(self) -> str: ...

    @property
    def doing(self) -> str: ...


class Display(Protocol):
    """Shows one stage after another and records how long each took."""

    def stage(self, stage: Step) -> contextlib.AbstractContextManager[Report]: ...

    def note(self, *lines: str) -> None: ...

    def stages_s(self) -> dict[str, float]: ...


class _Clock:
    def __init__(self) -> None:
        self._took_s: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(self, stage: Step) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._took_s[stage.name] = round(self._took_s.get(stage.name, 0.0) + time.monotonic() - started, 3)

    def stages_s(self) -> dict[str, float]:
        return dict(self._took_s)


class PlainDisplay(_Clock):
    """A line when a stage begins and ends, and one every 5 s in between."""

    def __init__(self, out: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._out = out
        self._now = now

    @contextlib.contextmanager
    def stage(self, stage: Step) -> Iterator[Report]:
        self.note(f"{stage.doing} ...")
        started = last = self._now()

        def report(fraction: float, message: str) -> None:
            nonlocal last
            if self._now() - last >= _PLAIN_EVERY_S:
                last = self._now()
                self.note(f"{stage.doing}: {fraction:.0%}{f' ({message})' if message else ''}")

        with self.timed(stage):
            yield report
        self.note(f"{stage.doing}: done in {self._now() - started:.1f} s")

    def note(self, *lines: str) -> None:
        say(*lines, to=self._out)


class BarDisplay(_Clock):
    """A bar for every stage."""

    def __init__(self, progress: Any) -> None:
        super().__init__()
        self._progress = progress

    def note(self, *lines: str) -> None:
        for line in lines:
            self._progress.console.print(visible(line), markup=False, highlight=False)

    @contextlib.contextmanager
    def stage(self, stage: Step) -> Iterator[Report]:
        task = self._progress.add_task(stage.doing, total=1.0, message="")
        with self.timed(stage):
            yield lambda fraction, message: self._progress.update(task, completed=fraction, message=visible(message))
        self._progress.update(task, completed=1.0, message="")


@contextlib.contextmanager
def display(out: TextIO) -> Iterator[Display]:
    """The display for `out`."""
    if not out.isatty():
        yield PlainDisplay(out)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<18}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[message]}", markup=False),
    )
    with Progress(*columns, console=Console(file=out)) as progress:
        yield BarDisplay(progress)
