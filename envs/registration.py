"""The robots under their Gymnasium names, ``pgrobot/Hopper-v5`` and so on; nothing is built before it is made."""

from __future__ import annotations

import gymnasium

ENTRY = "pgrobot.envs.gymnasium_env:"
EPISODE_STEPS = {"Pusher": 100, "Reacher": 50}  # 1,000 for all others
WITHOUT_SPEED = ("InvertedDoublePendulum", "InvertedPendulum", "HumanoidStandup", "Pusher", "Reacher")
TITLES = ("Ant", "HalfCheetah", "Hopper", "Humanoid", "Swimmer", "Walker2d", *WITHOUT_SPEED)

DRONES = {"Corridor": 400, "Gates": 400, "Hover": 750}  # with the steps of an episode
MAZES = {"u": 300, "medium": 600, "large": 800}  # with the steps of an episode


def register() -> None:
    """Make every robot known to Gymnasium, single and vectorised."""
    for title in TITLES:
        costs: dict[str, dict[str, float]] = {"torque": {}}
        if title not in WITHOUT_SPEED:
            costs = {"speed": {}, "torque": {}}
        for version in ("v5",) if title == "Pusher" else ("v5", "v4"):
            gymnasium.register(
                id=f"pgrobot/{title}-{version}",
                entry_point=ENTRY + "RobotEnv",
                vector_entry_point=ENTRY + "RobotVectorEnv",
                max_episode_steps=EPISODE_STEPS.get(title, 1000),
                kwargs={"robot": title.lower(), "version": version, "costs": costs},
            )
    for task, steps in DRONES.items():
        gymnasium.register(
            id=f"pgrobot/Drone{task}-v1",
            entry_point=ENTRY + "RobotEnv",
            vector_entry_point=ENTRY + "RobotVectorEnv",
            max_episode_steps=steps,
            kwargs={
                "robot": f"drone_{task.lower()}",
                "costs": {"crash": {}, "out_of_bounds": {}, "tilt": {}},
            },
        )
    gymnasium.register(
        id="pgrobot/QuadrupedVelocity-v1",
        entry_point=ENTRY + "RobotEnv",
        vector_entry_point=ENTRY + "RobotVectorEnv",
        max_episode_steps=1000,
        kwargs={"robot": "quadruped_velocity", "costs": {"torque": {}}},
    )
    for maze, steps in MAZES.items():
        gymnasium.register(
            id=f"pgrobot/PointMaze{maze.title()}-v1",
            entry_point=ENTRY + "RobotEnv",
            vector_entry_point=ENTRY + "RobotVectorEnv",
            max_episode_steps=steps,
            kwargs={"robot": "point_maze", "maze": maze, "costs": {"torque": {}}},
        )
