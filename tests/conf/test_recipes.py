"""Recipes for tasks that need a memory or levels: what they choose, and that an iteration of each goes through."""

from __future__ import annotations

import math

import pytest

from pgrobot.configure import build, compose, validated
from pgrobot.schemes import LEARNER

SEEN = {
    "memory_pendulum": ("policy/0", "policy/1"),
    "memory_mountain_car": ("policy/0",),
    "memory_halfcheetah_positions": "qpos",
    "memory_halfcheetah_velocities": "qvel",
}
MINIBATCH = "algorithm.policy_solver.minibatch=64"  # a recipe's may be more than all rows of a tiny rollout


@pytest.mark.parametrize(("recipe", "maze", "steps"), [("maze_u", "u", 300), ("maze_medium", "medium", 600)])
def test_a_ball_in_a_maze_has_two_levels_and_is_paid_at_its_goal(recipe: str, maze: str, steps: int) -> None:
    cfg = validated(compose([f"experiment={recipe}", "debug=tiny", MINIBATCH]))
    assert (cfg.task.maze, cfg.task.reward, cfg.policy.head.log_std) == (maze, "sparse", 0.0)
    assembly = build(cfg, 1)
    assert assembly.environment.spec.max_episode_steps == steps
    metrics = assembly.learners[LEARNER].update(assembly.collector.collect()[LEARNER])
    assert all(map(math.isfinite, metrics.values()))
    assembly.environment.close()
    assert validated(compose([f"experiment={recipe}", "policy.log_std=-1"])).policy.head.log_std == -1.0


@pytest.mark.parametrize("recipe", SEEN)
def test_a_recipe_hides_what_it_says_and_learns(recipe: str) -> None:
    assembly = build(validated(compose([f"experiment={recipe}", "debug=tiny", MINIBATCH])), 1)
    seen, names = SEEN[recipe], assembly.environment.spec.observation["policy"].names
    assert names == seen if isinstance(seen, tuple) else {name.split("/")[0] for name in names} == {seen}
    assert not assembly.environment.spec.costs
    assert assembly.policy.carry_size > 0
    metrics = assembly.learners[LEARNER].update(assembly.collector.collect()[LEARNER])
    assert all(map(math.isfinite, metrics.values()))
    assembly.environment.close()
