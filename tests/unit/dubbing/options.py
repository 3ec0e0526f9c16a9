"""Options as a person leaves them, but for what a test says."""

from app.domain.dub_options import DubOptions, changed


def options(**wished: object) -> DubOptions:
    plain = {
        "language": "en",
        "recognizer": "whisper",
        "model": "tiny",
        "voice": "espeak:en",
        "audio_track": 0,
        "review": False,
    }
    return changed(DubOptions(), **{**plain, **wished})
