"""A maze and Q-learning: code from chapter 3 of a book, used by the objectives of its chapter 5 (document 002).

The world is a square of fields. A seeker starts in one corner and must reach the opposite corner in few steps.
"""

import random

SIZE = 5
GOAL = (SIZE - 1, SIZE - 1)
MOVES = ((1, 0), (0, 1), (-1, 0), (0, -1))


class Environment:
    """Where the seeker is."""

    def reset(self):
        """Go back to the start; return the field."""
        self.field = (0, 0)
        return self.field

    def step(self, action):
        """Move, unless there is a wall; return the field, the reward, and whether this is the goal."""
        row, column = (here + move for here, move in zip(self.field, MOVES[action], strict=True))
        if 0 <= row < SIZE and 0 <= column < SIZE:
            self.field = (row, column)
        return self.field, float(self.field == GOAL), self.field == GOAL


class Policy:
    """What each action is worth on each field."""

    def __init__(self):
        self.values = {(row, column): [0.0] * len(MOVES) for row in range(SIZE) for column in range(SIZE)}

    def action(self, field, explore):
        """Return the best action, or with probability ``explore`` any."""
        if random.random() < explore:
            return random.randrange(len(MOVES))
        return max(range(len(MOVES)), key=self.values[field].__getitem__)


def train_policy(env, num_episodes=200, weight=0.1, discount_factor=0.9):
    """Return a policy that has walked through the maze so often."""
    policy = Policy()
    for _ in range(num_episodes):
        field, done = env.reset(), False
        while not done:
            action = policy.action(field, explore=0.5)
            following, reward, done = env.step(action)
            values = policy.values[field]
            aim = reward + discount_factor * max(policy.values[following])
            values[action] += weight * (aim - values[action])
            field = following
    return policy


def evaluate_policy(env, policy, num_episodes=10, steps_max=200):
    """Return how many steps the policy takes to the goal, on average."""
    steps = 0
    for _ in range(num_episodes):
        field, done, taken = env.reset(), False, 0
        while not done and taken < steps_max:
            field, _, done = env.step(policy.action(field, explore=0.05))
            taken += 1
        steps += taken
    return steps / num_episodes
