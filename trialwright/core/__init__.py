"""The pure machine: events in, commands out. No clock, no randomness of its own, no I/O: the folder is the rule."""
