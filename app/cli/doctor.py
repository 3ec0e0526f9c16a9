"""`autodubber doctor`: checks what this machine has and lacks, and says how to fix it.

A failed check that is `needed` makes the exit status 1. Nothing is changed or downloaded. Nothing leaves the machine
unless an ElevenLabs key is set: then ElevenLabs is asked whether the key works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from app.cli import machine_checks, server_checks, tool_checks
from app.cli.finding import Finding
from app.config.settings import Settings
from app.domain.plain_text import visible
from app.system.console import say_json
from app.system.exit_status import INTERNAL, OK


def run(settings: Settings, *, as_json: bool) -> int:
    """Print every check; returns 0 when every needed one passes, else 1."""
    checks = asyncio.run(examine(settings))
    healthy = all(check.ok for check in checks if check.needed)
    if as_json:
        say_json({"ok": healthy, "checks": checks}, indent=2)
        return OK if healthy else INTERNAL
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for check in checks:
        mark = "[green]ok  [/]" if check.ok else "[red]FAIL[/]" if check.needed else "[yellow]--  [/]"
        console.print(mark, f"[bold]{check.name}[/]:", end=" ")
        console.print(visible(check.found), markup=False)
        if check.fix:
            console.print(f"       fix: {visible(check.fix)}", markup=False)
    console.print(
        "\nEverything that is needed is here."
        if healthy
        else "\nSomething that is needed is missing: see the lines that say FAIL."
    )
    return OK if healthy else INTERNAL


async def examine(settings: Settings) -> tuple[Finding, ...]:
    """Run every check, in the order in which they are shown."""
    plain: Sequence[Callable[[], Sequence[Finding]]] = (
        machine_checks.check_python,
        lambda: machine_checks.check_data(settings.data),
        lambda: machine_checks.check_disk(settings.data, settings.min_free_bytes),
        machine_checks.check_memory,
        tool_checks.check_ffmpeg,
        tool_checks.check_fonts,
        lambda: tool_checks.check_whisper(settings.device),
        tool_checks.check_page,
        lambda: server_checks.check_names(settings),
    )
    found: list[Finding] = []
    for one in plain:
        found += await asyncio.to_thread(one)
    found += await tool_checks.check_encoder()
    found += await server_checks.check_links(settings)
    found += await server_checks.check_engines(settings)
    return tuple(found)
