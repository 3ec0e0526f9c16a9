"""Options as a person leaves them, but for what a test says."""

from app.domain.job import NEUTRAL, Background, DubOptions, Task


def options(**wished: object) -> DubOptions:
    plain = {
        "language": "en", "task": Task.TRANSCRIBE, "recognizer": "whisper", "model": "tiny", "voice": "espeak:en", "voice_model": "", "speed": 1.0,
        "background": Background.DUCK, "keep_original_track": False, "burn_subtitles": False, "audio_track": 0, "review": False,
    }  # fmt: skip
    return DubOptions(**{**plain, **NEUTRAL, **wished})  # type: ignore[arg-type]
