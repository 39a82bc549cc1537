"""The trees of a batch, taken apart into levels, so that all nodes of one height are one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple, final

import torch
from torch import Tensor


@final
class Level(NamedTuple):
    """The nodes of one height, ``n`` of them.

    All nodes lower than these whose parents are not lower wait for them, in the order of ``nodes``.

    Attributes:
        children: ``(n, K)``, the children of each node in order, as numbers of those who wait; 0 where there
            is none. ``K`` is the most that one of the nodes has, so that it is 0 of leaves.
        present: ``(n, K)``, where there is a child.
        waiting: The numbers of those who go on waiting, for nodes higher than these.
    """

    children: Tensor
    present: Tensor
    waiting: Tensor


@final
@dataclass(eq=False)  # as a batch
class Trees:
    """Which nodes come in which order, and which are whose children.

    A loader makes them, in its worker; on the device they are only gathered with.

    Attributes:
        shape: ``(N, T)``, rows and places in a row.
        nodes: ``(M,)``, where each node stands among the ``N T`` places, level by level, leaves first.
        given: ``(L,)``, the places whose inputs are read.
        inputs: ``(M,)``, the number of each node's input among those; ``L`` of nodes without one.
        levels: The levels, from the leaves up.
        roots: ``(N,)``, the numbers of the rows' roots among those who wait in the end.

    Example:
        The trees (0 1)2 and (0)1, each with its root last:

        >>> trees = Trees.of(torch.tensor([[2, 2, -1], [1, -1, -2]]))
        >>> trees.nodes.tolist(), trees.sizes, trees.roots.tolist()
        ([0, 1, 3, 2, 4], [3, 2], [0, 1])
        >>> leaves, inner = trees.levels
        >>> leaves.children.shape, inner.children.tolist(), inner.present.tolist()
        (torch.Size([3, 0]), [[0, 1], [2, 0]], [[True, True], [True, False]])
    """

    shape: tuple[int, int]
    nodes: Tensor
    given: Tensor
    inputs: Tensor
    levels: tuple[Level, ...]
    roots: Tensor

    @classmethod
    def of(cls, parents: Tensor, silent: Tensor | None = None) -> Trees:
        """Takes trees apart.

        Args:
            parents: ``(N, T)``, the number of each node's parent in its row; -1 at the root, -2 on padding.
                The order of a node's children is that of their numbers.
            silent: ``(N, T)``, which nodes have no input of their own: they read zeros, whatever the inputs
                hold there, and what a cell makes of zeros is computed once; None where all have one.

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
        place = torch.zeros_like(above)  # of each node in the order
        place[nodes] = torch.arange(len(nodes), device=above.device)
        children = _children(above)[nodes]  # (M, K)
        present = children >= 0
        children = place[children.clamp(min=0)] * present
        levels, start = [], 0
        until = torch.where(above < 0, len(nodes), height[above.clamp(min=0)])[nodes]  # (M,), that they wait
        for level, size in enumerate(height[nodes].unique_consecutive(return_counts=True)[1].tolist()):
            wait = until[:start] >= level
            own = slice(start, start + size)
            width = int(present[own].sum(1).max())
            levels.append(
                Level(
                    _numbers(wait)[children[own, :width]] * present[own, :width],
                    present[own, :width],
                    torch.where(until[:start][wait] > level)[0],
                )
            )
            start += size
        last = _numbers(until == len(nodes))
        silent = torch.zeros_like(roots) if silent is None else silent
        heard = ~silent.flatten()[nodes]  # (M,)
        given = nodes[heard]
        inputs = torch.where(heard, _numbers(heard), len(given))
        last = last[place[torch.where(roots.flatten())[0]]]
        return cls((rows, steps), nodes, given, inputs, tuple(levels), last)

    @property
    def full(self) -> Trees:
        """The same trees, each node with an input: what a layer above another composes along."""
        every = torch.arange(len(self.nodes), device=self.nodes.device)
        return replace(self, given=self.nodes, inputs=every)

    @property
    def sizes(self) -> list[int]:
        """The number of nodes of each level; their sum is ``M``."""
        return [len(level.children) for level in self.levels]

    def move(self, move: Callable[[Tensor], Tensor]) -> Trees:
        """The same trees with each tensor moved, say to another device."""
        nodes, given, inputs, roots = map(move, (self.nodes, self.given, self.inputs, self.roots))
        levels = tuple(Level(*map(move, level)) for level in self.levels)
        return Trees(self.shape, nodes, given, inputs, levels, roots)


def _numbers(mask: Tensor) -> Tensor:
    """Numbers, from 0, those that a mask has."""
    return mask.cumsum(0) - 1


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
