"""Train in a Gymnasium environment of your own, under a budget for what it reports, and judge the policy.

python examples/own_gymnasium_env.py --steps 200000
"""

import argparse

import gymnasium
import numpy as np

import pgrobot


class Crane(gymnasium.Env):
    """A crane (m) carries a load that swings (rad) to where it shall hang; swinging far is dangerous."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float64)  # m, m/s, rad, rad/s
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float64)  # m/s² of the crane
    dt = 0.05  # s

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = np.array([self.np_random.uniform(-2.0, 2.0), 0.0, 0.0, 0.0])
        return self.state.copy(), {}

    def step(self, action):
        place, speed, angle, spin = self.state
        push = float(action[0])
        turn = -9.81 * np.sin(angle) - push * np.cos(angle) - 0.1 * spin
        speed, spin = speed + self.dt * push, spin + self.dt * turn
        self.state = np.array([place + self.dt * speed, speed, angle + self.dt * spin, spin])
        reward = float(np.exp(-(self.state[0] ** 2)))
        info = {"cost": float(abs(self.state[2]) > 0.05)}  # the constraint `cost` reads it
        return self.state.copy(), reward, False, False, info


def make_env():
    """Build one environment; an episode lasts 10 s."""
    return gymnasium.wrappers.TimeLimit(Crane(), 200)


def told(iteration):
    """Print how it goes; returning True would stop."""
    if "evaluation/return/mean" in iteration.metrics:
        print(f"{iteration.step:>8,} steps: return {iteration.metrics['evaluation/return/mean']:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200_000)
    steps = parser.parse_args().steps
    budget = {"cost": {"budget": 0.1, "unit": "step"}}  # at most a tenth of all steps may be dangerous
    result = pgrobot.train(env=make_env, constraint=budget, total_steps=steps, callback=told, quiet=True)
    judged = pgrobot.evaluate(result, env=make_env, mode="deterministic", seed=1)
    print(
        f"return {judged['return']['mean']:.1f}, cost {judged['costs']['cost']['mean']:.3f} per step:",
        end=" ",
    )
    print(judged["costs"]["cost"]["verdict"])
