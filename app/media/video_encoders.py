"""Chooses a video encoder. Each hardware encoder is tested once with real pictures before it is used.

ffmpeg lists every encoder that it was built with. Whether driver, device and permission exist shows only when one runs.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.media import ffmpeg
from app.system.children import NO_LIMITS, Limits

log = logging.getLogger(__name__)


class Encoder(msgspec.Struct, frozen=True):
    """An encoder of H.264. `before` are options before the inputs, `filters` end the filter chain, `options` are the
    encoder's own.

    `at_key_frames` makes those that are asked for such that nothing reaches behind them.
    `maps_memory`: it reserves hundreds of gigabytes of addresses (CUDA does), which no limit of address space allows.
    """

    name: str
    options: tuple[str, ...]
    filters: str = "format=yuv420p"
    before: tuple[str, ...] = ()
    at_key_frames: tuple[str, ...] = ()
    maps_memory: bool = False

    def within(self, limits: Limits) -> Limits:
        """The limits under which it can run."""
        return msgspec.structs.replace(limits, memory_bytes=0) if self.maps_memory else limits


SOFTWARE: Final = Encoder("libx264", ("-preset", "veryfast", "-crf", "20"))

_VAAPI_DEVICES: Final = Path("/dev/dri")
_TRIAL_S: Final = 15.0
# Of about the quality that libx264 gives above; in the order in which they are tried.
_HARDWARE: Final = (
    Encoder(
        "h264_nvenc",
        ("-preset", "p5", "-rc", "vbr", "-cq", "22", "-b:v", "0"),
        at_key_frames=("-forced-idr", "1"),
        maps_memory=True,
    ),
    Encoder(
        "h264_qsv", ("-preset", "medium", "-global_quality", "22"), "format=nv12", at_key_frames=("-forced_idr", "1")
    ),
    Encoder("h264_vaapi", ("-rc_mode", "CQP", "-qp", "22"), "format=nv12,hwupload"),
    Encoder("h264_videotoolbox", ("-q:v", "60", "-allow_sw", "0")),
)

_found: dict[str, Encoder] = {}  # by the path of the ffmpeg program


async def choose(*, hardware: bool) -> Encoder:
    """libx264, or the machine's own encoder when it is wished for and one works here. Looked for once in the life of
    the process."""
    if not hardware:
        return SOFTWARE
    tool = ffmpeg.tool()
    if tool not in _found:  # two jobs that ask at the same time both test, with the same result
        try:
            _found[tool] = await _look()
        # a machine too busy to answer: the job goes on with libx264, and the next one asks again
        except DubError as error:
            log.warning("ffmpeg does not say which encoders it has: %s", error.detail)
            return SOFTWARE
        log.info("video encoder of this machine: %s", _found[tool].name)
    return _found[tool]


async def _look() -> Encoder:
    listed = {
        words[1] for line in (await ffmpeg.ask(["-encoders"])).stdout.splitlines() if len(words := line.split()) > 1
    }
    for encoder in _candidates():
        if encoder.name in listed and await works(encoder):
            return encoder
    return SOFTWARE


def _candidates() -> list[Encoder]:
    """The encoders above; VA-API once for every device, as its user must name one."""
    found = []
    for encoder in _HARDWARE:
        if encoder.name != "h264_vaapi":
            found.append(encoder)
            continue
        for device in sorted(_VAAPI_DEVICES.glob("renderD*")) if _VAAPI_DEVICES.is_dir() else ():
            found.append(msgspec.structs.replace(encoder, before=("-vaapi_device", str(device))))
    return found


async def works(encoder: Encoder, limits: Limits = NO_LIMITS) -> bool:
    """Whether it encodes ten small pictures."""
    picture = ["-f", "lavfi", "-i", "color=s=320x240:r=25:d=0.4"]
    words = [
        *encoder.before,
        *picture,
        "-vf",
        encoder.filters,
        "-c:v",
        encoder.name,
        *encoder.options,
        "-f",
        "null",
        "-",
    ]
    try:
        answer = await ffmpeg.ask(words, limits=encoder.within(limits), timeout_s=_TRIAL_S)
    except DubError as error:
        log.warning("%s hangs: %s", encoder.name, error.detail)
        return False
    if answer.code:
        log.debug("%s does not work here: %s", encoder.name, ffmpeg.sanitise(answer.stderr, Path("-")))
    return answer.code == 0
