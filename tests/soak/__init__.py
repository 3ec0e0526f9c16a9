"""`make soak`: a real server under kills, a full disk, a locked database and floods at random, then a look at
everything that it kept."""
