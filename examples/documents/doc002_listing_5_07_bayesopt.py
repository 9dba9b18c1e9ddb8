"""Document 002, listing 5-7: the search algorithm of another library."""

from trialwright import tune
from trialwright.tune.suggest.bayesopt import BayesOptSearch

from maze import Environment, evaluate_policy, train_policy

search_space = {
    "weight": tune.uniform(0, 1),
    "discount_factor": tune.uniform(0, 1),
}


def tune_objective(config):
    environment = Environment()
    policy = train_policy(
        environment, weight=config["weight"], discount_factor=config["discount_factor"]
    )
    score = evaluate_policy(environment, policy)

    return {"score": score}


algo = BayesOptSearch(random_search_steps=4)

analysis = tune.run(
    tune_objective,
    config=search_space,
    metric="score",
    mode="min",
    search_alg=algo,
    stop={"training_iteration": 10},
)
print(analysis.best_result["score"])
