"""Document 002, listing 5-16: RLlib's DQN learns CartPole, by its name.

The listing has no end and learns from batches of 10,000 and more: here a trial is one iteration of a few steps.
"""

from trialwright import tune

analysis = tune.run(
    "DQN",
    metric="episode_reward_mean",
    mode="max",
    config={
        "env": "CartPole-v0",
        "lr": tune.uniform(1e-5, 1e-4),
        "train_batch_size": tune.choice([100, 200, 400]),
        "min_sample_timesteps_per_iteration": 200,
        "num_steps_sampled_before_learning_starts": 100,
    },
    stop={"training_iteration": 1},
)
result = analysis.best_result
print(f"{analysis.best_config['env']}: mean return {result['episode_reward_mean']:.1f} after one iteration")
