"""`autodubber links`: the downloader's version and JavaScript runtime, and a newer downloader."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile

from app.cli.failures import failed, interrupted, interruptible
from app.config.settings import Settings
from app.domain.errors import DubError
from app.domain.problems.links import LINKS_OFF
from app.links import update
from app.links.packages import javascript_hint, packages, runtimes
from app.links.tasks import Examined, Rules
from app.system.console import say, say_json
from app.system.exit_status import OK


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Returns the exit status."""
    try:
        if arguments.action == "update":
            return _update(arguments, settings)
        found = asyncio.run(interruptible(examined(settings)))
    except DubError as error:
        return failed(error, as_json=arguments.json)
    except asyncio.CancelledError:
        return interrupted()
    if arguments.json:
        say_json(found)
        return OK
    say(f"yt-dlp {found.version}; JavaScript: {found.runtime or 'none'}")
    if hint := javascript_hint(found):
        say(hint, to=sys.stderr)
    if not settings.links:
        say(LINKS_OFF.message, to=sys.stderr)
    return OK


def _update(arguments: argparse.Namespace, settings: Settings) -> int:
    done = asyncio.run(interruptible(update.update(settings.data, settings.links_index)))
    if arguments.json:
        say_json(done)
    elif done.changed:
        say(f"yt-dlp {done.version} is used from now on (before: {done.before or 'none'}).")
    else:
        say(f"yt-dlp {done.version} is the newest.")
    return OK


async def examined(settings: Settings) -> Examined:
    """Start the downloader and ask it; nothing of it is left. Raises link_downloader."""
    with tempfile.TemporaryDirectory(prefix="autodubber-") as folder:
        return await update.examine(Rules(folder, packages(settings.data), runtimes()))
