"""Attention over a memory: the mechanisms of Bahdanau et al. 2015 and Luong, Pham & Manning 2015."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, TypeAlias, final

import torch
from torch import Tensor, nn

from rnnx.core.errors import UsageError
from rnnx.core.nets.linear import Linear, linear
from rnnx.tasks.parts.nets.energies import energies

Mechanism: TypeAlias = Literal["additive", "dot", "general", "concat", "none"]


@final
class Memory(NamedTuple):
    """What a decoder attends to: an encoder's outputs, or the places of an image.

    Attributes:
        values: ``(N, S, E)``.
        keys: ``(N, S, A)``, what of the scores depends on the values alone.
        mask: ``(N, S)``, true where there is a value.
    """

    values: Tensor
    keys: Tensor
    mask: Tensor

    def select(self, rows: Tensor | slice) -> Memory:
        """The memory of some rows: their numbers ``(M,)``, or a slice."""
        return Memory(self.values[rows], self.keys[rows], self.mask[rows])

    def split(self, size: int) -> list[Memory]:
        """The memory in parts of so many rows."""
        return [Memory(*parts) for parts in zip(*(tensor.split(size) for tensor in self), strict=True)]


class Attention(nn.Module, ABC):
    """A score for each query and each place of a memory; the softmax of the scores weighs the places."""

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """What the scores need of the memory, once for all queries: ``(N, S, E) -> (N, S, A)``."""

    @abstractmethod
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The scores: ``(N, U, D), (N, S, A) -> (N, U, S)``."""

    @final
    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """The memory of values ``(N, S, E)`` where ``mask`` ``(N, S)`` is true."""
        return Memory(values, self.keys(values), mask)

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Attends to a memory.

        Args:
            query: ``(N, U, D)``.
            memory: Of ``N`` rows; each has at least one place.

        Returns:
            The context ``(N, U, E)`` and the weights ``(N, U, S)``, which sum to 1 over ``S`` and are 0 where
            there is no value.
        """
        scores = self.score(query, memory.keys).masked_fill(~memory.mask.unsqueeze(1), -torch.inf)
        weights = scores.softmax(-1)
        return weights @ memory.values, weights


@final
class Additive(Attention):
    """``v . tanh(W q + U k + b)`` (Bahdanau et al. 2015, A.1.2), whose keys are ``2 (U k + b)``.

    The paper leaves the bias ``b`` out of its equations. Keys are doubled for :func:`energies`.

    Args:
        query_size: ``D``.
        value_size: ``E``.

    Example:
        >>> attention = Additive(4, 6)
        >>> memory = attention.memory(torch.ones(2, 5, 6), torch.ones(2, 5, dtype=torch.bool))
        >>> context, weights = attention(torch.zeros(2, 3, 4), memory)
        >>> context.shape, weights.shape
        (torch.Size([2, 3, 6]), torch.Size([2, 3, 5]))
    """

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__()
        self.query = Linear(query_size, query_size, bias=False)  # W
        self.key = Linear(value_size, query_size)  # U, b
        self.energy = Linear(query_size, 1, bias=False)  # v

    def keys(self, values: Tensor) -> Tensor:
        return 2 * self.key(values)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return energies(self.query(query), keys, self.energy.weight[0])


@final
class Dot(Attention):
    """``q . k`` (Luong et al. 2015, eq. 8, dot); both must be of one width.

    Args:
        query_size: ``D``.
        value_size: ``E``.

    Raises:
        UsageError: the widths differ.
    """

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__()
        if query_size != value_size:
            raise UsageError(
                f"task.attention: 'dot' needs a query ({query_size} wide) and a memory ({value_size} wide) "
                "of one width; use 'general', which learns a matrix between them"
            )

    def keys(self, values: Tensor) -> Tensor:
        return values

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


@final
class General(Attention):
    """``q . W k`` (Luong et al. 2015, eq. 8, general).

    Args:
        query_size: ``D``.
        value_size: ``E``.
    """

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__()
        self.key = Linear(value_size, query_size, bias=False)  # W

    def keys(self, values: Tensor) -> Tensor:
        return self.key(values)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


@final
class Concat(Attention):
    """``v . tanh(W [q; k])`` (Luong et al. 2015, eq. 8, concat): one matrix, no bias.

    Its keys are twice what ``W`` makes of ``k``, for :func:`energies`.

    Args:
        query_size: ``D``.
        value_size: ``E``.
    """

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__()
        self.both = Linear(query_size + value_size, query_size, bias=False)  # W
        self.energy = Linear(query_size, 1, bias=False)  # v
        self.sizes = query_size, value_size

    def keys(self, values: Tensor) -> Tensor:
        return 2 * linear(values, self.both.weight.split(self.sizes, 1)[1])

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        projected = linear(query, self.both.weight.split(self.sizes, 1)[0])  # (N, U, D)
        return energies(projected, keys, self.energy.weight[0])


def attention(mechanism: Mechanism, query_size: int, value_size: int) -> Attention | None:
    """The attention of a name; None for ``none``.

    Args:
        mechanism: The name.
        query_size: ``D``.
        value_size: ``E``.
    """
    if mechanism == "none":
        return None
    kinds: dict[str, type[Additive | Dot | General | Concat]] = {
        "additive": Additive,
        "dot": Dot,
        "general": General,
        "concat": Concat,
    }
    return kinds[mechanism](query_size, value_size)
