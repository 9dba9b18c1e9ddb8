"""The engine: what a user holds, the pure machine in its middle, and the shell around that."""
