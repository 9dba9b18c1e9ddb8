"""How much the listings do: as printed, or with ``--smoke`` on the command line, little of it. The only such place."""

import sys

SMOKE = "--smoke" in sys.argv


def budget(printed, smoke):
    """Return the number that is printed, or the small one."""
    return smoke if SMOKE else printed
