"""The public library of voices, samples, and voices that are added to the account."""

from __future__ import annotations

import pytest

from app.domain.errors import DubError
from app.domain.problems.voices import PREVIEW_UNAVAILABLE, VOICE_UNKNOWN
from app.speech.elevenlabs.voice import ElevenLabsVoice
from app.speech.ports import VoiceQuery
from tests.doubles.elevenlabs import Double
from tests.doubles.elevenlabs.library import IN_ALL
from tests.unit.speech.elevenlabs.test_voice import line


async def test_the_library_is_searched_and_paged(voice: ElevenLabsVoice, double: Double) -> None:
    pages, number = [], 0
    while not pages or pages[-1].has_more:
        pages.append(await voice.shared(VoiceQuery(page=number)))
        number += 1
    assert len({one.id for page in pages for one in page.voices}) == IN_ALL and len(pages) == 3
    found = (await voice.shared(VoiceQuery("narrator", "es", "male", "old", "american"))).voices
    assert found and {(one.language, one.gender, one.age, one.accent) for one in found} == {
        ("es", "male", "old", "american")
    }
    assert all(one.owner and one.preview_url for one in found)


async def test_a_voice_of_the_library_is_added_and_then_speaks(voice: ElevenLabsVoice, double: Double) -> None:
    before = len(await voice.voices())
    wanted = (await voice.shared(VoiceQuery())).voices[5]
    with pytest.raises(DubError) as caught:
        await voice.check(line(voice=wanted.id))
    assert caught.value.problem is VOICE_UNKNOWN
    assert await voice.add_shared(wanted.owner or "", wanted.id, "My narrator") == wanted.id
    assert double.added == [{"voice_id": wanted.id, "name": "My narrator"}]
    assert len(await voice.voices()) == before + 1
    await voice.check(line(voice=wanted.id))
    for owner, voice_id in (("../x", wanted.id), ("a", "../../y"), ("nobody", wanted.id)):
        with pytest.raises(DubError) as caught:
            await voice.add_shared(owner, voice_id, "x")
        assert caught.value.problem is VOICE_UNKNOWN


async def test_samples_come_from_the_service_only_and_without_the_key(voice: ElevenLabsVoice, double: Double) -> None:
    wanted = (await voice.shared(VoiceQuery())).voices[0]
    kind, sound = await voice.sample(wanted.id)
    assert kind == "audio/wav" and sound[:4] == b"RIFF"
    for voice_id, problem in (("EnglishFemale0000001", PREVIEW_UNAVAILABLE), ("nobody", VOICE_UNKNOWN)):
        with pytest.raises(DubError) as caught:  # the one's sample is at an address of somebody else
            await voice.sample(voice_id)
        assert caught.value.problem is problem
