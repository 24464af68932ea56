"""A policy as one graph: observations as an environment shows them in, actions as it takes them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from pgrobot.action_map import ActionMap
from pgrobot.deploy.policy import TrainedPolicy
from pgrobot.errors import PgrobotError

ACTION, CARRY_IN, CARRY_OUT, START = "action", "carry_in", "carry_out", "episode_start"
_EXAMPLE = 3  # rows; one would be taken for a constant


class Exportable(nn.Module):
    """What ``pgrobot.acting.Actor`` and the form of the actions do around a policy, in tensors.

    Args:
        trained: the policy.
        remembers: whether its memory is handed in and out.
    """

    centre: Tensor
    unit: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, trained: TrainedPolicy, remembers: bool) -> None:
        super().__init__()
        self.policy, self.groups, self.remembers = trained.policy, trained.groups, remembers
        self.form = trained.spec.action_form
        self.whole = ActionMap.of(trained.spec).whole.tolist()
        for word in ("centre", "unit", "low", "high"):
            self.register_buffer(word, torch.from_numpy(getattr(ActionMap.of(trained.spec), word)))
        for index, name in enumerate(trained.groups):
            origin = trained.policy.origin.reader().origin(name)
            self.register_buffer(f"origin_{index}", torch.from_numpy(origin))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Act: the groups ``[N, …]``, and with a memory ``episode_start`` ``[N]`` and the carry ``[N, H]``."""
        obs = {}
        for index, name in enumerate(self.groups):
            shown, origin = inputs[index], getattr(self, f"origin_{index}")
            read = shown - origin if origin.numel() else shown
            obs[name] = read if shown.dtype == torch.uint8 else read.float()
        rows = inputs[0].shape[0]
        start, carry = inputs[-2:] if self.remembers else self._nothing(rows)
        distribution, carry = self.policy(obs, carry, start)
        drawn = distribution.deterministic
        sent = self._sent(self.policy.command(drawn))
        return (sent, self.policy.remember(carry, drawn)) if self.remembers else (sent,)

    def _nothing(self, rows: Any) -> tuple[Tensor, Tensor]:
        return torch.zeros(rows, dtype=torch.bool), torch.zeros(rows, self.policy.carry_size)

    def _sent(self, action: Tensor) -> Tensor:
        """From policy units to the environment's own."""
        mapped = torch.minimum(torch.maximum(self.centre + self.unit * action.double(), self.low), self.high)
        dtype = getattr(torch, self.form.dtype)
        if self.whole:
            chosen = [a in self.whole for a in range(mapped.shape[-1])]
            mapped = torch.where(torch.tensor(chosen), mapped.round(), mapped)
        sent = (mapped if dtype.is_floating_point else mapped.round()).to(dtype)
        if self.form.start:
            sent = sent + torch.tensor(self.form.start, dtype=dtype)
        return sent.reshape(sent.shape[0], *self.form.shape)


def traced(trained: TrainedPolicy) -> tuple[ExportedProgram, bool]:
    """The graph of a policy for any number of environments, and whether it has a memory.

    A memory that no deterministic action depends on, such as that of correlated noise, is left out.

    Raises:
        PgrobotError: a group has the name of another input.
    """
    taken = [name for name in trained.groups if name in (START, CARRY_IN)]
    if taken:
        raise PgrobotError(f"the observation group {taken[0]!r} has the name of another input: rename it")
    if trained.policy.carry_size:
        program = _traced(trained, remembers=True)
        if _depends(program, 0, len(trained.groups) + 1):
            return program, True
    return _traced(trained, remembers=False), False


def names(trained: TrainedPolicy, *, remembers: bool) -> tuple[Sequence[str], Sequence[str]]:
    """What inputs and outputs of the graph are called."""
    memory = ((START, CARRY_IN), (CARRY_OUT,)) if remembers else ((), ())
    return (*trained.groups, *memory[0]), (ACTION, *memory[1])


def _traced(trained: TrainedPolicy, *, remembers: bool) -> ExportedProgram:
    example = [
        torch.from_numpy(np.zeros((_EXAMPLE, *group.shape), group.dtype))
        for group in (trained.spec.observation[name] for name in trained.groups)
    ]
    if remembers:
        example += [torch.zeros(_EXAMPLE, dtype=torch.bool), torch.zeros(_EXAMPLE, trained.policy.carry_size)]
    rows = Dim("N")
    module = Exportable(trained, remembers)
    program = torch.export.export(module, tuple(example), dynamic_shapes=(tuple({0: rows} for _ in example),))
    for node in list(program.graph.nodes):
        if str(node.target) == "aten._assert_tensor_metadata.default":
            program.graph.erase_node(node)  # it would keep alive what it looks at
    program.graph.eliminate_dead_code()  # what only draws or remembers
    program.graph_module.recompile()
    return program


def _depends(program: ExportedProgram, output: int, entry: int) -> bool:
    """Whether an output of the graph depends on an input."""
    signature = program.graph_signature
    nodes = {node.name: node for node in program.graph.nodes}
    wanted = signature.user_inputs[entry]
    reached, ahead = set(), [nodes[str(signature.user_outputs[output])]]
    while ahead:
        node = ahead.pop()
        if node.name not in reached and str(node.target) != "aten.sym_size.int":  # a size is no value
            reached.add(node.name)
            ahead += node.all_input_nodes
    return wanted in reached
