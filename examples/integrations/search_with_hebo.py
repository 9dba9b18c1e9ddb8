"""HEBO proposes the configurations of a support vector machine. It searches less long than it would by itself."""

from digits_svm import SPACE, error

from trialwright import HEBO, Engine

searcher = HEBO(generations=20)
engine = Engine(error, SPACE, searcher=searcher, num_samples=20, metric="error", mode="min", executor="local", seed=0)
result = engine.run()
print(f"error {result.best().metrics['error']:.4f} after {len(result.trials)} trials")
