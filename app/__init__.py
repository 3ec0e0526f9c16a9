"""AutoDubber: re-voice and dub videos on a machine of your own."""

__version__ = "0.1.0"
