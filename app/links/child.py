"""The downloader's process: one task on stdin as JSON, its progress and result on stdout as JSON, a line each.

It is started by `app.links.client`. Everything that yt-dlp and the pages do happens behind `app.links.guard`.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from app.domain.errors import DubError
from app.domain.networks import parse
from app.domain.problems.links import LINK_FAILED, LINK_PRIVATE
from app.links import downloader, failures, fetching, looking
from app.links.guard import Guard
from app.links.tasks import MOST_CAPTION_BYTES, Examined, Fetch, FetchCaption, Look, Request

_MEMORY_BYTES: Final = 1536 << 20  # data, not address space: JavaScript runtimes map far more than they use


def main() -> None:
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    channel, sys.stdout = sys.stdout, io.StringIO()
    folder = Path(request.rules.folder)
    downloader.clean_environment(folder)
    log = downloader.Log()
    guard = Guard(folder, parse(",".join(request.rules.networks)), [path for _, path in request.rules.programs])
    sys.dont_write_bytecode = True
    guard.install()

    def say(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    try:
        say({"result": msgspec.to_builtins(_done(request, log, say))})
    except DubError as error:
        say(_told(error.problem.code, error.detail))
    except MemoryError:
        say(_told(LINK_FAILED.code, "The page needs more memory than the downloader may have."))
    except Exception as error:  # yt-dlp raises whatever an extractor meets
        if guard.refused:
            say(_told(LINK_PRIVATE.code, ""))
            return
        message = str(error) or type(error).__name__
        problem = failures.problem_of(message, log.warnings)
        say(_told(problem.code, failures.cleaned(message) + "." if problem is LINK_FAILED else ""))


def _done(request: Request, log: downloader.Log, say: Any) -> msgspec.Struct:
    rules, task = request.rules, request.task
    module = downloader.load(rules.packages)

    def said() -> str:
        return failures.cleaned((log.errors or log.warnings or [""])[-1])

    if isinstance(task, Look):
        with downloader.configured(module, rules, log) as ydl:
            return looking.look(module, ydl, rules, task)
    if isinstance(task, Fetch):
        meter = fetching.Meter(rules.max_bytes, lambda received: say({"received": received}))
        with downloader.configured(module, rules, log, meter) as ydl:
            return fetching.fetch(module, ydl, rules, meter, said)
    if isinstance(task, FetchCaption):
        rules = msgspec.structs.replace(rules, max_bytes=MOST_CAPTION_BYTES)
        meter = fetching.Meter(rules.max_bytes, lambda received: None)
        with downloader.configured(module, rules, log, meter) as ydl:
            return fetching.fetch_caption(ydl, rules, task.id, said)
    with downloader.configured(module, rules, log) as ydl:
        infos = [runtime.info for runtime in ydl._js_runtimes.values() if runtime and runtime.info]
    usable, too_old = ([f"{i.name} {i.version}" for i in infos if i.supported is fits] for fits in (True, False))
    return Examined(module.version.__version__, usable[0] if usable else "", _has_solver(), ", ".join(too_old))


def _has_solver() -> bool:
    import importlib.util

    return importlib.util.find_spec("yt_dlp_ejs") is not None


def _told(code: str, detail: str) -> dict[str, Any]:
    return {"error": {"code": code, "detail": detail}}


if __name__ == "__main__":
    main()
