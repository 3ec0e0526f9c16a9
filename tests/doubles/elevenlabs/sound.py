"""What the double of ElevenLabs speaks: 16 bits, mono, 24 kHz."""

from __future__ import annotations

RATE_HZ = 24_000


def tone(text: str, speed: float) -> bytes:
    """A tone of (code points / 15 / speed) seconds, silent on spaces."""
    import numpy as np

    each = round(RATE_HZ / 15 / speed)
    wave = (np.sin(np.arange(each) * 2 * np.pi * 440 / RATE_HZ) * 8000).astype("<i2").tobytes()
    return b"".join(bytes(len(wave)) if c.isspace() else wave for c in text)


async def espeak(text: str, voice: str, speed: float) -> bytes:
    """Spoken words, so that a recogniser can read back what was bought."""
    import numpy as np
    import soxr

    from app.speech.espeak.voice import EspeakVoice
    from app.speech.ports import SpeechRequest

    spoken = await EspeakVoice().speak(SpeechRequest(voice, "", text, None, speed, "", "", None))
    samples = np.frombuffer(spoken.pcm, "<i2")
    return bytes(soxr.resample(samples, spoken.sample_rate_hz, RATE_HZ).astype("<i2").tobytes())
