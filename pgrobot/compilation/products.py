"""Sums of products: ``A₁ B₁ + … + Aₙ Bₙ`` is one product, of the A side by side and the B below each other.

Such a sum is the gradient of a weight that every step of a sequence uses. Each of its terms is as large as the weight,
so making and adding them one by one takes longer than the rest of a step backwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.fx import Graph, Node

_ADD = torch.ops.aten.add.Tensor
_CAT = torch.ops.aten.cat.default
_PRODUCT = torch.ops.aten.mm.default
_TURNED = torch.ops.aten.t.default


def join_products(graph: Graph) -> None:
    """Make each sum of products in a graph one product, in place: the same numbers up to rounding."""
    for node in reversed(list(graph.nodes)):  # a sum before its parts
        products = _terms(node)
        if len(products) > 1:
            with graph.inserting_before(node):
                node.replace_all_uses_with(_joined(graph, products))
            graph.eliminate_dead_code()


def _terms(node: Node) -> Sequence[Node]:
    """The products that a node is the sum of; empty where it is something else as well."""
    if node.target is _PRODUCT:
        return (node,)
    if node.target is not _ADD or node.kwargs or len({_shape(part) for part in node.args}) > 1:
        return ()
    parts = [_terms(_upright(part)) for part in node.args if isinstance(part, Node) and len(part.users) == 1]
    return sum(map(tuple, parts), ()) if len(parts) == 2 and all(parts) else ()


def _upright(node: Node) -> Node:
    """What a node is that was turned twice."""
    while node.target is _TURNED and node.args[0].target is _TURNED:
        node = node.args[0].args[0]
    return node


def _joined(graph: Graph, products: Sequence[Node]) -> Node:
    lefts, rights = zip(*(product.args for product in products), strict=True)
    if all(left.target is _TURNED for left in lefts):  # as in a gradient: whole rows are copied
        rows = graph.call_function(_CAT, ([left.args[0] for left in lefts],))
        left = graph.call_function(_TURNED, (rows,))
    else:
        left = graph.call_function(_CAT, (list(lefts), 1))
    return graph.call_function(_PRODUCT, (left, graph.call_function(_CAT, (list(rights),))))


def _shape(part: object) -> object:
    return part.meta["val"].shape if isinstance(part, Node) else None
