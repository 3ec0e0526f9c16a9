"""`python -m app`: the same as `autodubber`."""

import sys

from app.cli.main import main

sys.exit(main())
