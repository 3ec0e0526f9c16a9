"""The background of the mix: the original, a music and effects track in its place, or both in turns. Each is decoded
once, as far as needed."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np

from app.domain.dub_options import Background
from app.dubbing.mixing.chunk_plan import CHUNK_N, LEAD_N, OVERLAP_N, Chunk, Layer
from app.dubbing.mixing.levels import Levels
from app.dubbing.mixing.loudness import Doubles, Floats
from app.dubbing.mixing.window_reader import KnownSpans, Playback, energies_of_file, has_sound, stem_checked
from app.dubbing.worker.tasks import MixRequest

_KEEP_EVERY: Final = 16  # a kill costs the way to so many chunks, which is not much


class Sources:
    """The files of one request. Use it in a `with` block: it holds them open. `used` names the files of the cache
    folder that it needs."""

    def __init__(self, request: MixRequest, folder: Path) -> None:
        """Raises not_media, media_damaged, and no_audio for a stem without sound."""
        self._request, self._folder = request, folder
        self.used: set[str] = set()
        source = Path(request.source) if request.source is not None else None
        self._original = source if source is not None and has_sound(source) else None
        self._stem = (
            stem_checked(Path(request.stem))
            if request.stem is not None and request.background != Background.REPLACE
            else None
        )
        self._playing: dict[int, Playback] = {}
        self._files: list[tuple[Path, int, KnownSpans]] = []

    def __enter__(self) -> Sources:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rewind()

    def energies(self, count: int) -> tuple[Doubles, Doubles | None]:
        """The original's energies and the stem's (None without one), exactly `count` of each: silence where a file has
        ended, or is none."""
        original = np.zeros(0)
        if self._original is not None and self._request.energies is not None:
            original = np.fromfile(self._request.energies, "<f4").astype(np.float64)
        elif self._original is not None:
            original = energies_of_file(
                self._original, self._request.audio_track, self._request.source_id, self._folder, self.used
            )
        if self._stem is None:
            return _exactly(original, count), None
        return _exactly(original, count), _exactly(
            energies_of_file(self._stem, 0, self._request.stem_id, self._folder, self.used), count
        )

    def layers(self, levels: Levels) -> tuple[Layer, ...]:
        """What may be heard, at its levels."""
        self._files = []
        layers = []
        if self._original is not None:
            self._files.append(
                (
                    self._original,
                    self._request.audio_track,
                    self._known(self._request.source_id, self._request.audio_track),
                )
            )
            layers.append(Layer(f"original {self._request.source_id} {self._request.audio_track}", levels.original))
        if self._stem is not None:
            self._files.append((self._stem, 0, self._known(self._request.stem_id, 0)))
            layers.append(Layer(f"stem {self._request.stem_id}", levels.stem))
        return tuple(layers)

    def hear(self, chunk: Chunk) -> list[Floats]:
        """The samples of each of the chunk's layers. Chunks come in order."""
        heard = [self._player(number).window(chunk.first_n, chunk.until_n) for number in chunk.layers]
        for number in chunk.layers:
            self._files[number][2].keep(least=_KEEP_EVERY)
        return heard

    def rewind(self) -> None:
        """From the beginning again."""
        for number, playing in self._playing.items():
            playing.close()
            self._files[number][2].keep()
        self._playing = {}

    def _known(self, name: str, track: int) -> KnownSpans:
        known = KnownSpans(self._folder, name, track, CHUNK_N, LEAD_N)
        if known.file is not None:
            self.used.add(known.file.name)
        return known

    def _player(self, number: int) -> Playback:
        if number not in self._playing:
            path, track, known = self._files[number]
            self._playing[number] = Playback(path, track, OVERLAP_N, known.spans)
        return self._playing[number]


def _exactly(energies: Doubles, count: int) -> Doubles:
    return np.pad(energies[:count], (0, max(0, count - len(energies))))
