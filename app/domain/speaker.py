"""The people who speak in a video: the name, colour, voice, speed and level of each, and who says which line."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.lines import SPEAKER_NOT_FOUND, TOO_MANY_SPEAKERS
from app.domain.segment import Segment

MAX_SPEAKERS: Final = 200  # of a job
COLOURS: Final = 10  # that the page knows
QUIETEST_DB: Final = -20.0
LOUDEST_DB: Final = 12.0
_ID: Final = re.compile(r"[0-9a-f]{32}")


class VoiceClone(msgspec.Struct, frozen=True):
    """A voice that was made of a speaker, "ENGINE:VOICE", for the job `job_id`. `principal` said at `agreed_at` (Unix
    time) that they have the right to."""

    voice: str
    job_id: str
    principal: str
    agreed_at: float


class Speaker(msgspec.Struct, frozen=True):
    """One who speaks. `colour` is 0..COLOURS-1. `voice` is "ENGINE:VOICE", with `voice_model` of that engine ("": its
    default); None is the job's voice. `speed` None is the job's. `level_db` comes on top of the level that the mix
    finds. `clone` is the voice that was made of them, while it is in the account."""

    id: str
    name: str
    colour: int
    voice: str | None = None
    voice_model: str = ""
    speed: float | None = None
    level_db: float = 0.0
    clone: VoiceClone | None = None


class Script(msgspec.Struct, frozen=True):
    """The lines of a job and who speaks them. `Segment.speaker` is the id of one of the speakers, or ""."""

    segments: tuple[Segment, ...]
    speakers: tuple[Speaker, ...] = ()


def new_speaker(name: str, among: Collection[Speaker]) -> Speaker:
    """Another one, in the colour that the fewest have. Raises too_many_speakers."""
    if len(among) >= MAX_SPEAKERS:
        raise DubError(TOO_MANY_SPEAKERS, f"A job may have {MAX_SPEAKERS}.")
    used = [speaker.colour for speaker in among]
    return Speaker(uuid.uuid4().hex, name, min(range(COLOURS), key=used.count))


def free_name(among: Collection[Speaker]) -> str:
    """ "Speaker N", the first that nobody has."""
    taken = {speaker.name.casefold() for speaker in among}
    return next(name for n in range(1, len(among) + 2) if (name := f"Speaker {n}").casefold() not in taken)


def without_voice(speaker: Speaker) -> Speaker:
    """The same person, whose voice in another language is not chosen yet."""
    return msgspec.structs.replace(speaker, voice=None, voice_model="", clone=None)


def find(speakers: Iterable[Speaker], speaker_id: str) -> Speaker:
    """Raises speaker_not_found."""
    for speaker in speakers:
        if speaker.id == speaker_id:
            return speaker
    raise DubError(SPEAKER_NOT_FOUND)


def told_apart(lines: Sequence[Segment], groups: Sequence[int], speakers: Sequence[Speaker]) -> Script:
    """The lines with the speakers of their groups (-1: none); a line that has a speaker keeps them.

    A group's speaker is the one whom most of its time has already; any other group becomes a new speaker. Where all is
    one group and nobody has a name, nobody gets one.
    """
    seconds: dict[int, Counter[str]] = {group: Counter() for group in dict.fromkeys(groups) if group >= 0}
    for line, group in zip(lines, groups, strict=True):
        if group >= 0 and line.speaker:
            seconds[group][line.speaker] += round((line.end_s - line.start_s) * 1000)
    if len(seconds) < 2 and not any(seconds.values()):
        return Script(tuple(lines), tuple(speakers))
    known, of_group = list(speakers), dict[int, str]()
    waiting = {group for line, group in zip(lines, groups, strict=True) if group >= 0 and not line.speaker}
    for group, spoken in seconds.items():
        if spoken:
            of_group[group] = spoken.most_common(1)[0][0]
        elif group in waiting and len(known) < MAX_SPEAKERS:
            known.append(new_speaker(free_name(known), known))
            of_group[group] = known[-1].id
    told = (
        line if line.speaker else msgspec.structs.replace(line, speaker=of_group.get(group, ""))
        for line, group in zip(lines, groups, strict=True)
    )
    return Script(tuple(told), tuple(known))


def introduced(lines: Sequence[Segment], speakers: Sequence[Speaker], *, strict: bool = True) -> Script:
    """The lines with ids where they had names: of the speaker of that name, or of a new one.

    Raises speaker_not_found for the id of one who is gone, too_many_speakers. Not `strict`: such a line has no speaker.
    """
    known = {speaker.id: speaker for speaker in speakers}
    ids = {speaker.name.casefold(): speaker.id for speaker in reversed(speakers)}
    told: list[Segment] = []
    for line in lines:
        if line.speaker and line.speaker not in known:
            line = msgspec.structs.replace(line, speaker=_id_of(line.speaker, known, ids, strict=strict))
        told.append(line)
    return Script(tuple(told), tuple(known.values()))


def _id_of(name: str, known: dict[str, Speaker], ids: dict[str, str], *, strict: bool) -> str:
    if (found := ids.get(name.casefold())) is not None:
        return found
    if _ID.fullmatch(name) or len(known) >= MAX_SPEAKERS:
        if not strict:
            return ""
        if _ID.fullmatch(name):
            raise DubError(SPEAKER_NOT_FOUND)
    speaker = new_speaker(name, known.values())
    known[speaker.id] = speaker
    ids[name.casefold()] = speaker.id
    return speaker.id
