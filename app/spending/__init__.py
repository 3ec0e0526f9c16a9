"""What paid services cost, and the ceiling that a job's requests must not pass."""
