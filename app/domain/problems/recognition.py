"""What keeps a recogniser from working."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

MODEL_UNKNOWN: Final = Problem(
    "model_unknown",
    422,
    "There is no such recognition model.",
    (
        "Choose one of GET /api/engines; a checkpoint of your own goes into the models folder. On the command line its "
        "path is accepted too."
    ),
)
MODEL_DOWNLOAD: Final = Problem(
    "model_download",
    502,
    "A model could not be downloaded.",
    "Check the network, or put the file into the models folder; the download goes on where it stopped.",
)
MODEL_DAMAGED: Final = Problem(
    "model_damaged",
    500,
    "A model's file is damaged.",
    "Delete it from the models folder; it is downloaded again.",
)
RECOGNITION_FAILED: Final = Problem(
    "recognition_failed",
    500,
    "Recognition failed.",
    "Retry; if it fails again, choose a smaller model or look into the log.",
)
OUT_OF_MEMORY: Final = Problem(
    "out_of_memory", 507, "The machine ran out of memory.", "Choose a smaller model or give the machine more memory."
)
CANNOT_TRANSLATE: Final = Problem(
    "cannot_translate",
    422,
    "This recognition model cannot translate.",
    "Choose tiny, base, small, medium or large-v3, or transcribe without translating.",
)
LANGUAGE_UNKNOWN: Final = Problem(
    "language_unknown", 422, "This language is not known.", "Use an ISO 639-1 code such as en, es or fr."
)
RECOGNITION_KEY_MISSING: Final = Problem(
    "recognition_key_missing", 401, "This recogniser needs an API key.", "Enter the key in the settings."
)
RECOGNITION_KEY_INVALID: Final = Problem(
    "recognition_key_invalid",
    401,
    "The recognition service refused the API key.",
    "Check the key; it may be mistyped, expired or without permission.",
)
RECOGNITION_QUOTA: Final = Problem(
    "recognition_quota_exceeded",
    402,
    "The recognition service's credits are spent, or the plan does not have it.",
    "Add credits or wait for the reset, then retry: what was recognised is kept.",
)
RECOGNITION_BUSY: Final = Problem(
    "recognition_busy", 503, "The recognition service is busy.", "Retry in a while: what was recognised is kept."
)
RECOGNITION_UNUSABLE: Final = Problem(
    "recognition_unusable",
    502,
    "The recognition service gave no usable answer.",
    "Retry: what was recognised is kept.",
)
RECOGNITION_REFUSED: Final = Problem(
    "recognition_refused", 422, "The recognition service refused the sound.", "Check its address, model and language."
)
