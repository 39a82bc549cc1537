"""What sequences and trees are read from: refused in a sentence where it is something else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from rnnx.core.cell import Cell
from rnnx.core.state import State


def rows_and_steps(input_size: int, x: Tensor) -> tuple[int, int]:
    """``N`` and ``T`` of the inputs of a cell or a net, ``(N, T, input_size)``.

    Raises:
        TypeError: they are no tensor.
        ValueError: they have another shape.
    """
    if isinstance(x, PackedSequence):
        raise TypeError(
            "x must be a padded tensor, with its lengths beside it, got a PackedSequence; call with "
            "*torch.nn.utils.rnn.pad_packed_sequence(x, batch_first=True), or do not pack it"
        )
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a padded tensor, with its lengths beside it, got {_described(x)}")
    if x.dim() != 3 or x.shape[2] != input_size:
        raise ValueError(f"x must have shape (N, T, input_size={input_size}), got {tuple(x.shape)}")
    return x.shape[0], x.shape[1]


def refuse_state(cell: Cell, rows: int, state: State) -> None:
    """Refuses what is no state of a cell.

    Args:
        cell: The cell.
        rows: ``N``.
        state: What is to be tensors ``(N, size)``.

    Raises:
        TypeError: it is no tuple of tensors.
        ValueError: they have other shapes.
    """
    if not isinstance(state, (tuple, list)) or not all(isinstance(tensor, Tensor) for tensor in state):
        raise TypeError(f"the state must be a tuple of tensors, as (h,), got {_described(state)}")
    found, wanted = [tuple(tensor.shape) for tensor in state], [(rows, size) for size in cell.state_sizes]
    if found != wanted:
        raise ValueError(f"the state must be tensors of shapes {wanted}, got {found}")


def checked_lengths(rows: int, steps: int, lengths: Tensor) -> Tensor | None:
    """Lengths of rows, in 64 bits; None where all are ``T``.

    Those that ``torch.export`` shows have no values yet, so only their form is looked at.

    Args:
        rows: ``N``.
        steps: ``T``.
        lengths: What is to be ``(N,)``, 0 to ``T``.

    Raises:
        TypeError, ValueError: as for :func:`refuse_no_lengths`.
        ValueError: one is out of range.
    """
    refuse_no_lengths(rows, lengths)
    lengths = lengths.long()
    if torch.compiler.is_exporting():
        return lengths
    if bool(((lengths < 0) | (lengths > steps)).any()):
        raise ValueError(f"lengths must be from 0 to {steps}, got {lengths.tolist()}")
    return None if bool((lengths == steps).all()) else lengths


def refuse_no_lengths(rows: int, lengths: Tensor) -> None:
    """Refuses what has not the form of lengths, whatever the values are.

    Args:
        rows: ``N``.
        lengths: What is to be ``(N,)``.

    Raises:
        TypeError: they are no tensor of whole numbers.
        ValueError: they have another shape.
    """
    if not isinstance(lengths, Tensor) or lengths.is_floating_point():
        raise TypeError(
            f"lengths must be a tensor of whole numbers, or None, got {_described(lengths)}; a state is the "
            "argument after them"
        )
    if lengths.shape != (rows,):
        raise ValueError(f"lengths must have shape {(rows,)}, got {tuple(lengths.shape)}")


def _described(value: Any) -> str:
    """A value's kind, and of several that of each."""
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype}"
    inside = f" of {', '.join(map(_described, value))}" if isinstance(value, (tuple, list)) else ""
    return f"a {type(value).__name__}{inside}"
