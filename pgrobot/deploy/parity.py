"""Whether an exported policy acts as the one that was trained."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pgrobot.acting import Actor, undrawn
from pgrobot.action_map import ActionMap
from pgrobot.concurrency import one_torch_thread
from pgrobot.deploy.exportable import ACTION, CARRY_IN, CARRY_OUT, START
from pgrobot.deploy.policy import TrainedPolicy, as_sent
from pgrobot.inputs import Embedding

MOST = 1e-5  # of half an action's range
_STEPS = 25
_ROWS = (1, 2, 37)  # one after the other, so that a file for one number of environments only is found
_SPREADS = (0.0, 0.3, 1.0, 3.0, 10.0)  # deviations of what was seen in training


def session(content: bytes) -> Any:
    """What runs an ONNX file, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def steady(trained: TrainedPolicy) -> bool:
    """Whether a policy acts twice alike on the same observations, when nothing is drawn."""
    obs = _observations(trained, _ROWS[-1], np.random.default_rng(0))
    start = np.ones(_ROWS[-1], bool)
    mapped = ActionMap.of(trained.spec)
    with one_torch_thread():
        one, two = (
            Actor(trained.policy, trained.read.groups, mapped, _ROWS[-1])(obs, start, undrawn)
            for _ in range(2)
        )
    return np.array_equal(one, two, equal_nan=True)


def difference(content: bytes, trained: TrainedPolicy, *, remembers: bool) -> tuple[float, int]:
    """The greatest difference of any action, and of how many observations.

    It is in halves of the action's range, or, of an unbounded action beyond that, of its size.

    Observations are drawn about those of training, where the policy has a normaliser that saw them; a memory goes on
    from step to step, on either side its own, with episodes beginning at random.
    """
    runtime = session(content)
    random = np.random.default_rng(0)
    mapped = ActionMap.of(trained.spec)
    unit = np.where(mapped.unit > 0.0, mapped.unit, 1.0)
    greatest = 0.0
    for rows in _ROWS:
        actor = Actor(trained.policy, trained.read.groups, mapped, rows)
        carry = actor.carry.numpy()
        for step in range(_STEPS):
            obs = _observations(trained, rows, random)
            start = random.random(rows) < (0.1 if step else 1.0)
            with one_torch_thread():
                expected = as_sent(trained.spec.action_form, actor(obs, start, undrawn))
            memory = {START: start, CARRY_IN: carry} if remembers else {}
            told = runtime.run([ACTION, *([CARRY_OUT] if remembers else [])], {**obs, **memory})
            carry = told[1] if remembers else carry
            if told[0].shape != expected.shape or told[0].dtype != expected.dtype:
                return math.inf, rows
            apart = np.abs(told[0].astype(np.float64) - expected).reshape(rows, -1)
            scale = np.maximum(unit, np.abs(expected.reshape(rows, -1) - mapped.centre))
            greatest = max(greatest, float(np.nan_to_num(apart / scale, nan=math.inf).max()))
    return greatest, sum(_ROWS) * _STEPS


def _observations(trained: TrainedPolicy, rows: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Observations ``[rows, …]`` of every group that is read, in the types of the environment."""
    normalizer = getattr(trained.policy, "normalizer", None)
    groups, read = trained.read.groups, trained.policy.origin.reader()
    width = sum(group.width for group in groups.values())
    offset, deviation = np.zeros(width), np.ones(width)
    if normalizer is not None and normalizer.offset.numel() == width:
        offset, deviation = normalizer.offset.numpy(), 1.0 / normalizer.scale.numpy()
    spread = random.choice(_SPREADS, (rows, 1))
    drawn = offset + spread * deviation * random.normal(size=(rows, width))
    told, begin = {}, 0
    for name, group in groups.items():
        if group.image:
            told[name] = random.integers(0, 256, (rows, *group.shape), np.uint8)
        else:
            origin = read.origin(name)
            part = drawn[:, begin : begin + group.width] + (origin if origin.size else 0.0)
            told[name] = part.reshape(rows, *group.shape).astype(group.dtype)
        begin += group.width
    for one in trained.policy.modules():
        if isinstance(one, Embedding) and one.part[0] in told:
            name, at = one.part
            told[name][:, slice(None) if at < 0 else slice(at, at + 1)] = one.drawn(rows, random)
    return told
