"""Storage: the journal of a run, the tables that people query, and checkpoints."""
