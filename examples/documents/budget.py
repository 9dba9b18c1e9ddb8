"""Sets how many trials the listings run: as many as printed, or few with ``--smoke`` on the command line."""

import sys

SMOKE = "--smoke" in sys.argv


def budget(printed, smoke):
    """Return the number that is printed, or the small one."""
    return smoke if SMOKE else printed
