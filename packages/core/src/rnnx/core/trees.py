"""The trees of a batch, taken apart into levels, so that all nodes of one height are one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import final

import torch
from torch import Tensor


@final
@dataclass(eq=False)  # as a batch
class Trees:
    """Which nodes come in which order, and which are whose children.

    A loader makes them, in its worker; on the device they are only gathered with.

    Attributes:
        shape: ``(N, T)``, rows and places in a row.
        sizes: The number of nodes of each level, from the leaves up; their sum is ``M``.
        nodes: ``(M,)``, where each node stands among the ``N T`` places, level by level.
        children: ``(M, K)``, the children of each node in order, as positions in ``nodes``; 0 where there is
            none.
        present: ``(M, K)``, where there is a child.
        roots: ``(N,)``, positions in ``nodes``.

    Example:
        The trees (0 1)2 and (0)1, each with its root last:

        >>> trees = Trees.of(torch.tensor([[2, 2, -1], [1, -1, -2]]))
        >>> trees.sizes, trees.nodes.tolist(), trees.roots.tolist()
        ((3, 2), [0, 1, 3, 2, 4], [3, 4])
        >>> trees.children[3:].tolist(), trees.present[3:].tolist()
        ([[0, 1], [2, 0]], [[True, True], [True, False]])
    """

    shape: tuple[int, int]
    sizes: tuple[int, ...]
    nodes: Tensor
    children: Tensor
    present: Tensor
    roots: Tensor

    @classmethod
    def of(cls, parents: Tensor) -> Trees:
        """Takes trees apart.

        Args:
            parents: ``(N, T)``, the number of each node's parent in its row; -1 at the root, -2 on padding.
                The order of a node's children is that of their numbers.

        Raises:
            ValueError: a row has not exactly one root, or parents that form a ring.
        """
        rows, steps = parents.shape
        roots = parents == -1
        if not bool((roots.sum(1) == 1).all()):
            raise ValueError(f"each tree must have exactly one root (parent -1), got {roots.sum(1).tolist()}")
        first = torch.arange(rows, device=parents.device).unsqueeze(1) * steps  # (N, 1)
        above = torch.where(parents < 0, parents, parents + first).flatten()  # (N T,), over the whole batch
        height = _heights(above).masked_fill(above == -2, -1)
        nodes = height.argsort(stable=True)[int((height == -1).sum()) :]  # (M,)
        sizes = height[nodes].unique_consecutive(return_counts=True)[1].tolist()
        place = torch.zeros_like(above)  # of each node in the order
        place[nodes] = torch.arange(len(nodes), device=above.device)
        children = _children(above)[nodes]  # (M, K)
        present = children >= 0
        return cls(
            (rows, steps),
            tuple(sizes),
            nodes,
            place[children.clamp(min=0)] * present,
            present,
            place[torch.where(roots.flatten())[0]],
        )

    def move(self, move: Callable[[Tensor], Tensor]) -> Trees:
        """The same trees with each tensor moved, say to another device."""
        tensors = map(move, (self.nodes, self.children, self.present, self.roots))
        return Trees(self.shape, self.sizes, *tensors)


def _heights(above: Tensor) -> Tensor:
    """The height of each node over its lowest leaf, from the numbers of the parents ``(M,)``."""
    height = torch.zeros_like(above)
    inner = above >= 0
    for _ in range(len(above) + 1):
        raised = height.scatter_reduce(0, above[inner], height[inner] + 1, "amax")
        if torch.equal(raised, height):
            return height
        height = raised
    raise ValueError("parents form a ring: a tree's nodes must lead to its root")


def _children(above: Tensor) -> Tensor:
    """The children of each node in order, ``(M, K)``, filled up with -1; ``K`` is at least 1."""
    nodes = torch.where(above >= 0)[0]
    nodes = nodes[above[nodes].argsort(stable=True)]
    _, counts = above[nodes].unique_consecutive(return_counts=True)
    widest = max(chain([1], counts.tolist()))
    table = above.new_full((len(above), widest), -1)
    start = (counts.cumsum(0) - counts).repeat_interleave(counts)
    table[above[nodes], torch.arange(len(nodes), device=above.device) - start] = nodes
    return table
