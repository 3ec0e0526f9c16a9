"""The person's own translation of the lines, for `autodubber dub --translation`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.dub_options import DubOptions
from app.system.console import say
from app.system.exit_status import UsageError

if TYPE_CHECKING:
    from app.jobs.memory_store import MemoryStore


def check_translation(path: Path | None, options: DubOptions) -> None:
    """Refuse a translation without a language, or beside a translator. Raises UsageError."""
    if path is None:
        return
    if options.translation.target_language is None:
        raise UsageError("--translation needs --to, the language that it is in")
    if options.translation.translator:
        raise UsageError("--translation is your own translation; --translator would make another")


def bring(store: MemoryStore, path: Path) -> None:
    """Give the lines their texts, and say which get none. Raises as `read_translation`, and translation_unmatched.
    Blocks."""
    from app.dubbing.by_hand import applied, match, read_translation

    job = store.job
    lines = store.segments(job.id)[1]
    found = match(read_translation(path.read_bytes(), job.options.translation.target_language), lines)
    store.replace_segments(job.id, applied(lines, found))
    missing = set(found.missing)
    for number, line in enumerate(lines, 1):
        if line.id in missing:
            say(f"no translation for line {number}, which stays as it is: {line.text[:60]}", to=sys.stderr)
    for entry in found.left_over:
        named = f"{entry.number}: " if entry.number is not None else ""
        say(f"no line for {named}{entry.text[:60]}", to=sys.stderr)
