"""The trees of a batch, taken apart into levels, so that all nodes of one height are one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Numbers: TypeAlias = NDArray[Any]


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

    A loader makes them, in its worker; on the device they are only gathered with. What the levels have is
    kept together, so that few tensors go from one process to the other and to the device.

    Attributes:
        shape: ``(N, T)``, rows and places in a row.
        nodes: ``(M,)``, where each node stands among the ``N T`` places, level by level, leaves first; of one
            level those with fewer children first.
        given: ``(L,)``, the places whose inputs are read.
        inputs: ``(M,)``, the number of each node's input among those; ``L`` of nodes without one.
        children: ``(M, K)``, of all levels those of :class:`Level`, filled up with 0.
        present: ``(M, K)``, where there is a child.
        waiting: ``(W,)``, of all levels those of :class:`Level`.
        roots: ``(N,)``, the numbers of the rows' roots among those who wait in the end.
        below: ``(M, K)``, each node's children, as numbers in the order of ``nodes``; ``M`` for none.
        tops: ``(N,)``, the numbers of the rows' roots in that order.
        sizes: The number of nodes of each level; their sum is ``M``.
        widths: The most children that one of each level's nodes has.
        waits: How many go on waiting at each level; their sum is ``W``.
        groups: How many nodes follow one another that are of one level and have as many children as each
            other; their sum is ``M``.
        counts: How many children those have.

    Example:
        The trees (0 1)2 and (0)1, each with its root last:

        >>> trees = Trees.of(torch.tensor([[2, 2, -1], [1, -1, -2]]))
        >>> trees.nodes.tolist(), trees.sizes, trees.roots.tolist()
        ([0, 1, 3, 4, 2], [3, 2], [1, 0])
        >>> leaves, inner = trees.levels
        >>> leaves.children.shape, inner.children.tolist(), inner.present.tolist()
        (torch.Size([3, 0]), [[2, 0], [0, 1]], [[True, False], [True, True]])
    """

    shape: tuple[int, int]
    nodes: Tensor
    given: Tensor
    inputs: Tensor
    children: Tensor
    present: Tensor
    waiting: Tensor
    roots: Tensor
    below: Tensor
    tops: Tensor
    sizes: list[int]
    widths: list[int]
    waits: list[int]
    groups: list[int]
    counts: list[int]

    @classmethod
    def of(cls, parents: Tensor, silent: Tensor | None = None) -> Trees:
        """Takes trees apart.

        Args:
            parents: ``(N, T)``, the number of each node's parent in its row; -1 at the root, -2 on padding.
                The order of a node's children is that of their numbers.
            silent: ``(N, T)``, which nodes have no input of their own: they read zeros, whatever the inputs
                hold there, and what a cell makes of zeros is computed once; None where all have one.

        Raises:
            TypeError: the parents, or what is said of silence, are no such tensors.
            ValueError: a row has not exactly one root, or parents that are no nodes of it or form a ring.
        """
        if not isinstance(parents, Tensor) or parents.is_floating_point() or parents.dim() != 2:
            raise TypeError("parents must be a tensor of whole numbers, (N, T), or what Trees.of made of one")
        if silent is not None and (silent.dtype, silent.shape) != (torch.bool, parents.shape):
            raise TypeError(
                f"silent must be a tensor of booleans, {tuple(parents.shape)}, got one of {silent.dtype}, "
                f"{tuple(silent.shape)}"
            )
        rows, steps = parents.shape
        table = parents.numpy(force=True)
        _refuse_strangers(table)
        roots = (table == -1).sum(1)
        if (roots != 1).any():
            raise ValueError(f"each tree must have exactly one root (parent -1), got {roots.tolist()}")
        above = np.where(table < 0, table, table + steps * np.arange(rows)[:, None]).ravel()  # in the batch
        high = _heights(above)
        children, counts = _children(above)
        absent = above == -2
        nodes = np.lexsort((counts, np.where(absent, -1, high)))[int(absent.sum()) :]  # (M,)
        place = np.full(rows * steps + 1, len(nodes))  # of each node in the order; M above the roots
        place[nodes] = np.arange(len(nodes))
        height, parent = high[nodes], place[above[nodes]]
        sizes = np.bincount(height)  # (levels,)
        until = np.append(height, len(sizes))[parent]  # (M,), the level that each node waits for
        numbers, waiting, waits = _waiting(height, until, len(sizes))
        present = np.arange(children.shape[1]) < counts[nodes, None]  # (M, K)
        below, tops = place[children[nodes]], place[np.flatnonzero(above == -1)]
        widths = np.maximum.reduceat(counts[nodes], sizes.cumsum() - sizes)
        kinds = np.stack((height, counts[nodes]))  # (2, M)
        firsts = np.flatnonzero(np.append(True, (np.diff(kinds) != 0).any(0)))
        heard = np.ones(len(nodes), bool) if silent is None else ~silent.numpy(force=True).ravel()[nodes]
        given = nodes[heard]
        inputs = np.where(heard, heard.cumsum() - 1, len(given))

        def tensor(numbers: Numbers) -> Tensor:
            return torch.from_numpy(numbers).to(parents.device)

        return cls(
            shape=(rows, steps),
            nodes=tensor(nodes),
            given=tensor(given),
            inputs=tensor(inputs),
            children=tensor(np.append(numbers, 0)[below]),
            present=tensor(present),
            waiting=tensor(waiting),
            roots=tensor(numbers[tops]),
            below=tensor(below),
            tops=tensor(tops),
            sizes=sizes.tolist(),
            widths=widths.tolist(),
            waits=waits.tolist(),
            groups=np.diff(np.append(firsts, len(nodes))).tolist(),
            counts=counts[nodes][firsts].tolist(),
        )

    @property
    def levels(self) -> Iterator[Level]:
        """The levels, from the leaves up."""
        children, present = self.children.split(self.sizes), self.present.split(self.sizes)
        for below, there, wait, width in zip(
            children, present, self.waiting.split(self.waits), self.widths, strict=True
        ):
            yield Level(below[:, :width], there[:, :width], wait)

    @property
    def full(self) -> Trees:
        """The same trees, each node with an input: what a layer above another composes along."""
        every = torch.arange(len(self.nodes), device=self.nodes.device)
        return replace(self, given=self.nodes, inputs=every)

    def move(self, move: Callable[[Tensor], Tensor]) -> Trees:
        """The same trees with each tensor moved, say to another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {
            name: move(value) for name, value in values.items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)


def _refuse_strangers(table: Numbers) -> None:
    """Refuses parents that are no node of their row."""
    steps = table.shape[1]
    outside = (table < -2) | (table >= steps)
    inside = np.where(outside | (table < 0), 0, table)
    padding = (table >= 0) & (np.take_along_axis(table, inside, 1) == -2)
    if (wrong := np.argwhere(outside | padding)).size:
        row, node = wrong[0]
        raise ValueError(
            f"row {row}, node {node}: expected as parent a node of the row, 0 to {steps - 1}, or -1 of the "
            f"root, or -2 of padding, got {table[row, node]}{', padding' if padding[row, node] else ''}"
        )


def _heights(above: Numbers) -> Numbers:
    """The height of each node over its lowest leaf, from the numbers of the parents ``(M,)``.

    By doubling: to the deepest of the nodes less than ``reach`` below each are added those less than twice as
    far, which are as deep below the node that is ``reach`` above them.
    """
    end = len(above)
    ancestor = np.append(np.where(above < 0, end, above), end)  # (M + 1,), the last above the roots
    height, reach = np.zeros_like(ancestor), 1
    while (ancestor < end).any():
        if reach > end:
            raise ValueError("parents form a ring: a tree's nodes must lead to its root")
        deep = height + reach
        np.maximum.at(height, ancestor, deep)
        ancestor, reach = ancestor[ancestor], 2 * reach
    return height[:end]


def _waiting(height: Numbers, until: Numbers, levels: int) -> tuple[Numbers, Numbers, Numbers]:
    """Which nodes wait at each level, and where: as if the levels were gone through, all at once.

    It is what this would find, whose time is that of Python::

        waiting = []
        for level in range(levels):
            waiting = [node for node in waiting if until[node] > level]  # the others' parents are here
            waiting += [node for node in range(M) if height[node] == level]

    Args:
        height: The level of each node, ``(M,)``, ascending.
        until: The level of its parent, for which it waits, ``(M,)``; ``levels`` of a root.
        levels: How many there are.

    Returns:
        The number of each node among those who wait for the level it waits for, ``(M,)``; the numbers, level
        by level, of those who wait for a higher one; and how many they are of each level.
    """
    times = until - height  # (M,)
    after = times.cumsum()
    node = np.arange(len(height)).repeat(times)  # (W,), once for each level at which it waits
    level = np.arange(1, len(node) + 1) + (height - after + times)[node]
    order = level.argsort(kind="stable")
    node, level = node[order], level[order]
    counts = np.bincount(level, minlength=levels + 1)
    number = np.arange(len(node)) - (counts.cumsum() - counts)[level]
    longer = level < until[node]
    numbers = np.empty_like(height)
    numbers[node[~longer]] = number[~longer]
    return numbers, number[longer], np.bincount(level[longer], minlength=levels)


def _children(above: Numbers) -> tuple[Numbers, Numbers]:
    """The children of each node in order, ``(M, K)``, filled up with -1; and how many they are, ``(M,)``."""
    nodes = np.flatnonzero(above >= 0)
    nodes = nodes[above[nodes].argsort(kind="stable")]
    parents = above[nodes]
    counts = np.bincount(parents, minlength=len(above))
    table = np.full((len(above), counts.max(initial=0)), -1)
    table[parents, np.arange(len(nodes)) - (counts.cumsum() - counts)[parents]] = nodes
    return table, counts
