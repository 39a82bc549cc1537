"""Batches taken apart and padded: what must not change what a task makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Final

import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.trees import Trees

ADDED: Final = 2  # steps of padding
ABSENT: Final = -2  # the parent of padding


def rows(batch: Batch, numbers: Sequence[int]) -> Batch:
    """Some rows of a batch, without the padding that they have no need of.

    Targets of as many steps as the inputs, whose lengths are not said, are the inputs', step by step.

    Args:
        batch: The batch.
        numbers: Of the rows.

    Example:
        >>> lengths = torch.tensor([4, 2])
        >>> batch = Batch(torch.zeros(2, 4), lengths, torch.zeros(2, 4), torch.arange(2))
        >>> rows(batch, [1]).inputs.shape, rows(batch, [1]).targets.shape
        (torch.Size([1, 2]), torch.Size([1, 2]))
    """
    chosen = batch.select(numbers)
    tensors = _tensors(chosen)
    for name, lengths in _sequences(chosen).items():
        tensors[name] = tensors[name][:, : max(1, int(lengths.max()))]
    return _replaced(chosen, tensors)


def padded(batch: Batch) -> Batch:
    """A batch with more padding, in which the first step of each row stands, as in the padding there was.

    What targets hold where there is no length of their own to tell the padding is left as it is, and then
    no steps are added.

    Example:
        >>> inputs, lengths = torch.tensor([[7, 8], [9, 0]]), torch.tensor([2, 1])
        >>> batch = Batch(inputs, lengths, torch.zeros(2), torch.arange(2))
        >>> padded(batch).inputs.tolist()
        [[7, 8, 7, 7], [9, 9, 9, 9]]
    """
    tensors, sequences = _tensors(batch), _sequences(batch)
    stepwise = batch.target_lengths is None and "targets" in sequences
    for name, lengths in sequences.items():
        if name == "targets" and stepwise:
            continue
        tensor = tensors[name]
        first = torch.full_like(tensor[:, :1], ABSENT) if name == "parents" else tensor[:, :1]
        more = tensor if stepwise else torch.cat((tensor, first.repeat_interleave(ADDED, 1)), 1)
        places = torch.arange(more.shape[1]).unflatten(0, (1, -1, *[1] * (more.dim() - 2)))
        tensors[name] = more.where(places < lengths.unflatten(0, (-1, *[1] * (more.dim() - 1))), first)
    return _replaced(batch, tensors)


def in_type(batch: Batch, dtype: torch.dtype) -> Batch:
    """A batch whose numbers are of a type, and its counts as they were."""
    tensors = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in _tensors(batch).items()
    }
    return _replaced(batch, tensors)


def runs(batches: Iterable[Batch]) -> list[list[Batch]]:
    """Batches in groups: each group begins anew, and each later batch of it goes on with the one before."""
    found: list[list[Batch]] = []
    for batch in batches:
        if batch.continues and found:
            found[-1].append(batch)
        else:
            found.append([batch])
    return found


def parts(run: Sequence[Batch]) -> list[Batch]:
    """Batches that go on from one to the next in two parts: first of one row, then of the others.

    Args:
        run: See :func:`runs`.
    """
    numbers = range(len(run[0]))
    return [rows(batch, part) for part in (numbers[:1], numbers[1:]) if part for batch in run]


def _tensors(batch: Batch) -> dict[str, Tensor]:
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def _sequences(batch: Batch) -> dict[str, Tensor]:
    """The tensors along time, each with its lengths."""
    found = {"inputs": batch.lengths}
    if batch.parents is not None:
        found["parents"] = batch.lengths
    if batch.target_lengths is not None:
        found["targets"] = batch.target_lengths
    elif batch.targets.shape[1:2] == batch.inputs.shape[1:2]:
        found["targets"] = batch.lengths
    return found


def _replaced(batch: Batch, tensors: dict[str, Tensor]) -> Batch:
    parents = tensors.get("parents")
    trees = None if batch.trees is None or parents is None else Trees.of(parents)
    return replace(batch, trees=trees, **tensors)  # type: ignore[arg-type]
