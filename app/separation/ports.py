"""The `Separator` protocol that every separation model implements, once loaded. `app.speech.ports` has its engine."""

from __future__ import annotations

from typing import Protocol

import numpy as np

Stereo = np.ndarray[tuple[int, int], np.dtype[np.float32]]

RATE_HZ = 44_100  # what a model hears; the recogniser's 16 kHz track would lose the music's upper half


class Sized(Protocol):
    """Says how much is heard at once."""

    window_n: int
    """Samples at 44.1 kHz that one call takes. The model's own; a network with a larger view asks for more."""


class Windows:
    """Of 12 s, where no model says how long they are."""

    window_n = 1200 * 441


class Separator(Sized, Protocol):
    """A loaded model. It knows nothing of files: `pieces` says what it is given, and what is done with its answer.

    Its answer depends on the window alone, so that a piece may be computed again, in any order, after a kill.
    """

    def background(self, window: Stereo) -> Stereo:
        """`window` (float32, (window_n, 2), -1..1, 44.1 kHz) without speech, of the same shape. What it leaves out is
        the speech: both add up to `window`. Blocks for as long as the model computes."""
        ...
