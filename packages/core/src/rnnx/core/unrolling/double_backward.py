"""What was read by a plan, once more in the readable way, so that its gradients can be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.circumstances import Circumstances, watched
from rnnx.core.unrolling.substitution import called_with, stand_in
from rnnx.core.unrolling.trace import gradients_of

Way: TypeAlias = Callable[[Cell, Tensor, State], tuple[Tensor, State]]


@final
@dataclass(frozen=True)
class DoubleBackward:
    """The readable way of what was read by a plan, as things were then.

    Attributes:
        way: Of a cell, its projected inputs and a state: the output and the state afterwards.
        cell: The cell, or one like it that nobody changes.
        names: Of those of its tensors that are given.
        circumstances: Those of then.
    """

    way: Way
    cell: Cell
    names: Sequence[str]
    circumstances: Circumstances

    @classmethod
    def of(
        cls, way: Way, cell: Cell, names: Sequence[str], device: torch.device, separable: bool, draws: bool
    ) -> DoubleBackward:
        """As things are now.

        Args:
            way: The way.
            cell: The cell.
            names: Of those of its tensors that will be given.
            device: On which it is read.
            separable: Whether the cell :func:`~rnnx.core.unrolling.substitution.is_separable`.
            draws: Whether random numbers are drawn.
        """
        own = stand_in(cell, {}) if separable else cell
        return cls(way, own, names, Circumstances.of(cell, device, draws))

    def gradients(
        self, z: Tensor, state: State, tensors: Sequence[Tensor], at: Sequence[Tensor]
    ) -> list[Tensor | None]:
        """Those at the projected inputs, the state and the cell's tensors.

        Args:
            z: The projected inputs.
            state: The state before.
            tensors: Of the names.
            at: The gradients at the output and the state afterwards.
        """
        with self.circumstances.again(self.cell), torch.enable_grad():
            # through views, by which the gradient's own gradient goes
            given = [tensor.view_as(tensor) for tensor in (z, *state, *tensors)]
            z, state, tensors = given[0], tuple(given[1 : 1 + len(state)]), given[1 + len(state) :]
            named = dict(zip(self.names, tensors, strict=True))
            y, last = called_with(self.cell, named, lambda cell: self.way(cell, z, state))
        return gradients_of((y, *last), given, at, torch.is_grad_enabled())


def is_wanted(at: Sequence[Tensor]) -> bool:
    """Whether gradients are to be made in a way that can be differentiated, or looked at."""
    several = any(map(torch._C._functorch.is_legacy_batchedtensor, at))
    return torch.is_grad_enabled() or watched() or several
