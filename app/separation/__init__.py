"""Speech and everything else of a recording, told apart."""
