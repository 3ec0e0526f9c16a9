"""The catalogue's entries, one module for each subject. `app.domain.catalogue` has them all by code."""
