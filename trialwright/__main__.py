"""The command line, as ``python -m trialwright``."""

from trialwright.cli.main import main

if __name__ == "__main__":
    main()
