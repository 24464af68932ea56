"""Train Stable-Baselines3's PPO on our robots, stepped together on native threads.

pip install stable-baselines3; python examples/sb3_on_native_robots.py
"""

import argparse

import gymnasium
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

import pgrobot.envs  # noqa: F401 - registers pgrobot/Hopper-v5 and the other robots


class Native(VecEnv):
    """A Gymnasium vector environment with same-step auto-reset, as Stable-Baselines3 wants one."""

    def __init__(self, envs):
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self):
        return self.envs.reset(seed=self._seeds[0])[0]

    def step_async(self, actions):
        self.actions = actions

    def step_wait(self):
        obs, reward, terminated, truncated, info = self.envs.step(self.actions)
        done = terminated | truncated
        infos: list[dict] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done):
            infos[i]["terminal_observation"] = info["final_obs"][i]
            infos[i]["TimeLimit.truncated"] = not terminated[i]
        return obs, reward, done, infos

    def close(self):
        self.envs.close()

    def get_attr(self, attr_name, indices=None):
        return [getattr(self.envs, attr_name)] * self.num_envs

    def set_attr(self, attr_name, value, indices=None):
        raise NotImplementedError("all robots are one environment")

    def env_method(self, method_name, *args, indices=None, **kwargs):
        raise NotImplementedError("all robots are one environment")

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    steps = parser.parse_args().steps
    robots = VecMonitor(Native(gymnasium.make_vec("pgrobot/Hopper-v5", num_envs=16)))
    model = PPO("MlpPolicy", robots, n_steps=32, batch_size=64, verbose=1, device="cpu").learn(steps)
    print(f"trained for {model.num_timesteps:,} steps")
