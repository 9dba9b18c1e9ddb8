"""How good schedulers are: the same learning curves, in the same order, under each of them, in virtual time.

    python -m benchmarks.fidelity --data DIR --peer-python PATH --json runs/fidelity.json --write-docs

See ``docs/fidelity.md``, which this writes.
"""
