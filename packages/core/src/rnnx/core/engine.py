"""Runs a cell over sequences and trees.

Inside, sequences are packed: rows in order of falling length, so that at each step the rows still running are
the first ones and the batch shrinks. No step is computed on padding, and no mask is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import isqrt
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rnnx.core import state as states
from rnnx.core.cell import Cell, is_unrolled_by_its_class
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling.arguments import checked_lengths, refuse_state, rows_and_steps
from rnnx.core.unrolling.circumstances import compiling, transformed, uncompiled
from rnnx.core.unrolling.folded import folded
from rnnx.core.unrolling.levels import level_by_level
from rnnx.core.unrolling.packing import Packing
from rnnx.core.unrolling.padded import step_over_padding
from rnnx.core.unrolling.plans import plan_from_inputs, plan_of, plans_of_groups
from rnnx.core.unrolling.steps import step_by_step
from rnnx.core.unrolling.substitution import named_tensors, with_tensors
from rnnx.core.unrolling.unrolled import unrolled

PIECE: Final = 1 << 20  # so many numbers of the inputs are projected together, where that saves memory,
STEPS_OF_PIECE: Final = 32  # and so many steps at least
# Steps of sequences, or levels of trees, from which on a plan saves more time than it takes to find.
STEPS: Final = 4


def scan(
    cell: Cell,
    x: Tensor,
    lengths: Tensor | None = None,
    state: State | None = None,
    reverse: bool = False,
    recompute: bool = False,
) -> tuple[Tensor, State]:
    """Runs a cell along sequences.

    Args:
        cell: The cell.
        x: ``(N, T, input_size)``, padded with anything.
        lengths: ``(N,)``, the real steps of each row, 0 to ``T``; None where all are ``T``.
        state: The state before the first step, tensors ``(N, size)``; by default the cell's initial state.
        reverse: Whether each row is read from its last real step to its first.
        recompute: Whether of the steps only every ``T ** 0.5``-th state is kept for the backward pass, which
            makes the steps between them once more.

    Returns:
        ``y``, ``(N, T, output_size)``, in reading order and zero past each row's length; and the state after
        each row's last real step.

    Raises:
        TypeError: what is to be a tensor, or a tuple of them, is none.
        ValueError: a tensor has the wrong shape.

    Example:
        >>> class Sum(Cell):
        ...     input_size, output_size, state_sizes = 1, 1, (1,)
        ...     def step(self, z, state):
        ...         return state[0] + z, (state[0] + z,)
        >>> x = torch.tensor([[[1.], [2.], [3.]], [[4.], [5.], [9.]]])
        >>> y, (last,) = scan(Sum(), x, torch.tensor([3, 2]))
        >>> y[..., 0].tolist(), last[:, 0].tolist()
        ([[1.0, 3.0, 6.0], [4.0, 9.0, 0.0]], [6.0, 9.0])
        >>> scan(Sum(), x, torch.tensor([3, 2]), reverse=True)[0][..., 0].tolist()
        [[6.0, 5.0, 3.0], [9.0, 5.0, 0.0]]
    """
    if compiling():
        read: tuple[Tensor, State] = uncompiled(scan)(cell, x, lengths, state, reverse, recompute)
        return read
    rows, steps = rows_and_steps(cell.input_size, x)
    if state is None:
        state = cell.initial_state(rows, x)
    refuse_state(cell, rows, state)
    if lengths is not None:
        lengths = checked_lengths(rows, steps, lengths)
    if reverse:
        x = flip(x, lengths)
    if torch.compiler.is_exporting():
        y, state = step_over_padding(cell, x, lengths, state)
    else:
        y, state = (_in_chunks if recompute else _read)(cell, x, lengths, state)
    return (flip(y, lengths) if reverse else y), state


def loop(cell: Cell, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
    """The readable loop of steps: what every faster way must equal.

    Args:
        cell: The cell.
        x: ``(N, T, input_size)``.
        lengths: ``(N,)``; None where all are ``T``.
        state: The state before the first step.

    Returns:
        As :func:`scan`.
    """
    return _packed(cell, x, lengths, state, _plainest)


def _fastest(cell: Cell, x: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
    """Packed sequences by a plan from the inputs, or of the step alone, or without one."""
    if len(sizes) < STEPS:
        return _plainest(cell, x, sizes, state)
    plan = plan_from_inputs(cell, x, state)
    if plan is not None:
        return unrolled(plan, cell, x, sizes, state)
    z = cell.project(x)
    plan = plan_of(cell, z, state)
    if plan is not None:
        return unrolled(plan, cell, z, sizes, state)
    return step_by_step(cell.step, z, sizes, state)


def _plainest(cell: Cell, x: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
    """Packed sequences without a plan."""
    return step_by_step(cell.step, cell.project(x), sizes, state)


def _in_chunks(cell: Cell, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
    """As :func:`_read`, of each chunk keeping what goes in only."""

    def read(tensors: Mapping[str, Tensor], *chunk: Any) -> tuple[Tensor, State]:
        return with_tensors(cell, tensors, partial(_read, cell), *chunk)

    size, tensors = max(isqrt(x.shape[1]), 1), named_tensors(cell)  # which may be other ones by then
    ys, steps = [], x.shape[1] if lengths is None else int(lengths.max())  # no chunk is padding alone
    for number, chunk in enumerate(x[:, :steps].split(size, 1)):
        left = None if lengths is None else (lengths - number * size).clamp(0, chunk.shape[1])
        y, state = checkpoint(read, tensors, chunk, left, state, use_reentrant=False)
        ys.append(y)
    return F.pad(torch.cat(ys, 1), (0, 0, 0, x.shape[1] - steps)), state


def _read(cell: Cell, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
    """The fastest way there is."""
    full = x.shape[1] > 0 and not x.is_meta and (lengths is None or bool((lengths > 0).all()))
    drops = cell.training and cell.recurrent_dropout > 0
    equal = full and not (drops or transformed()) and is_unrolled_by_its_class(cell)
    done = cell.unroll(x, lengths, state) if equal else None
    return _packed(cell, x, lengths, state, _fastest) if done is None else done


def _packed(
    cell: Cell, x: Tensor, lengths: Tensor | None, state: State, way: Callable[..., tuple[Tensor, State]]
) -> tuple[Tensor, State]:
    """Packs the sequences, reads them and unpacks what comes of them.

    Args:
        cell: The cell.
        x: ``(N, T, input_size)``.
        lengths: ``(N,)``; None where all are ``T``.
        state: The state before the first step.
        way: Of the cell, inputs ``(M, input_size)``, how many rows run at each step, and the state before
            them: ``y``, ``(M, output_size)``, and the state after each row's last step.
    """
    packing = Packing.of(x, lengths)
    if not packing.sizes:
        return x.new_zeros(*x.shape[:2], cell.output_size), state
    ys, first, running = [], packing.sort(state), packing.sizes[0]
    state = states.select(first, slice(running))
    for sizes, rows in _pieces(packing.sizes, packing.pack(x)):
        y, state = way(cell, rows, sizes, state)
        ys.append(y)
    if running < packing.rows:  # a row without a step keeps its state, its type and its gradient
        state = states.join([state, states.select(first, slice(running, None))])
    return packing.unpack(torch.cat(ys) if len(ys) > 1 else ys[0]), packing.restore(state)


def _pieces(sizes: Sequence[int], rows: Tensor) -> Iterator[tuple[Sequence[int], Tensor]]:
    """Steps and their rows: all, or where nothing is kept for a gradient, so few that memory stays small."""
    most = len(sizes) if torch.is_grad_enabled() else max(STEPS_OF_PIECE, PIECE // (sizes[0] * rows.shape[1]))
    start = 0
    for step in range(0, len(sizes), most):
        some = sizes[step : step + most]
        yield some, rows[start : start + sum(some)]
        start += sum(some)


def flip(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Each row's real steps in reverse order; padding stays where it is.

    Args:
        x: ``(N, T, F)``.
        lengths: ``(N,)``; None where all are ``T``.

    Returns:
        ``(N, T, F)``.

    Example:
        >>> flip(torch.tensor([[[1], [2], [3], [0]]]), torch.tensor([3])).flatten().tolist()
        [3, 2, 1, 0]
    """
    if lengths is None:
        return x.flip(1)
    t = torch.arange(x.shape[1], device=x.device).unsqueeze(0)  # (1, T)
    ends = lengths.to(x.device).unsqueeze(1)  # (N, 1)
    source = torch.where(t < ends, ends - 1 - t, t)  # (N, T)
    return x.gather(1, source.unsqueeze(-1).expand_as(x))


def fold(cell: Cell, x: Tensor, parents: Tensor | Trees) -> tuple[Tensor, State]:
    """Runs a cell along trees, from the leaves to the roots.

    All nodes of one height, over the whole batch, are one call.

    Args:
        cell: The cell.
        x: The nodes' inputs, ``(N, T, input_size)``.
        parents: ``(N, T)``, the number of each node's parent in its row; -1 at the root, -2 on padding. The
            order of a node's children is that of their numbers. Or what :meth:`Trees.of` made of them, in the
            loader.

    Returns:
        ``y``, ``(N, T, output_size)``, zero on padding; and the roots' state, tensors ``(N, size)``.

    Raises:
        ValueError: a row has not exactly one root, or parents that form a ring; the shapes do not fit.

    Example:
        The tree (a b), its root last, added up:

        >>> class Sum(Cell):
        ...     input_size, output_size, state_sizes = 1, 1, (1,)
        ...     def step(self, z, state):
        ...         return state[0] + z, (state[0] + z,)
        >>> y, (root,) = fold(Sum(), torch.tensor([[[1.], [2.], [10.]]]), torch.tensor([[2, 2, -1]]))
        >>> y.flatten().tolist(), root.tolist()
        ([1.0, 2.0, 13.0], [[13.0]])
    """
    if compiling():
        composed: tuple[Tensor, State] = uncompiled(fold)(cell, x, parents)
        return composed
    rows, steps = rows_and_steps(cell.input_size, x)
    if rows == 0:
        return x.new_zeros(0, steps, cell.output_size), cell.initial_state(0, x)
    trees = parents if isinstance(parents, Trees) else Trees.of(parents)
    if trees.shape != (rows, steps):
        raise ValueError(f"the trees must have shape (N, T) = {(rows, steps)}, got {trees.shape}")
    given = F.pad(x.flatten(0, 1)[trees.given], (0, 0, 0, 1))  # (L + 1, I), zeros last
    projected = cell.project(given).index_select(0, trees.inputs)  # (M, P)
    leaves, inner = projected.tensor_split([trees.sizes[0]])
    first = cell.initial_state(len(leaves), x)
    none = tuple(tensor.unsqueeze(1)[:, :0] for tensor in first)  # (L, 0, size)
    plans = plans_of_groups(cell, projected, trees, first) if len(trees.sizes) >= STEPS else None
    if plans is None:
        above: Callable[..., tuple[Tensor, State]] = level_by_level
        flat, state = cell.fold(leaves, none, next(trees.levels).present)
    else:
        above = partial(folded, plans[1:])
        flat, state = unrolled(plans[0], cell, leaves, [len(leaves)], none)
    if len(inner):
        y, state = above(cell, inner, trees, state)
        flat = torch.cat((flat, y))
    else:
        state = states.select(state, trees.roots)
    y = flat.new_zeros(rows * steps, cell.output_size).index_copy(0, trees.nodes, flat)
    return y.unflatten(0, (rows, steps)), state
