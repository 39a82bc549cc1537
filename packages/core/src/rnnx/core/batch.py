"""What a loader yields and a task reads: padded examples of one split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any, final
from zlib import crc32

import torch
from torch import Tensor

from rnnx.core.trees import Trees


@final
@dataclass(eq=False)  # not frozen, or Lightning could not make 64 bits of its numbers
class Batch:
    """``N`` examples, padded to the longest of them.

    Attributes:
        inputs: ``(N, T, ...)``: token numbers ``(N, T)``, or features ``(N, T, F)``.
        lengths: ``(N,)``, the real steps of each input, on the CPU or the inputs' device.
        targets: What is to be predicted, ``(N, U)`` or ``(N,)``; the task says which.
        index: ``(N,)``, the position of each example in its split, so that it is scored once and in order.
        target_lengths: ``(N,)``, the real steps of each target, where they differ from the inputs'.
        parents: ``(N, T)``, the parent of each node of a tree, -1 at the root and -2 on padding; None for
            sequences.
        trees: What :meth:`Trees.of` made of the parents, for the nets that compose along them.
        continues: Whether row ``n`` goes on where row ``n`` of the batch before stopped (truncated
            backpropagation through time).
        references: The texts that each example's output is scored against, one or more; None where it is not
            text.

    Example:
        >>> batch = Batch(torch.zeros(2, 5), torch.tensor([5, 3]), torch.zeros(2), torch.arange(2))
        >>> len(batch), batch.to("cpu").continues
        (2, False)
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    index: Tensor
    target_lengths: Tensor | None = None
    parents: Tensor | None = None
    trees: Trees | None = None
    continues: bool = False
    references: tuple[tuple[str, ...], ...] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch with its tensors on ``device``."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def select(self, rows: Sequence[int]) -> Batch:
        """Some of the examples, padded as they were.

        Args:
            rows: Their numbers in the batch.

        Example:
            >>> batch = Batch(torch.zeros(3, 5), torch.tensor([5, 3, 1]), torch.zeros(3), torch.arange(3))
            >>> batch.select([2, 0]).lengths.tolist()
            [1, 5]
        """
        some = replace(self, trees=None)._with(lambda tensor: tensor[list(rows)])
        trees = None if self.trees is None or some.parents is None else Trees.of(some.parents)
        references = self.references and tuple(self.references[row] for row in rows)
        return replace(some, trees=trees, references=references)

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory, as a loader with ``pin_memory=True`` asks for."""
        return self._with(Tensor.pin_memory)

    def checksum(self) -> int:
        """Of its numbers (CRC-32): another one shows that the batch is another.

        Example:
            >>> of = lambda number: Batch(torch.tensor([[number]]), *(torch.ones(1),) * 3).checksum()
            >>> of(1) == of(1), of(1) == of(2)
            (True, False)
        """
        tensors = [value for value in vars(self).values() if isinstance(value, Tensor)]
        return reduce(lambda so_far, tensor: crc32(tensor.numpy(force=True).tobytes(), so_far), tensors, 0)

    def _with(self, move: Callable[[Tensor], Tensor]) -> Batch:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {
            name: move(value) for name, value in values.items() if isinstance(value, Tensor)
        }
        return replace(self, trees=self.trees and self.trees.move(move), **moved)
