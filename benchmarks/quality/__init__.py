"""How good searchers are: ours and others', on the same tasks, with the same seeds.

    python -m benchmarks.quality --develop --methods tpe optuna-tpe --seeds 3     to try something out
    python -m benchmarks.quality                                                  the table of docs/quality.md

A *task* (``tasks.py``) is a space and a function. A *trace* (``traces.py``) is how the best value so far fell in one
run of one method. Traces are appended to files, and what is there is not run again; those of other people's searchers
are part of this repository, because some take hours. Comparisons (``comparison.py``) are made of traces alone.
"""
