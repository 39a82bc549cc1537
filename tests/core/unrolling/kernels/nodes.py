"""Graphs of a step, written by hand, for the tests of kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx


class Nodes:
    """A graph that grows by what is asked of it; values are rows of 32 bits unless said otherwise."""

    def __init__(self) -> None:
        self.graph = fx.Graph()

    def rows(self, name: str, width: int, dtype: torch.dtype = torch.float32) -> fx.Node:
        """What is given for each row."""
        return self._known(self.graph.placeholder(name), (width,), dtype, by_rows=True)

    def constant(self, name: str, *shape: int, dtype: torch.dtype = torch.float32) -> fx.Node:
        """What is the same for each row."""
        return self._known(self.graph.placeholder(name), shape, dtype, by_rows=False)

    def call(
        self,
        operation: Any,
        *given: Any,
        width: int | None,
        dtype: torch.dtype = torch.float32,
        **options: Any,
    ) -> fx.Node:
        """What an operation makes of it: a row of so many numbers, or one number."""
        shape = () if width is None else (width,)
        return self._known(self.graph.call_function(operation, given, options), shape, dtype, by_rows=True)

    def several(self, operation: Any, *given: Any) -> fx.Node:
        """The results of an operation that has several."""
        return self.graph.call_function(operation, given)

    @staticmethod
    def _known(node: fx.Node, shape: tuple[int, ...], dtype: torch.dtype, by_rows: bool) -> fx.Node:
        node.meta = {"shape": shape, "dtype": dtype, "by_rows": by_rows}
        return node
