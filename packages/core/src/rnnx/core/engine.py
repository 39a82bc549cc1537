"""Runs a cell over sequences and trees.

Inside, sequences are packed: rows in order of falling length, so that at each step the rows still running are
the first ones and the batch shrinks. No step is computed on padding, and no mask is needed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.trees import Trees


def scan(
    cell: Cell, x: Tensor, lengths: Tensor | None = None, state: State | None = None, reverse: bool = False
) -> tuple[Tensor, State]:
    """Runs a cell along sequences.

    Args:
        cell: The cell.
        x: ``(N, T, input_size)``, padded with anything.
        lengths: ``(N,)``, the real steps of each row, 0 to ``T``; None where all are ``T``.
        state: The state before the first step, tensors ``(N, size)``; by default the cell's initial state.
        reverse: Whether each row is read from its last real step to its first.

    Returns:
        ``y``, ``(N, T, output_size)``, in reading order and zero past each row's length; and the state after
        each row's last real step.

    Raises:
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
    rows, steps, width = x.shape
    if width != cell.input_size:
        raise ValueError(f"x must have shape (N, T, input_size={cell.input_size}), got {tuple(x.shape)}")
    if state is None:
        state = cell.initial_state(rows, x)
    for tensor, size in zip(state, cell.state_sizes, strict=True):
        if tensor.shape != (rows, size):
            raise ValueError(f"a state tensor must have shape {(rows, size)}, got {tuple(tensor.shape)}")
    if lengths is not None:
        if lengths.shape != (rows,):
            raise ValueError(f"lengths must have shape {(rows,)}, got {tuple(lengths.shape)}")
        if bool((lengths == steps).all()):
            lengths = None
    if reverse:
        x = flip(x, lengths)
    full = steps > 0 and (lengths is None or bool((lengths > 0).all()))
    done = cell.unroll(x, lengths, state) if full else None
    y, state = loop(cell, x, lengths, state) if done is None else done
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
    if lengths is None:
        outputs = []
        for z in cell.project(x.transpose(0, 1)).unbind(0):  # (N, P)
            y, state = cell.step(z, state)
            outputs.append(y)
        return (torch.stack(outputs, 1) if outputs else x.new_zeros(len(x), 0, cell.output_size)), state

    rows, steps, _ = x.shape
    order = lengths.argsort(descending=True, stable=True)
    running = torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths[order]  # (T, N)
    sizes = [size for size in running.sum(1).tolist() if size]
    places = running.flatten().nonzero().squeeze(1).to(x.device)  # of the real steps among T * N
    order = order.to(x.device)
    packed = x[order].transpose(0, 1).flatten(0, 1)[places]  # (sum of lengths, I)
    state, finished, outputs = states.select(state, order), [], []
    for z in cell.project(packed).split(sizes):
        if len(z) < len(state[0]):
            finished.append(states.select(state, slice(len(z), None)))
            state = states.select(state, slice(len(z)))
        y, state = cell.step(z, state)
        outputs.append(y)
    if not outputs:
        return x.new_zeros(rows, steps, cell.output_size), states.select(state, order.argsort())
    flat = torch.cat(outputs)  # (sum of lengths, O)
    y = flat.new_zeros(steps * rows, cell.output_size).index_copy(0, places, flat)
    back = order.argsort()
    y = y.unflatten(0, (steps, rows)).transpose(0, 1)[back]  # (N, T, O)
    return y, states.select(states.join([state, *reversed(finished)]), back)


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
    rows, steps, _ = x.shape
    if rows == 0:
        return x.new_zeros(0, steps, cell.output_size), cell.initial_state(0, x)
    trees = parents if isinstance(parents, Trees) else Trees.of(parents)
    if trees.shape != (rows, steps):
        raise ValueError(f"the trees must have shape (N, T) = {(rows, steps)}, got {trees.shape}")
    done: State = cell.initial_state(0, x)
    outputs: list[Tensor] = []
    projected = cell.project(x.flatten(0, 1)[trees.nodes])  # (M, P)
    levels = (tensor.split(trees.sizes) for tensor in (projected, trees.children, trees.present))
    for z, children, mask in zip(*levels, strict=True):
        if not outputs:
            known = tuple(tensor.unsqueeze(1) for tensor in cell.initial_state(len(z), x))  # (M, 1, size)
            mask = mask[:, :1]
        else:
            known = states.select(done, children)  # (M, K, size)
        y, state = cell.fold(z, known, mask)
        outputs.append(y)
        done = states.join([done, state])
    flat = torch.cat(outputs)
    y = flat.new_zeros(rows * steps, cell.output_size).index_copy(0, trees.nodes, flat)
    return y.unflatten(0, (rows, steps)), states.select(done, trees.roots)
