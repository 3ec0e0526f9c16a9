"""The public library of the double of ElevenLabs, samples of voices, and voices that are added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles.elevenlabs.refusals import Refused, json_object, schema_refused
from tests.doubles.elevenlabs.sound import tone
from tests.doubles.heard_tones import heard
from tests.doubles.http import Reply, Request
from tests.doubles.multipart import form_of
from tests.doubles.openai_audio import wav

if TYPE_CHECKING:
    from tests.doubles.elevenlabs.server import Double

_QUERY = {"page_size", "page", "search", "language", "gender", "age", "accent"}
_OWNER = "OwnerOfVoices0000001"
IN_ALL = 70


async def clone(double: Double, request: Request, reply: Reply) -> None:
    form = form_of(request)
    fields = dict(form.fields)
    double.violations += [
        f"unknown field {name}" for name in fields.keys() - {"name", "files", "remove_background_noise"}
    ]
    if not fields.get("name") or not form.files or form.files[0][0] != "files":
        raise schema_refused("name" if not fields.get("name") else "files")
    double._authorize(request, "voices")
    if double.tier == "free":
        raise Refused(402, "paid_plan_required", "can_not_use_instant_voice_cloning")
    words, seconds = heard(form.files[0][2])
    voice_id = f"Clone{len(double.added) + 1:015d}"
    said = [word["word"] for word in words]
    double.added.append({"voice_id": voice_id, "name": fields["name"], "seconds": seconds, "said": said})
    await reply.whole(200, {"voice_id": voice_id, "requires_verification": False})


def shared(double: Double, number: int) -> dict[str, Any]:
    gender, language = ("female", "male")[number % 2], ("en", "es")[number // 2 % 2]
    return {
        "public_owner_id": _OWNER,
        "voice_id": f"Shared{number:014d}",
        "date_unix": 1,
        "name": f"Narrator {number}",
        "accent": ("british", "american")[number % 2],
        "gender": gender,
        "age": ("young", "old")[number // 4 % 2],
        "descriptive": "calm",
        "use_case": "narration",
        "category": "professional",
        "language": language,
        "description": "A calm voice.",
        "preview_url": f"{double.url}/samples/Shared{number:014d}.wav",
        "usage_character_count_1y": 1,
        "usage_character_count_7d": 1,
        "play_api_usage_character_count_1y": 1,
        "cloned_by_count": 1,
        "free_users_allowed": True,
        "live_moderation_enabled": False,
        "featured": False,
    }


async def library(double: Double, request: Request, reply: Reply) -> None:
    if request.path.startswith("/samples/"):
        if "xi-api-key" in request.headers:
            double.violations.append("the key was sent for a sample")
        await reply.whole(200, wav(tone("A sample.", 1.0)), {"content-type": "audio/wav"})
        return
    if request.path == "/v1/voices/add":
        await clone(double, request, reply)
        return
    double._authorize(request, "voices")
    if request.path == "/v1/shared-voices":
        double.violations += [f"unknown query key {name}" for name in request.query.keys() - _QUERY]
        size, page = int(request.query.get("page_size", 30)), int(request.query.get("page", 0))
        if not 1 <= size <= 100:
            raise schema_refused("page_size")
        wanted = {
            name: request.query[name] for name in ("language", "gender", "age", "accent") if name in request.query
        }
        found = [shared(double, number) for number in range(IN_ALL)]
        found = [one for one in found if all(one[name] == value for name, value in wanted.items())]
        found = [one for one in found if request.query.get("search", "").lower() in one["name"].lower()]
        here = found[page * size : (page + 1) * size]
        await reply.whole(200, {"voices": here, "has_more": len(found) > (page + 1) * size, "total_count": len(found)})
        return
    owner, _, voice_id = request.path.removeprefix("/v1/voices/add/").partition("/")
    body = json_object(request)
    if body.keys() - {"new_name", "bookmarked"} or not isinstance(body.get("new_name"), str):
        raise schema_refused("new_name")
    if owner != _OWNER or not voice_id.startswith("Shared"):
        raise Refused(404, "voice_not_found")
    double.added.append({"voice_id": voice_id, "name": body["new_name"]})
    await reply.whole(200, {"voice_id": voice_id})
