"""torch's own kernels for a whole sequence, used by the cells that they equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from rnnx.core.nets.padding import real_steps
from rnnx.core.state import State
from rnnx.core.unrolling.kernels.c.native import pays

CHEAP: Final = 1e6  # products of two numbers that take less time than what a step of the loop costs by itself
SHUT: Final = 1e4  # whose sigmoid is 1, and that of its negative 0
SUPPORTED: Final = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}


def unroll(
    kernel: Callable[..., Any], weights: Sequence[Tensor], x: Tensor, lengths: Tensor | None, state: State
) -> tuple[Tensor, State] | None:
    """One layer of ``torch.lstm``, ``torch.gru``, ``torch.rnn_tanh`` or ``torch.rnn_relu``.

    On a CPU with a C compiler the engine is faster than they are, but for the LSTM over rows of one length.
    Without one it learns faster too, packed sequences in half the time, with the same exception. So then the
    LSTM reads rows of many lengths as if they were equally long, with its memory held past each row's length,
    unless too much of the work would be for that.

    cuDNN has no second derivatives: whoever wants them on a GPU reads under
    ``torch.backends.cudnn.flags(enabled=False)``.

    Args:
        kernel: The function.
        weights: ``weight_ih, weight_hh, bias_ih, bias_hh``.
        x: ``(N, T, input_size)``.
        lengths: ``(N,)``, each at least 1; None where all are ``T``.
        state: Tensors ``(N, H)``.

    Returns:
        ``y`` and the last state, or None where the engine is faster, or torch's kernel raises.
    """
    kind = x.device.type
    if kind != "cpu" and torch.is_autocast_enabled(kind):  # it would take float16 for bfloat16
        dtype = torch.get_autocast_dtype(kind)
        cast = [[tensor.to(dtype) for tensor in tensors] for tensors in (weights, [x], state)]
        with torch.autocast(kind, enabled=False):
            return unroll(kernel, cast[0], cast[1][0], lengths, tuple(cast[2]))
    if kind == "cpu" and _engine_is_faster(kernel, x, lengths, weights):
        return None
    hidden = tuple(tensor.unsqueeze(0).contiguous() for tensor in state)  # (1, N, H)
    if lengths is None:
        y, *last = kernel(x, _form(hidden), weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        return y, _flat(last)
    if kind == "cpu" and kernel is torch.lstm and _is_little(x, lengths, weights[1].shape[1]):
        return _held(weights, x, lengths, state)
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    order, back = packed.sorted_indices, packed.unsorted_indices
    hidden = tuple(tensor[:, order] for tensor in hidden)
    data, *last = kernel(
        packed.data, packed.batch_sizes, _form(hidden), weights, True, 1, 0.0, torch.is_grad_enabled(), False
    )
    packed = PackedSequence(data, packed.batch_sizes, order, back)
    y, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
    return y, tuple(tensor[back] for tensor in _flat(last))


def _engine_is_faster(
    kernel: Callable[..., Any], x: Tensor, lengths: Tensor | None, weights: Sequence[Tensor]
) -> bool:
    """Whether the engine is faster on a CPU, or alone: oneDNN's LSTM is not there for every type."""
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    if kernel is torch.lstm and dtype in SUPPORTED and not getattr(torch.ops.mkldnn, SUPPORTED[dtype])():
        return True
    if pays(dtype, len(x) * len(weights[0])):
        return kernel is not torch.lstm or lengths is not None
    padded = kernel is torch.lstm and (lengths is None or _is_little(x, lengths, weights[1].shape[1]))
    return torch.is_grad_enabled() and not padded


def _is_little(x: Tensor, lengths: Tensor, width: int) -> bool:
    """Whether reading padding costs an LSTM less than the engine's loop costs, as measured on one thread."""
    rows, steps, input_size = x.shape
    surplus = rows * steps - 4 / 3 * int(lengths.sum())  # the kernel takes three quarters of the time a row
    return surplus * width * (input_size + width) < steps * CHEAP


def _held(weights: Sequence[Tensor], x: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
    """The LSTM's kernel over the padding too, where the forget gates are 1 and the input gates 0."""
    weight_ih, *others = weights
    real = real_steps(x, lengths).unsqueeze(-1)  # (N, T, 1)
    i, f, g, o = weight_ih.new_zeros(4, weight_ih.shape[0] // 4, 1)
    holding = torch.cat((i - SHUT, f + SHUT, g, o))
    x = torch.cat((x.where(real, 0), (~real).to(x.dtype)), -1)  # (N, T, I + 1)
    read = unroll(torch.lstm, (torch.cat((weight_ih, holding), 1), *others), x, None, state)
    assert read is not None
    y, (_, c) = read
    h = y[torch.arange(len(y)), lengths.to(y.device) - 1]
    return y.where(real, 0), (h, c)


def _form(hidden: State) -> Tensor | State:
    """The kernels take one tensor bare and two as a tuple."""
    return hidden[0] if len(hidden) == 1 else hidden


def _flat(hidden: Sequence[Tensor]) -> State:
    return tuple(tensor.squeeze(0) for tensor in hidden)
