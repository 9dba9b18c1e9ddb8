"""``python -m trialwright.bench``; see ``command.py``."""

import sys

from trialwright.bench.command import main

if __name__ == "__main__":
    sys.exit(main())
