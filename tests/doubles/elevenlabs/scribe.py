"""What the double of ElevenLabs recognises: tones, by their frequency; those from 600 Hz on are another speaker's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.doubles.elevenlabs.calls import Fault
from tests.doubles.elevenlabs.refusals import Refused, schema_refused
from tests.doubles.heard_tones import heard
from tests.doubles.http import Reply, Request
from tests.doubles.multipart import form_of

if TYPE_CHECKING:
    from tests.doubles.elevenlabs.server import Double

_FIELDS = {"model_id", "file", "language_code", "tag_audio_events", "num_speakers", "timestamps_granularity", "diarize"}
_MODELS = ("scribe_v1", "scribe_v2")


async def scribe(double: Double, request: Request, reply: Reply, fault: Fault | None) -> None:
    """Checks in the service's order: form (422), key (401), model (400)."""
    form = form_of(request)
    fields = dict(form.fields)
    double.violations += [f"unknown field {name}" for name in fields.keys() - _FIELDS]
    if "model_id" not in fields or form.file is None:
        raise schema_refused("model_id" if "model_id" not in fields else "file")
    if fields.get("timestamps_granularity") not in ("none", "word", "character"):
        raise schema_refused("timestamps_granularity")
    if not 1 <= int(fields.get("num_speakers", "1")) <= 32:
        raise schema_refused("num_speakers")
    double._authorize(request, "scribe")
    if fields["model_id"] not in _MODELS:
        raise Refused(400, "invalid_model_id", f"'{fields['model_id']}' is not a valid model_id.")
    words, seconds = await asyncio.to_thread(heard, form.file)
    double.heard.append({"fields": fields, "seconds": seconds, "words": [word["word"] for word in words]})
    double.called.set()
    answer: dict[str, Any] = {"language_code": "eng", "language_probability": 0.98, "words": []}
    diarized = fields.get("diarize") == "true"
    for word in words:
        if answer["words"]:
            answer["words"].append({"text": " ", "type": "spacing", "start": word["start"], "end": word["start"]})
        high = ord(word["word"][0]) > ord("b")
        entry = {"text": word["word"], "start": word["start"], "end": word["end"], "type": "word", "logprob": 0.0}
        answer["words"].append(entry | ({"speaker_id": f"speaker_{int(high)}"} if diarized else {}))
    answer["text"] = "".join(word["text"] for word in answer["words"])
    if fault is not None and fault.kind == "json":
        answer = {"language_code": "eng", "text": "", "words": "none"}
    await reply.whole(200, answer)
