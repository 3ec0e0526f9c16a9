"""Pronunciation dictionaries of the account: one for each set of other spellings, found again by its name.

The name ends with a hash of the rules, so that a restarted or another server takes the one that is there. The service
deletes none: what is old and has our name is archived when a new one is made, and is made again where it is needed.
"""

from __future__ import annotations

import hashlib
import logging
import time
from typing import Any, Final

import msgspec

from app.domain.errors import DubError
from app.domain.glossary import spaced
from app.domain.problems.voices import PLAN_REQUIRED, SPEECH_FAILED, SPEECH_REFUSED
from app.speech.elevenlabs.account import REQUEST_OPTIONS, VOICE_ID
from app.speech.elevenlabs.client import Service

log: Final = logging.getLogger(__name__)

NAME: Final = "AutoDubber "  # of every dictionary that is made here, before the hash
_KNOWN_S: Final = 600.0
_OLD_S: Final = 30 * 86400.0
_MOST_PAGES: Final = 20
_PAGE: Final = 100

Rules = tuple[tuple[str, str], ...]


class Locator(msgspec.Struct, frozen=True):
    """A version of a dictionary, as a request names it."""

    dictionary: str
    version: str

    def asked(self) -> dict[str, str]:
        return {"pronunciation_dictionary_id": self.dictionary, "version_id": self.version}


class Dictionaries:
    """Of the accounts at one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def of(self, key: str, rules: Rules) -> Locator | None:
        """The dictionary of these rules (written, said; the first that fits is taken), made where the account has none.
        None: the key or the plan may have none."""
        found: Locator | None = await self._service.cached(
            _what(rules), key, _KNOWN_S, lambda: self._found_or_made(key, rules)
        )
        return found

    def forget(self, key: str, rules: Rules) -> None:
        """The service does not know it any more: look again."""
        self._service.forget(_what(rules), key)

    async def _found_or_made(self, key: str, rules: Rules) -> Locator | None:
        try:
            listed = await self._listed(key)
            for one in listed:
                if getattr(one, "name", None) == _name(rules) and (locator := _locator(one, "latest_version_id")):
                    return locator
            made = await self._service.call(
                key,
                lambda client: client.pronunciation_dictionaries.create_from_rules(
                    name=_name(rules),
                    rules=[_rule(written, said) for written, said in rules],
                    request_options=REQUEST_OPTIONS,
                ),
            )
        except DubError as error:
            if error.extra.get("scope") or error.problem in (PLAN_REQUIRED, SPEECH_REFUSED):
                log.warning("no pronunciation dictionary is used: %s", error.message)
                return None
            raise
        locator = _locator(made, "version_id")
        if locator is None:
            raise DubError(SPEECH_FAILED, "Its pronunciation dictionary was not understood.", retryable=True)
        await self._archive_old(key, listed)
        return locator

    async def _listed(self, key: str) -> list[Any]:
        """Those with our name that are not archived."""
        found: list[Any] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            asked: dict[str, Any] = {"page_size": _PAGE, "request_options": REQUEST_OPTIONS} | (
                {"cursor": cursor} if cursor else {}
            )
            page = await self._service.call(
                key,
                lambda client, asked=asked: client.pronunciation_dictionaries.list(**asked),  # type: ignore[misc]
            )
            listed = getattr(page, "pronunciation_dictionaries", None)
            if not isinstance(listed, list):
                raise DubError(SPEECH_FAILED, "Its list of dictionaries was not understood.", retryable=True)
            found += [one for one in listed if str(getattr(one, "name", "")).startswith(NAME) and _in_use(one)]
            following = page.next_cursor if page.has_more else None
            if not following or following == cursor:
                break
            cursor = following
        return found

    async def _archive_old(self, key: str, listed: list[Any]) -> None:
        for one in listed:
            made_at, dictionary = getattr(one, "creation_time_unix", None), str(getattr(one, "id", ""))
            if not isinstance(made_at, int) or time.time() - made_at < _OLD_S or not VOICE_ID.fullmatch(dictionary):
                continue
            try:
                await self._service.call(
                    key,
                    lambda client, dictionary=dictionary: client.pronunciation_dictionaries.update(  # type: ignore[misc]
                        dictionary, archived=True, request_options=REQUEST_OPTIONS
                    ),
                )
            except DubError as error:  # it is in nobody's way: the next one that is made tries again
                log.warning("an old pronunciation dictionary stays: %s", error.message)
                return


def _in_use(listed: Any) -> bool:
    return not getattr(listed, "archived_time_unix", None)


def _locator(told: Any, version: str) -> Locator | None:
    """Both ids, where they are some."""
    ids = [getattr(told, name, None) for name in ("id", version)]
    if all(isinstance(each, str) and VOICE_ID.fullmatch(each) for each in ids):
        return Locator(str(ids[0]), str(ids[1]))
    return None


def _rule(written: str, said: str) -> dict[str, Any]:
    """As the glossary matches: what has capitals only as it is written, and words as a whole."""
    return {
        "type": "alias",
        "string_to_replace": written,
        "alias": said,
        "case_sensitive": written != written.lower(),
        "word_boundaries": spaced(written),
    }


def _name(rules: Rules) -> str:
    return NAME + hashlib.sha256(msgspec.json.encode(rules)).hexdigest()[:24]


def _what(rules: Rules) -> str:
    return f"dictionary {_name(rules)}"
