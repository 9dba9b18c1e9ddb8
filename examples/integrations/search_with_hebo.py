"""HEBO proposes the configurations of a support vector machine."""

from digits_svm import SPACE, error

from trialwright import Engine

engine = Engine(error, SPACE, searcher="hebo", num_samples=20, metric="error", mode="min", executor="local", seed=0)
result = engine.run()
print(f"error {result.best().metrics['error']:.4f} after {len(result.trials)} trials")
