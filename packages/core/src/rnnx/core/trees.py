"""The trees of a batch, taken apart into levels, so that all nodes of one height are one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
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
        height = height[nodes]
        sizes = height.bincount()  # (levels,)
        until = F.pad(height, (0, 1), value=len(sizes))  # (M + 1,), the end above the roots
        place = torch.full((rows * steps + 1,), len(nodes), device=above.device)  # of each node in the order
        place[nodes] = torch.arange(len(nodes), device=above.device)
        until = until[place[above[nodes].clamp(min=-1)]]  # (M,), the level that each node waits for
        numbers, waiting = _waiting(height, until, len(sizes))
        children, counts = _children(above)
        present = torch.arange(children.shape[1], device=above.device) < counts[nodes].unsqueeze(1)  # (M, K)
        children = F.pad(numbers, (0, 1))[place[children[nodes]]]
        widths = torch.zeros_like(sizes).scatter_reduce(0, height, counts[nodes], "amax").tolist()
        levels = tuple(
            Level(below[:, :width], there[:, :width], wait)
            for below, there, wait, width in zip(
                children.split(sizes.tolist()), present.split(sizes.tolist()), waiting, widths, strict=True
            )
        )
        silent = torch.zeros_like(roots) if silent is None else silent
        heard = ~silent.flatten()[nodes]  # (M,)
        given = nodes[heard]
        inputs = torch.where(heard, heard.cumsum(0) - 1, len(given))
        last = numbers[place[torch.where(roots.flatten())[0]]]
        return cls((rows, steps), nodes, given, inputs, levels, last)

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


def _heights(above: Tensor) -> Tensor:
    """The height of each node over its lowest leaf, from the numbers of the parents ``(M,)``.

    By doubling: what is known of the nodes up to ``reach`` below each is added to what is known up to there.
    """
    end = len(above)
    ancestor = F.pad(above.clamp(min=-1), (0, 1), value=-1) % (end + 1)  # (M + 1,), the last above the roots
    height, reach = torch.zeros_like(ancestor), 1
    while bool((ancestor < end).any()):
        if reach > end:
            raise ValueError("parents form a ring: a tree's nodes must lead to its root")
        height = height.scatter_reduce(0, ancestor, height + reach, "amax")
        ancestor, reach = ancestor[ancestor], 2 * reach
    return height[:end]


def _waiting(height: Tensor, until: Tensor, levels: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Who waits for whom.

    Args:
        height: The level of each node, ``(M,)``, ascending.
        until: The level that it waits for, ``(M,)``; ``levels`` for the end.
        levels: How many there are.

    Returns:
        The number of each node among those who wait for the level it waits for, ``(M,)``; and of each level
        the numbers of those who wait for a higher one.
    """
    times = until - height  # (M,)
    after = times.cumsum(0)
    node = torch.arange(len(height), device=height.device).repeat_interleave(times)  # (W,)
    level = torch.arange(1, len(node) + 1, device=height.device) + (height - after + times)[node]
    order = level.argsort(stable=True)
    counts = level.bincount(minlength=levels + 1)
    number = torch.empty_like(level)
    number[order] = torch.arange(len(node), device=height.device) - (counts.cumsum(0) - counts)[level[order]]
    longer = (level < until[node])[order]
    counts = level[order][longer].bincount(minlength=levels)
    return number[after - 1], number[order][longer].split(counts.tolist())


def _children(above: Tensor) -> tuple[Tensor, Tensor]:
    """The children of each node in order, ``(M, K)``, filled up with -1; and how many they are, ``(M,)``."""
    nodes = torch.where(above >= 0)[0]
    nodes = nodes[above[nodes].argsort(stable=True)]
    counts = above[nodes].bincount(minlength=len(above))
    start = (counts.cumsum(0) - counts)[above[nodes]]
    table = above.new_full((len(above), max(counts.tolist(), default=0)), -1)
    table[above[nodes], torch.arange(len(nodes), device=above.device) - start] = nodes
    return table, counts
