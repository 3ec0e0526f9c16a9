"""Says with which voice, speed and level each line is spoken: its own, else its speaker's, else the job's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from app.domain.glossary import Pronounced, replaced, within
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.segment import Segment
from app.domain.speaker import Speaker
from app.domain.voice_chosen import VoiceChosen
from app.domain.voice_tuning import UNTUNED, VoiceTuning
from app.dubbing.normalization.normalize import normalized
from app.dubbing.spoken.unspeakable import voiced
from app.speech.ports import SpeechRequest, Voice, reads_numbers
from app.speech.registry import Registry, engine_of


class VoiceChoice(msgspec.Struct, frozen=True):
    """How a job's lines are spoken. `voice` is "ENGINE:VOICE". `speakers` may have voices of their own, and of other
    engines; `keys` are the person's own, by engine. `chosen`: the server has chosen `voice`, not the person.
    `pronounced` is how some words are spoken. `normalize`: numbers and abbreviations are written out for voices that
    do not do it themselves."""

    voice: str
    model: str
    speed: float
    language: str | None
    speakers: tuple[Speaker, ...] = ()
    keys: Keys = NO_KEYS
    chosen: VoiceChosen | None = None
    pronounced: tuple[Pronounced, ...] = ()
    tuning: VoiceTuning = UNTUNED
    normalize: bool = True

    def of(self, line: Segment) -> LineVoice:
        speaker = next((speaker for speaker in self.speakers if speaker.id == line.speaker), None)
        voice, model = self.voice, self.model
        if speaker is not None and speaker.voice is not None:
            voice, model = speaker.voice, speaker.voice_model or _same_engine(model, voice, speaker.voice)
        if line.voice is not None:
            voice, model = line.voice, _same_engine(model, voice, line.voice)
        theirs = speaker.speed if speaker is not None else None
        level_db = speaker.level_db if speaker is not None else 0.0
        return LineVoice(
            voice,
            model,
            line.speed or theirs or self.speed,
            level_db if line.level_db is None else line.level_db,
        )


class LineVoice(msgspec.Struct, frozen=True):
    """How one line is spoken; `level_db` is on top of what the mix finds."""

    voice: str
    model: str
    speed: float
    level_db: float


class SpokenLine(msgspec.Struct, frozen=True):
    """A line, the engine that speaks it, and what is asked of that."""

    line: Segment
    voice: Voice
    request: SpeechRequest


def speakable(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The lines that get a voice: not skipped, and with something to say ("..." has nothing, nor has an emoji)."""
    return tuple(
        segment
        for segment in segments
        if not segment.skip and any(character.isalnum() for character in voiced(segment.text))
    )


def spoken_lines(segments: Sequence[Segment], choice: VoiceChoice, engines: Registry) -> tuple[SpokenLine, ...]:
    """Each speakable line with its engine and request; neighbours of the same speaker give the intonation's context. A
    speed that an engine cannot speak at is left to the fit, beyond its limits.

    No emoji, no address and no mark-up is in a request, wherever the line came from. Raises engine_unknown.
    """
    lines = speakable(segments)
    texts = [voiced(line.text).strip() for line in lines]
    everything = "\n".join(texts).casefold() if choice.pronounced else ""
    pronounced = [each for each in choice.pronounced if each.written.casefold() in everything]
    said: dict[tuple[int, _Ways, str | None], str] = {}
    ways: dict[tuple[bool, bool], _Ways] = {}

    def text_of(at: int, way: _Ways, language: str | None) -> str:
        if (at, way, language) not in said:
            said[at, way, language] = normalized(replaced(texts[at], way.replaced), language, way.left)
        return said[at, way, language]

    found = []
    for i, line in enumerate(lines):
        how = choice.of(line)
        voice, voice_id = engines.voice(how.voice)
        signs, aliases = (bool(getattr(voice, f"takes_{what}", False)) for what in ("phonemes", "aliases"))
        if (signs, aliases) not in ways:
            ways[signs, aliases] = _ways(pronounced, signs=signs, aliases=aliases)
        way = ways[signs, aliases]
        language = choice.language if choice.normalize and not reads_numbers(voice, how.model) else None
        request = SpeechRequest(
            voice_id,
            how.model,
            text_of(i, way, language),
            choice.language,
            min(max(how.speed, voice.speeds.min), voice.speeds.max),
            text_of(i - 1, way, language) if i and lines[i - 1].speaker == line.speaker else "",
            text_of(i + 1, way, language) if i + 1 < len(lines) and lines[i + 1].speaker == line.speaker else "",
            choice.keys.of(engine_of(how.voice)),
            tuple(
                (each.written, each.phonemes)
                for each in pronounced
                if signs and each.phonemes and within(each.written, texts[i])
            ),
            choice.tuning,
            tuple((each.written, each.say) for each in choice.pronounced if each.say) if aliases else (),
        )
        found.append(SpokenLine(line, voice, request))
    return tuple(found)


def at_pace(line: SpokenLine, pace: float) -> SpokenLine:
    """The line, asked for so many times as fast."""
    if pace == 1.0:
        return line
    request = msgspec.structs.replace(line.request, speed=line.request.speed * pace)
    return msgspec.structs.replace(line, request=request)


class _Ways(NamedTuple):
    """Words that get another spelling in the text, and words that stay, as the voice is told their sound."""

    replaced: tuple[tuple[str, str], ...]
    left: tuple[str, ...]


def _ways(pronounced: Sequence[Pronounced], *, signs: bool, aliases: bool) -> _Ways:
    """For a voice that takes signs, or other spellings beside the text, or none of it."""
    told = [(signs and bool(each.phonemes)) or (aliases and bool(each.say)) for each in pronounced]
    return _Ways(
        tuple((each.written, each.say) for each, own in zip(pronounced, told, strict=True) if each.say and not own),
        tuple(each.written for each, own in zip(pronounced, told, strict=True) if own),
    )


def _same_engine(model: str, voice: str, other: str) -> str:
    """The model that goes with the other voice: the same where it is of the same engine."""
    return model if engine_of(voice) == engine_of(other) else ""
