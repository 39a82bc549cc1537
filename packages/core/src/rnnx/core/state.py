"""The recurrent state: a flat tuple of tensors, each ``(N, size)``, batch first.

One tensor or many, one layer or a stack, one direction or two: the form is the same, so each operation below
is one line that serves every cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

State: TypeAlias = tuple[Tensor, ...]


def zeros(batch: int, sizes: Sequence[int], like: Tensor) -> State:
    """A state of zeros.

    Args:
        batch: ``N``.
        sizes: The width of each tensor.
        like: A tensor whose dtype and device the state takes.

    Returns:
        A tuple of tensors ``(N, size)``.

    Example:
        >>> [tuple(s.shape) for s in zeros(2, (3, 4), torch.ones(1))]
        [(2, 3), (2, 4)]
    """
    return tuple(like.new_zeros(batch, size) for size in sizes)


def select(state: State, rows: Tensor | slice) -> State:
    """The state of some rows, in the order asked for: a beam reordered, a finished sentence left out.

    Args:
        state: Tensors ``(N, size)``.
        rows: Row numbers ``(M,)``, a mask ``(N,)``, or a slice.

    Returns:
        Tensors ``(M, size)``.

    Example:
        >>> select((torch.tensor([[1.], [2.]]),), torch.tensor([1, 1, 0]))[0].flatten().tolist()
        [2.0, 2.0, 1.0]
    """
    return tuple(tensor[rows] for tensor in state)


def join(states: Sequence[State]) -> State:
    """Several states of one form, one below the other.

    Args:
        states: Each a tuple of tensors ``(N_i, size)``.

    Returns:
        Tensors ``(sum of N_i, size)``.

    Example:
        >>> join([zeros(2, (3,), torch.ones(1)), zeros(1, (3,), torch.ones(1))])[0].shape
        torch.Size([3, 3])
    """
    return tuple(torch.cat(tensors) for tensors in zip(*states, strict=True))


def present(children: State, mask: Tensor) -> State:
    """The states of a tree's children, those that are not there zero, whatever stands in their place.

    Args:
        children: Tensors ``(N, K, size)``.
        mask: ``(N, K)``, true where there is a child.

    Returns:
        Tensors ``(N, K, size)``.

    Example:
        >>> there = torch.tensor([[True, False]])
        >>> present((torch.tensor([[[1.], [torch.nan]]]),), there)[0].flatten().tolist()
        [1.0, 0.0]
    """
    absent = ~mask.unsqueeze(-1)  # (N, K, 1)
    return tuple(child.masked_fill(absent, 0) for child in children)


def detach(state: State) -> State:
    """The same values, cut from the graph: what truncated backpropagation carries to the next chunk."""
    return tuple(tensor.detach() for tensor in state)


def split(state: State, counts: Sequence[int]) -> list[State]:
    """A flat state cut into the states of its parts (layers, directions).

    Args:
        state: The flat tuple.
        counts: The number of tensors of each part; their sum is ``len(state)``.

    Returns:
        A state for each part.

    Raises:
        ValueError: the state has more tensors, or fewer.

    Example:
        >>> [len(part) for part in split(zeros(1, (1, 1, 1), torch.ones(1)), (2, 1))]
        [2, 1]
    """
    if len(state) != sum(counts):
        raise ValueError(
            f"expected a state of {sum(counts)} tensors, got {len(state)}: of each layer, in it of each "
            "direction, the cell's own, each (N, size)"
        )
    ends = [sum(counts[: i + 1]) for i in range(len(counts))]
    return [state[end - count : end] for end, count in zip(ends, counts, strict=True)]
