"""Train a hopper that may neither hurry nor fall, and read what came of each budget.

python examples/budgets.py
"""

import argparse

import pgrobot


def tell(evaluation):
    """Print the return and every budget."""
    print(f"return {evaluation['return']['mean']:.1f}")
    for name, cost in evaluation["costs"].items():
        interval = f"[{cost['lower']:.4f}, {cost['upper']:.4f}]"
        print(f"{name:>8}: {cost['mean']:.4f} {interval}, budget {cost['budget']}: {cost['verdict']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--episodes", type=int, default=400, help="of the second judgement")
    asked = parser.parse_args()
    result = pgrobot.train(
        task="hopper",
        constraint={
            "speed": {"budget": 0.02, "cost": {"threshold": 1.0}},  # above 1 m/s in 2 % of the steps at most
            "fall": {"budget": 0.1},  # one episode in ten may end in a fall
        },
        multiplier="pid",
        total_steps=asked.steps,
        seed=1,
    )
    tell(result.evaluation)
    # The same policy on more episodes, none of which it has met: fewer budgets stay undecided.
    tell(pgrobot.evaluate(result, episodes=asked.episodes, seed=7))
