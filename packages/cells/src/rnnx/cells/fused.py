"""torch's own kernels for a whole sequence, used by the cells that they equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from rnnx.core.state import State


def unroll(
    kernel: Callable[..., Any], weights: Sequence[Tensor], x: Tensor, lengths: Tensor | None, state: State
) -> tuple[Tensor, State] | None:
    """One layer of ``torch.lstm``, ``torch.gru``, ``torch.rnn_tanh`` or ``torch.rnn_relu``.

    On a CPU their backward pass over packed sequences takes 1.2 to 3 times as long as the engine's loop, so
    there the loop is left to train on sequences of different length.

    Args:
        kernel: The function.
        weights: ``weight_ih, weight_hh, bias_ih, bias_hh``.
        x: ``(N, T, input_size)``.
        lengths: ``(N,)``, each at least 1; None where all are ``T``.
        state: Tensors ``(N, H)``.

    Returns:
        ``y`` and the last state, or None where the loop is faster.
    """
    hidden = tuple(tensor.unsqueeze(0).contiguous() for tensor in state)  # (1, N, H)
    if lengths is None:
        y, *last = kernel(x, _form(hidden), weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        return y, _flat(last)
    if x.device.type == "cpu" and torch.is_grad_enabled():
        return None
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    order, back = packed.sorted_indices, packed.unsorted_indices
    hidden = tuple(tensor[:, order] for tensor in hidden)
    data, *last = kernel(
        packed.data, packed.batch_sizes, _form(hidden), weights, True, 1, 0.0, torch.is_grad_enabled(), False
    )
    packed = PackedSequence(data, packed.batch_sizes, order, back)
    y, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
    return y, tuple(tensor[back] for tensor in _flat(last))


def _form(hidden: State) -> Tensor | State:
    """The kernels take one tensor bare and two as a tuple."""
    return hidden[0] if len(hidden) == 1 else hidden


def _flat(hidden: Sequence[Tensor]) -> State:
    return tuple(tensor.squeeze(0) for tensor in hidden)
