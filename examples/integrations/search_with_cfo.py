"""FLAML's CFO proposes the configurations of a support vector machine, beginning where it trains fast."""

from digits_svm import SPACE, error

from trialwright import CFO, Engine

searcher = CFO(low_cost_partial_config={"C": 0.1})
engine = Engine(error, SPACE, searcher=searcher, num_samples=20, metric="error", mode="min", executor="local", seed=0)
result = engine.run()
print(f"error {result.best().metrics['error']:.4f} after {len(result.trials)} trials")
