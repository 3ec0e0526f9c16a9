"""What ElevenLabs refuses, and what fails on the way: tried again or told, and paid at most twice."""

import copy

import pytest

from app.domain.errors import DubError, Problem
from app.domain.problems.lines import TEXT_INVALID, TEXT_TOO_LONG
from app.domain.problems.voices import (
    KEY_INVALID,
    KEY_MISSING,
    PLAN_REQUIRED,
    QUOTA_EXCEEDED,
    SPEECH_BUSY,
    SPEECH_FAILED,
    SPEECH_REFUSED,
    VOICE_MODEL_UNKNOWN,
    VOICE_UNKNOWN,
)
from app.speech.elevenlabs.voice import ElevenLabsVoice
from tests.doubles.elevenlabs import KEY, Double
from tests.doubles.elevenlabs.calls import Fault
from tests.unit.speech.elevenlabs.test_voice import line


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", times=2, status=500),
        Fault("status", times=1, status=503, body="<html>Bad gateway</html>"),
        Fault("status", times=3, status=429, body={"detail": {"status": "system_busy"}}),
        Fault(
            "status",
            times=3,
            status=429,
            body={"detail": {"code": "concurrent_limit_exceeded", "status": "too_many_concurrent_requests"}},
        ),
        Fault("status", times=1, status=429, headers={"retry-after": "0"}),
        Fault("truncated"),
        Fault("disconnect"),
        Fault("odd"),
        Fault("json"),
        Fault("html"),
        Fault("empty"),
        Fault("silence"),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status if fault.kind == 'status' else ''}x{fault.times}",
)
async def test_what_passes_is_tried_again(voice: ElevenLabsVoice, double: Double, fault: Fault) -> None:
    double.faults.append(copy.copy(fault))
    assert len((await voice.speak(line())).pcm) > 0
    assert len(double.calls) == fault.times + 1


@pytest.mark.parametrize("kind", ["odd", "json", "html", "empty", "silence"])
async def test_an_unusable_answer_is_bought_at_most_twice(voice: ElevenLabsVoice, double: Double, kind: str) -> None:
    double.faults.append(Fault(kind, times=9))
    with pytest.raises(DubError) as caught:
        await voice.speak(line())
    assert caught.value.problem is SPEECH_FAILED
    assert len(double.calls) == 2


async def test_a_service_that_stays_busy_is_given_up_after_five_tries(voice: ElevenLabsVoice, double: Double) -> None:
    double.faults.append(Fault("status", times=99, status=503))
    with pytest.raises(DubError) as caught:
        await voice.speak(line())
    assert caught.value.problem is SPEECH_BUSY and caught.value.retryable
    assert len(double.calls) == 5


async def test_retry_after_is_obeyed(double: Double) -> None:
    engine = ElevenLabsVoice(lambda: KEY, base_url=double.url, pause_s=0.001)
    double.faults.append(Fault("status", status=429, headers={"retry-after": "1"}))
    await engine.speak(line())
    assert double.calls[1].at - double.calls[0].at >= 0.99
    await engine.close()


async def test_a_slow_drip_ends_at_the_deadline(double: Double) -> None:
    engine = ElevenLabsVoice(lambda: KEY, base_url=double.url, pause_s=0.001, deadline_s=0.2)
    await engine.limit(line())
    double.faults.append(Fault("drip", times=99, delay_s=0.02))
    with pytest.raises(DubError) as caught:
        await engine.speak(line("A. " * 3))
    assert caught.value.problem is SPEECH_BUSY
    assert "in time" in caught.value.detail
    await engine.close()


def refusal(code: str, status: str = "") -> dict[str, object]:
    return {"detail": {"type": "x", "code": code, "message": "Sorry", "status": status or code}}


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (401, refusal("unauthorized", "invalid_api_key"), KEY_INVALID),
        (401, refusal("unauthorized", "needs_authorization"), KEY_INVALID),
        (401, refusal("unauthorized", "missing_permissions"), KEY_INVALID),
        (401, refusal("quota_exceeded"), QUOTA_EXCEEDED),
        (401, {"detail": {"status": "quota_exceeded", "message": "older form"}}, QUOTA_EXCEEDED),
        (402, refusal("insufficient_credits"), QUOTA_EXCEEDED),
        (402, refusal("paid_plan_required"), PLAN_REQUIRED),
        (401, refusal("detected_unusual_activity"), PLAN_REQUIRED),
        (403, refusal("subscription_required", "output_format_not_allowed"), PLAN_REQUIRED),
        (404, refusal("voice_not_found"), VOICE_UNKNOWN),
        (400, {"detail": {"status": "model_not_found"}}, VOICE_MODEL_UNKNOWN),
        (400, refusal("text_too_long", "max_character_limit_exceeded"), TEXT_TOO_LONG),
        (400, refusal("input_text_empty"), TEXT_INVALID),
        (400, refusal("unsupported_model"), SPEECH_REFUSED),
        (404, {"detail": "Not Found"}, SPEECH_REFUSED),
        (
            422,
            {"detail": [{"loc": ["body", "text"], "msg": "field required", "type": "missing"}]},
            SPEECH_REFUSED,
        ),
        (401, "<html>proxy</html>", KEY_INVALID),
    ],
)
async def test_a_refusal_is_named_and_never_tried_again(
    voice: ElevenLabsVoice, double: Double, status: int, body: object, problem: Problem
) -> None:
    await voice.limit(line())
    double.faults.append(Fault("status", times=9, status=status, body=body))
    with pytest.raises(DubError) as caught:
        await voice.speak(line())
    assert caught.value.problem is problem
    assert not caught.value.retryable and len(double.calls) == 1
    assert "<" not in caught.value.message


async def test_the_double_refuses_a_spent_quota_a_wrong_voice_and_a_wrong_key(
    voice: ElevenLabsVoice, double: Double
) -> None:
    double.limit = 30
    await voice.speak(line())
    for request, problem in (
        (line(), QUOTA_EXCEEDED),
        (line(voice="NoSuchVoice"), VOICE_UNKNOWN),
        (line(key="sk_wrong_key_123"), KEY_INVALID),
    ):
        with pytest.raises(DubError) as caught:
            await voice.speak(request)
        assert caught.value.problem is problem


async def test_the_key_stands_in_no_error(voice: ElevenLabsVoice, double: Double) -> None:
    secret = "sk_secret_987654321"
    with pytest.raises(DubError) as caught:
        await voice.speak(line(key=secret))
    told = caught.value
    assert "[key]" in told.message  # the service repeats the key; we do not
    assert secret not in f"{told} {told.message} {told.detail} {told!r} {told.__cause__!r} {told.__context__!r}"


@pytest.mark.parametrize("key", ["sk with spaces", "schlüssel", "sk\nnewline", "x" * 300])
async def test_a_key_that_cannot_be_one_is_refused_without_a_call(
    voice: ElevenLabsVoice, double: Double, key: str
) -> None:
    with pytest.raises(DubError) as caught:
        await voice.speak(line(key=key))
    assert caught.value.problem is KEY_INVALID
    assert key not in str(caught.value) and double.calls == []


async def test_a_key_with_a_stray_line_end_works(voice: ElevenLabsVoice) -> None:
    await voice.speak(line(key=f" {KEY}\n"))


async def test_without_a_key_the_engine_says_so(double: Double) -> None:
    engine = ElevenLabsVoice(lambda: None, base_url=double.url)
    info = await engine.info()
    assert not info.availability.available and info.models and "key" in info.availability.remedy
    with pytest.raises(DubError) as caught:
        await engine.speak(line())
    assert caught.value.problem is KEY_MISSING


@pytest.mark.parametrize("voice_id", ["../voices/add", "a b", "", "x/y", "é"])
async def test_a_voice_id_that_would_reach_another_route_is_refused(
    voice: ElevenLabsVoice, double: Double, voice_id: str
) -> None:
    with pytest.raises(DubError) as caught:
        await voice.speak(line(voice=voice_id))
    assert caught.value.problem is VOICE_UNKNOWN and double.calls == []
