"""What the engine's speed was promised to be, and what it is: one table, with Ray Tune and Optuna in the same run.

    python -m benchmarks.performance                      # all rows, each in a process of its own
    python -m benchmarks.performance trials useful        # some
    python -m benchmarks.performance --repeats 3 --peer --write-docs --history "what has changed"

See ``docs/performance.md``, which this writes.
"""
