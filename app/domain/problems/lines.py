"""What is wrong with subtitles, lines and edits of them."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

SUBTITLES_INVALID: Final = Problem(
    "subtitles_invalid",
    422,
    "The subtitle file cannot be read.",
    "Use SRT, WebVTT or ASS; the named line is the first that cannot be read.",
)
ENCODING_UNKNOWN: Final = Problem(
    "encoding_unknown",
    422,
    "This subtitle encoding is not supported.",
    "Use one such as utf-8, windows-1250 or shift_jis, or leave it out to have it guessed.",
)
SUBTITLES_EMPTY: Final = Problem(
    "subtitles_empty", 422, "The subtitle file has no lines.", "Choose a file with at least one cue."
)
TEXT_TOO_LONG: Final = Problem("text_too_long", 422, "A line is too long to be spoken at once.", "Split the line.")
TOO_MANY_LINES: Final = Problem(
    "too_many_lines",
    422,
    "A job or a request may not have this many lines.",
    "Split the video, or the subtitles, or make the changes in parts.",
)
TEXT_INVALID: Final = Problem(
    "text_invalid", 422, "A line's text has characters that cannot be spoken.", "Remove control characters."
)
TIMES_INVALID: Final = Problem(
    "times_invalid", 422, "A line's times are not valid.", "The start must be before the end and both within the video."
)
SEGMENT_NOT_FOUND: Final = Problem(
    "segment_not_found", 404, "This line does not exist.", "Reload the job; it may have been merged or removed."
)
SPEAKER_NOT_FOUND: Final = Problem(
    "speaker_not_found", 404, "This speaker does not exist.", "Reload the job; they may have been merged with another."
)
TOO_MANY_SPEAKERS: Final = Problem(
    "too_many_speakers", 422, "A job may not have this many speakers.", "Merge some of them."
)
EDIT_CONFLICT: Final = Problem(
    "edit_conflict", 412, "The lines were changed in the meantime.", "Reload the lines and make the change again."
)
UNDO_GONE: Final = Problem(
    "undo_gone",
    404,
    "This change can no longer be taken back.",
    "Another change of many lines came after it; edit the lines instead.",
)
PRECONDITION_REQUIRED: Final = Problem(
    "precondition_required",
    428,
    "An edit must say which revision it is for.",
    "Send If-Match with the ETag of the lines.",
)
NO_SPEECH: Final = Problem(
    "no_speech", 422, "No speech was found.", "Check the audio track and the language, or add subtitles."
)
NOTHING_TO_SPEAK: Final = Problem(
    "nothing_to_speak", 422, "There is no line to speak.", "Write or un-skip at least one line."
)
DOES_NOT_FIT: Final = Problem(
    "does_not_fit",
    422,
    "Some lines cannot be placed within the video.",
    "Shorten the named lines, move their times or remove their locks.",
)
