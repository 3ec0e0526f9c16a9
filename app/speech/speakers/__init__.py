"""Who speaks which line: voices as vectors (GE2E), grouped by how alike they are."""
