"""Document 002, listings 5-1 to 5-3: random search with Ray alone."""

import random

import ray

from budget import budget
from maze import Environment, evaluate_policy, train_policy

search_space = []
for i in range(budget(10, 4)):
    random_choice = {
        'weight': random.uniform(0, 1),
        'discount_factor': random.uniform(0, 1)
    }
    search_space.append(random_choice)


@ray.remote
def objective(config):
    environment = Environment()
    policy = train_policy(
        environment, weight=config["weight"], discount_factor=config["discount_factor"]
    )
    score = evaluate_policy(environment, policy)
    return [score, config]


result_objects = [objective.remote(choice) for choice in search_space]
results = ray.get(result_objects)

results.sort(key=lambda x: x[0])
print(results[-1])
