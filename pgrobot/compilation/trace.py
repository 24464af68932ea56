"""From a Python function of tensors to the graph of what it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node

from pgrobot.compilation.products import join_products


@dataclass(frozen=True, slots=True)
class Traced:
    """A function as a graph whose inputs are its captured tensors followed by the arguments that it reads."""

    module: GraphModule
    captured: tuple[Tensor, ...]  # what the function read besides its arguments, by reference
    reads: tuple[int, ...]  # which of the arguments
    example: tuple[Tensor, ...]  # all inputs
    outputs: int

    @property
    def operations(self) -> int:
        """How many there are: what compiling takes grows faster than their number."""
        return sum(node.op == "call_function" for node in self.module.graph.nodes)


def trace(function: Callable[..., Sequence[Tensor]], arguments: Sequence[Tensor]) -> Traced:
    """Run ``function`` once and write down what it computes, derivatives taken inside it included.

    Raises:
        RuntimeError: it branches on the value of a tensor.
    """
    from torch.fx.experimental.proxy_tensor import (
        make_fx,
    )  # a third of a second that an eager run does without

    module = make_fx(lambda *inputs: tuple(function(*inputs)))(*arguments)
    captured = _lift(module.graph, module)
    module.graph.eliminate_dead_code()
    join_products(module.graph)
    _share_norms(module.graph)
    reads = _read(module.graph, len(captured))
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    return Traced(
        module=GraphModule({}, module.graph),
        captured=captured,
        reads=reads,
        example=(*captured, *(arguments[index] for index in reads)),
        outputs=len(output.args[0]),
    )


def _read(graph: Graph, captured: int) -> tuple[int, ...]:
    """Which arguments a graph reads; the others are taken out of it: to hand over a tensor costs a microsecond."""
    inputs = [node for node in graph.nodes if node.op == "placeholder"][captured:]
    for node in inputs:
        if not node.users:
            graph.erase_node(node)
    return tuple(index for index, node in enumerate(inputs) if node.users)


def _share_norms(graph: Graph) -> None:
    """Compute a norm once that is asked for twice: that of a gradient, which is reported and which bounds a step."""
    first: dict[str, Node] = {}
    for node in list(graph.nodes):
        if node.target is torch.ops.aten.linalg_vector_norm.default:
            kept = first.setdefault(repr((node.args, node.kwargs)), node)
            if kept is not node:
                node.replace_all_uses_with(kept)
                graph.erase_node(node)


def _lift(graph: Graph, module: GraphModule) -> tuple[Tensor, ...]:
    """Turn captured tensors, which the tracer made attributes of the module, into inputs in front of all others."""
    lifted: dict[str, tuple[Node, Tensor]] = {}
    first = next(iter(graph.nodes))
    for node in list(graph.nodes):
        if node.op != "get_attr":
            continue
        if node.target not in lifted:
            captured = getattr(module, node.target)
            with graph.inserting_before(first):
                lifted[node.target] = (graph.placeholder(f"captured{len(lifted)}"), captured)
            lifted[node.target][0].meta["val"] = captured  # as the tracer says of all others
        node.replace_all_uses_with(lifted[node.target][0])
        graph.erase_node(node)
    return tuple(tensor for _, tensor in lifted.values())
