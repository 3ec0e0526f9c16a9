"""Pronunciation dictionaries of the double of ElevenLabs."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import msgspec

from tests.doubles.elevenlabs.refusals import Refused, json_object, schema_refused
from tests.doubles.http import Reply, Request

if TYPE_CHECKING:
    from tests.doubles.elevenlabs.server import Double

PATH = "/v1/pronunciation-dictionaries"
_RULE_KEYS = {"type", "string_to_replace", "alias", "case_sensitive", "word_boundaries"}


class Dictionary(msgspec.Struct):
    id: str
    name: str
    version: str
    rules: list[dict[str, Any]]
    made_at: int
    archived: bool = False

    def listed(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "latest_version_id": self.version,
            "latest_version_rules_num": len(self.rules),
            "created_by": "user",
            "creation_time_unix": self.made_at,
            "archived_time_unix": 1 if self.archived else None,
        }


async def dictionaries(double: Double, request: Request, reply: Reply) -> None:
    if request.path == f"{PATH}/add-from-rules" and request.method == "POST":
        body = json_object(request)
        double.violations += [f"unknown body key {name}" for name in body.keys() - {"name", "rules"}]
        double.violations += [f"null in a rule: {rule}" for rule in body.get("rules", []) if None in rule.values()]
        for rule in body.get("rules", [{}]):
            if rule.get("type") != "alias" or not rule.get("string_to_replace") or not rule.get("alias"):
                raise schema_refused("rules")
            double.violations += [f"unknown key of a rule {name}" for name in rule.keys() - _RULE_KEYS]
        if not body.get("name") or not body.get("rules"):
            raise schema_refused("name")
        double._authorize(request, "dictionaries")
        number = len(double.dictionaries) + 1
        made = Dictionary(f"Dictionary{number}", body["name"], f"Version{number}", body["rules"], int(time.time()))
        double.dictionaries.append(made)
        told = made.listed() | {"version_id": made.version, "version_rules_num": len(made.rules)}
        await reply.whole(200, told)
        return
    double._authorize(request, "dictionaries")
    if request.path.rstrip("/") == PATH and request.method == "GET":
        double.violations += [f"unknown query key {name}" for name in request.query.keys() - {"page_size", "cursor"}]
        size, first = int(request.query.get("page_size", 30)), int(request.query.get("cursor", 0))
        if size > 100:
            raise schema_refused("page_size")
        own = [one for one in double.dictionaries if not one.archived]
        more = first + size < len(own)
        page = [one.listed() for one in own[first : first + size]]
        following = str(first + size) if more else None
        await reply.whole(200, {"pronunciation_dictionaries": page, "has_more": more, "next_cursor": following})
        return
    found = next((one for one in double.dictionaries if request.path == f"{PATH}/{one.id}"), None)
    if found is None or request.method != "PATCH":
        raise Refused(404, "pronunciation_dictionary_not_found")
    body = json_object(request)
    if body.keys() != {"archived"} or not isinstance(body["archived"], bool):
        raise schema_refused("archived")
    found.archived = body["archived"]
    await reply.whole(200, found.listed())


def said(text: str, rules: list[dict[str, Any]]) -> str:
    """The text as it is spoken by the rules."""
    for rule in rules:
        word = re.escape(rule["string_to_replace"])
        pattern = rf"(?<!\w){word}(?!\w)" if rule.get("word_boundaries") else word
        flags = re.NOFLAG if rule.get("case_sensitive") else re.IGNORECASE
        text = re.sub(pattern, rule["alias"].replace("\\", ""), text, flags=flags)
    return text


def known(double: Double, locators: list[Any]) -> list[Dictionary]:
    """Those that a request for speech names."""
    if len(locators) > 3:
        raise schema_refused("pronunciation_dictionary_locators")
    found = []
    for locator in locators:
        if not isinstance(locator, dict) or locator.keys() != {"pronunciation_dictionary_id", "version_id"}:
            raise schema_refused("pronunciation_dictionary_locators")
        named = (locator["pronunciation_dictionary_id"], locator["version_id"])
        one = next((one for one in double.dictionaries if (one.id, one.version) == named and not one.archived), None)
        if one is None:
            raise Refused(404, "pronunciation_dictionary_not_found")
        found.append(one)
    return found
