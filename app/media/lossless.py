"""Packs 48 kHz stereo of 16 bits as FLAC in memory, and unpacks it, bit for bit. Runs in a child process: it imports
av and numpy."""

from __future__ import annotations

import io

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_TOOL_FAILED
from app.media.decode import SAMPLE_RATE_HZ
from app.media.packets import TICK

Pcm = npt.NDArray[np.int16]

_FULL = 32_768


def rounded(samples: npt.NDArray[np.float32]) -> Pcm:
    """Float32 as 16 bits, without dither: what came from 16 bits is what it was, and silence stays silent. What is
    beyond full scale is cut."""
    return np.asarray(np.rint(samples * np.float32(_FULL)).clip(-_FULL, _FULL - 1), np.int16)


def packed(samples: Pcm) -> bytes:
    """`samples` (n, 2) as a FLAC file."""
    out = io.BytesIO()
    with av.open(out, "w", format="flac", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ)
        if not isinstance(stream, AudioStream):
            raise DubError(MEDIA_TOOL_FAILED, "There is no FLAC encoder.")
        stream.layout, stream.format = "stereo", "s16"
        for at_n in range(0, len(samples), SAMPLE_RATE_HZ):
            part = np.ascontiguousarray(samples[at_n : at_n + SAMPLE_RATE_HZ])
            frame = AudioFrame.from_ndarray(part.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, at_n, TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def unpacked(data: bytes) -> Pcm:
    """The samples that `packed` was given."""
    with av.open(io.BytesIO(data), "r", format="flac") as container:
        parts = [frame.to_ndarray().reshape(-1, 2) for frame in container.decode(audio=0)]
    return np.concatenate(parts) if parts else np.zeros((0, 2), np.int16)
