"""The recurrent operators of ONNX, for the cells that are one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Operator:
    """One of `ONNX's recurrent operators <https://onnx.ai/onnx/operators>`_, with the weights of a cell.

    The weights have their gates in the order of ONNX, see :func:`in_order`: ``z r n`` of a GRU, ``i o f g``
    of an LSTM.

    Attributes:
        name: Which one.
        weights: ONNX's ``W``, ``(G H, input_size)``; ``R``, ``(G H, H)``; and the halves of ``B``, each
            ``(G H)``.
        peepholes: ``P`` of an LSTM, of ``i o f``, ``(3 H)``.
        attributes: Further ones, by name.
    """

    name: Literal["RNN", "GRU", "LSTM"]
    weights: Sequence[Tensor]
    peepholes: Tensor | None = None
    attributes: Mapping[str, int | Sequence[str]] = field(default_factory=dict)


def in_order(rows: Tensor, given: str, wanted: str) -> Tensor:
    """Weights with their gates in another order.

    Args:
        rows: ``(G H, ...)``.
        given: The gates they have, a letter each, in their order.
        wanted: Those wanted.

    Example:
        >>> in_order(torch.tensor([1, 1, 2, 2, 3, 3]), "rzn", "zrn").tolist()
        [2, 2, 1, 1, 3, 3]
    """
    gates = dict(zip(given, rows.chunk(len(given)), strict=True))
    return torch.cat([gates[gate] for gate in wanted])
