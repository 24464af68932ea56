"""Load what was trained and let it act in a plain Gymnasium loop, without pgrobot's own environments.

python examples/load_and_act.py RUN
"""

import argparse

import gymnasium
import numpy as np

import pgrobot


def episode(policy, robot, seed):
    """Return of one episode."""
    observation, _ = robot.reset(seed=seed)
    policy.reset()  # what a policy remembers begins anew
    total, done = 0.0, False
    while not done:
        action = policy.act(observation)  # the mean; deterministic=False draws
        observation, reward, terminated, truncated, _ = robot.step(action)
        total, done = total + float(reward), terminated or truncated
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", help="a run of task=hopper; without it one is trained")
    parser.add_argument("--steps", type=int, default=300_000, help="of that one")
    parser.add_argument("--episodes", type=int, default=20)
    asked = parser.parse_args()
    run = asked.run or pgrobot.train(task="hopper", constraint="none", total_steps=asked.steps).path
    policy = pgrobot.load(run)
    names = ", ".join(policy.spec.observation["policy"].names)
    print(f"step {policy.step:,} sees {names}")
    print(f"and drives {', '.join(policy.spec.actuators)} every {policy.spec.control_dt} s")
    returns = [episode(policy, gymnasium.make("Hopper-v5"), seed) for seed in range(asked.episodes)]
    print(f"Gymnasium's Hopper: {np.mean(returns):.1f} ± {np.std(returns) / len(returns) ** 0.5:.1f}")
    told = pgrobot.evaluate(run, mode="deterministic", episodes=asked.episodes)["return"]
    print(f"pgrobot evaluate:   {told['mean']:.1f} [{told['ci95'][0]:.1f}, {told['ci95'][1]:.1f}]")
