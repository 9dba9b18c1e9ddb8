"""The engine: what a user calls, and what runs the pure core."""
