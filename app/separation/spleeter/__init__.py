"""Spleeter's two stems, on torch and without TensorFlow."""
