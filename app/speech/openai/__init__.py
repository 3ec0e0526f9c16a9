"""Speech and recognition by servers that speak OpenAI's audio API: OpenAI, Speaches, Kokoro-FastAPI, LocalAI."""
