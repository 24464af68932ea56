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
    if node.target is not _ADD or node.kwargs:
        return ()
    parts = [part for part in node.args if isinstance(part, Node)]
    if len(parts) < 2 or parts[0].meta["val"].shape != parts[1].meta["val"].shape:
        return ()
    terms = [_terms(_upright(part)) if len(part.users) == 1 else () for part in parts]
    return (*terms[0], *terms[1]) if all(terms) else ()


def _upright(node: Node) -> Node:
    """What a node is that was turned twice."""
    while node.target is _TURNED and _first(node).target is _TURNED:
        node = _first(_first(node))
    return node


def _first(node: Node) -> Node:
    argument = node.args[0]
    assert isinstance(argument, Node)
    return argument


def _joined(graph: Graph, products: Sequence[Node]) -> Node:
    lefts = [_first(product) for product in products]
    rights = graph.call_function(_CAT, ([product.args[1] for product in products],))
    if all(left.target is _TURNED for left in lefts):  # as in a gradient: whole rows are copied
        rows = graph.call_function(_CAT, ([_first(left) for left in lefts],))
        return graph.call_function(_PRODUCT, (graph.call_function(_TURNED, (rows,)), rights))
    return graph.call_function(_PRODUCT, (graph.call_function(_CAT, (lefts, 1)), rights))
