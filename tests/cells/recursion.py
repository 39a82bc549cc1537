"""The recursive networks' papers, node by node, which the cells of trees are held against."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


class Recursion(ABC):
    """Composes two vectors into one; the leaf of a node's own input stands at its second place.

    Args:
        leaf: The matrix that makes a vector of an input, ``(H, I)``.
    """

    def __init__(self, leaf: np.ndarray) -> None:
        self.leaf, self.nil = leaf, np.zeros(len(leaf))

    @abstractmethod
    def p(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The parent of two children."""

    def node(self, x: np.ndarray, children: list[np.ndarray]) -> np.ndarray:
        leaf = self.leaf @ x
        match children:
            case []:
                return self.p(self.nil, leaf)
            case [a]:
                return self.p(a, leaf)
            case [a, b]:
                return self.p(a, b + leaf)
            case [a, b, *others]:
                return self.node(x, [self.p(a, b), *others])
        raise AssertionError

    def tree(self, x: np.ndarray, parents: list[int], node: int) -> np.ndarray:
        below = [self.tree(x, parents, child) for child, parent in enumerate(parents) if parent == node]
        return self.node(x[node], below)
