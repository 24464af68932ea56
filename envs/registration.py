"""The robots under their Gymnasium names, ``pgrobot/Hopper-v5`` and so on; nothing is built before it is made."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium

ENTRY = "pgrobot.envs.gymnasium_env:"
EPISODE_STEPS = {"Pusher": 100, "Reacher": 50}  # 1,000 for all others
WITHOUT_SPEED = ("InvertedDoublePendulum", "InvertedPendulum", "HumanoidStandup", "Pusher", "Reacher")
TITLES = ("Ant", "HalfCheetah", "Hopper", "Humanoid", "Swimmer", "Walker2d", *WITHOUT_SPEED)

DRONES = {"Corridor": 400, "Gates": 400, "Hover": 750}  # with the steps of an episode
SPARSE = ("HalfCheetah", "Hopper")
MAZES = {"u": 300, "medium": 600, "large": 800}  # with the steps of an episode


def register() -> None:
    """Make every robot known to Gymnasium, single and vectorised."""
    for title in TITLES:
        costs = ("torque",) if title in WITHOUT_SPEED else ("speed", "torque")
        for version in ("v5",) if title == "Pusher" else ("v5", "v4"):
            steps = EPISODE_STEPS.get(title, 1000)
            _register(f"{title}-{version}", steps, costs, robot=title.lower(), version=version)
    for task, steps in DRONES.items():
        _register(f"Drone{task}-v1", steps, ("crash", "out_of_bounds", "tilt"), robot=f"drone_{task.lower()}")
    for title in SPARSE:
        _register(f"Sparse{title}-v5", 1000, (), robot=f"{title.lower()}_sparse")
    _register("QuadrupedVelocity-v1", 1000, ("torque",), robot="quadruped_velocity")
    _register("AntGoal-v1", 500, ("torque",), robot="ant_goal")
    for maze, steps in MAZES.items():
        _register(f"PointMaze{maze.title()}-v1", steps, ("torque",), robot="point_maze", maze=maze)


def _register(name: str, steps: int, costs: Sequence[str], **options: str) -> None:
    gymnasium.register(
        id=f"pgrobot/{name}",
        entry_point=ENTRY + "RobotEnv",
        vector_entry_point=ENTRY + "RobotVectorEnv",
        max_episode_steps=steps,
        kwargs={**options, "costs": {cost: {} for cost in costs}},
    )
