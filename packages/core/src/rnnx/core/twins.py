"""What a cell is timed against: torch's own module, and how many products each of the two takes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Final, final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.flop_counter import FlopCounterMode

from rnnx.core import engine
from rnnx.core.cell import Cell

TWINS: Final = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}  # by the name of the cell
OTHER: Final = nn.LSTM  # the twin of all other cells


@final
class Twin(nn.Module):
    """torch's module for a cell: ``nn.RNN``, ``nn.GRU``, else ``nn.LSTM``; as wide, and with its defaults.

    Args:
        name: Name of the cell.
        input_size: Width of the input.
        hidden_size: Width of the state.

    Example:
        >>> twin = Twin("mgu", 3, 4)
        >>> twin.name, twin(torch.ones(2, 5, 3), torch.tensor([2, 5])).shape
        ('nn.LSTM', torch.Size([2, 5, 4]))
    """

    def __init__(self, name: str, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.module = TWINS.get(name, OTHER)(input_size, hidden_size, batch_first=True)
        self.name = f"nn.{type(self.module).__name__}"

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Reads whole sequences, packed where their lengths are given.

        Args:
            x: ``(N, T, input_size)``.
            lengths: ``(N,)``, each at least 1, on the CPU; None where all are ``T``.

        Returns:
            ``y``, ``(N, T, hidden_size)``, zero past each row's length.
        """
        if lengths is None:
            y, _ = self.module(x)
            return y
        packed, _ = self.module(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])[0]

    def flops(self, x: Tensor) -> int:
        """The operations of the products of a forward pass, a multiplication and an addition being two.

        Args:
            x: ``(N, T, input_size)``.

        Example:
            One product with what a step reads and one with its state, for each of four gates:

            >>> Twin("lstm", 3, 4).flops(torch.ones(2, 5, 3)) == 2 * 2 * 5 * (3 + 4) * 4 * 4
            True
        """
        module, x = (
            deepcopy(self.module).to("meta"),
            x.to("meta"),
        )  # where torch has no kernel that hides them
        return _products(lambda: module(x))


def flops(cell: Cell, x: Tensor) -> int:
    """As :meth:`Twin.flops`, of a cell's own steps, whatever faster way there is.

    Args:
        cell: The cell.
        x: ``(N, T, input_size)``.

    Example:
        >>> class Leaky(Cell):
        ...     input_size, output_size, state_sizes = 3, 3, (3,)
        ...     def step(self, z, state):
        ...         h = 0.5 * state[0] + z @ torch.ones(3, 3)
        ...         return h, (h,)
        >>> flops(Leaky(), torch.ones(2, 5, 3)) == 2 * 2 * 5 * 3 * 3
        True
    """
    return _products(lambda: engine.loop(cell, x, None, cell.initial_state(len(x), x)))


def _products(call: Callable[[], object]) -> int:
    # with gradients, as the counter's hooks cannot read parameters that a module is given without them
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()
