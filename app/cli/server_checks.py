"""What `autodubber doctor` checks of a server with these settings: the names that it answers under, and its engines."""

from __future__ import annotations

import asyncio
import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.cli.finding import PROBE_S, Finding
from app.config import hosts
from app.config.address import url_of
from app.config.settings import Settings
from app.domain.errors import DubError
from app.domain.problems.requests import HOST_UNKNOWN

if TYPE_CHECKING:
    from app.speech.ports import Voice


def check_names(settings: Settings) -> list[Finding]:
    """Check the names under which browsers may open the server. The running server is asked, because it may have been
    started before the settings were changed."""
    known = hosts.known(settings.allowed_hosts, settings.origins, settings.host)
    names = ["addresses", "localhost", *known.own, *known.listed]
    refused = [name for name in known.listed if "*" not in name and _answers(settings, name) == HOST_UNKNOWN.status]
    if refused:
        fix = (
            f"Start the server again: it runs with other settings than "
            f"AUTODUBBER_ALLOWED_HOSTS={settings.allowed_hosts} here."
        )
        return [Finding("host names", False, False, f"the running server refuses {', '.join(refused)}", fix)]
    fix, advice = "", "write AUTODUBBER_ALLOWED_HOSTS=NAME (several: with commas) and start the server again."
    if not known.listed and settings.trusted_proxies:
        fix = f"A proxy is trusted, and no name is listed. If browsers come to it by a name, {advice}"
    elif not known.listed and not hosts.is_local(settings.host):
        fix = f"Is it opened by another name (a proxy's, or one that the router gives, such as nas.home)? Then {advice}"
    return [
        Finding(
            "host names",
            not (fix and settings.trusted_proxies),
            False,
            f"it answers under {', '.join(names)}; any other is refused",
            fix,
        )
    ]


def _answers(settings: Settings, name: str) -> int:
    """The HTTP status of the running server under a name; 0 when none runs."""
    connection = http.client.HTTPConnection(
        urlsplit(url_of(settings.host, settings.port)).hostname or "", settings.port, timeout=5
    )
    try:
        connection.request("GET", "/health/live", headers={"Host": name})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


async def check_links(settings: Settings) -> list[Finding]:
    """Check the downloader of links and its JavaScript runtime."""
    from app.cli.links import examined
    from app.links.packages import javascript_hint

    if not settings.links:
        return [Finding("links", True, False, "off (AUTODUBBER_LINKS)")]
    try:
        found = await examined(settings)
    except DubError as error:
        return [Finding("links", False, False, error.message, error.problem.hint)]
    hint = javascript_hint(found)
    runtime = found.runtime or "no JavaScript runtime"
    return [Finding("links", not hint, False, f"yt-dlp {found.version}, {runtime}", hint)]


async def check_engines(settings: Settings) -> list[Finding]:
    """Check every recogniser and voice, the ElevenLabs key if one is set, and the downloaded models."""
    from app.server.engines import engines_of, known_key
    from app.speech.registry import recognizer_by_default

    engines = engines_of(settings)
    recognizer = recognizer_by_default(settings.recognizer)
    try:
        checks = []
        for info in await engines.infos():
            state = info.availability
            needed = info.name in (recognizer, settings.voice.split(":", 1)[0])
            checks.append(
                Finding(
                    f"{info.kind} {info.name}",
                    state.available,
                    needed,
                    state.reason or "available",
                    "" if state.available else state.remedy,
                )
            )
            if info.name == recognizer and info.models:
                here = [model.id for model in info.models if model.ready]
                text = (
                    f"{', '.join(here)} in {settings.models}"
                    if here
                    else f"none in {settings.models} yet; {settings.model} is downloaded when first used"
                )
                checks.append(Finding("models", True, False, text))
        if await asyncio.to_thread(known_key, settings, "elevenlabs"):
            checks.append(await _key(engines.voices["elevenlabs"]))
        return checks
    finally:
        await engines.close()


async def _key(engine: Voice) -> Finding:
    try:
        async with asyncio.timeout(PROBE_S):
            found, quota = await engine.voices(), (await engine.info()).quota
    except DubError as error:
        return Finding("ElevenLabs key", False, False, error.message, error.problem.hint)
    except TimeoutError:
        return Finding(
            "ElevenLabs key", False, False, "ElevenLabs does not answer", "Check the network and the proxy settings."
        )
    left = f", {quota.limit - quota.used:,.0f} of {quota.limit:,.0f} credits left" if quota else ""
    return Finding("ElevenLabs key", True, False, f"good, {len(found)} voices{left}")
