"""Export a policy to ONNX and drive the robot with onnxruntime alone, as the robot's own computer would.

pip install 'pgrobot[export]'; python examples/export_to_onnx.py RUN
"""

import argparse
import json

import gymnasium
import onnxruntime

import pgrobot


def drive(directory, robot):
    """Return of one episode, from what lies in the directory and nothing else of pgrobot."""
    spec = json.loads((directory / "spec.json").read_text(encoding="utf-8"))
    print(f"{spec['name']} acts every {spec['control_dt']} s: ", end="")
    print(", ".join(f"{action['name']} [{action['unit']}]" for action in spec["actions"]))
    session = onnxruntime.InferenceSession(directory / "policy.onnx")
    observation, _ = robot.reset(seed=0)
    total, done = 0.0, False
    while not done:
        (actions,) = session.run(["action"], {"policy": observation[None]})  # raw numbers in, raw numbers out
        observation, reward, terminated, truncated, _ = robot.step(actions[0])
        total, done = total + float(reward), terminated or truncated
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", help="a run of task=hopper; without it one is trained")
    parser.add_argument("--steps", type=int, default=300_000, help="of that one")
    asked = parser.parse_args()
    run = asked.run or pgrobot.train(task="hopper", constraint="none", total_steps=asked.steps).path
    exported = pgrobot.export(run)
    print(f"within {exported.difference:.1e} of torch's actions, in halves of their range: {exported.path}")
    print(f"return {drive(exported.path, gymnasium.make('Hopper-v5')):.1f}")
