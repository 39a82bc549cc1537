from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnx.cells import fused
from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.cell import Cell
from rnnx.core.engine import scan

# of 64 bits, of which the engine has no functions in C
KERNELS: dict[str, tuple[Callable[..., Any], nn.RNNBase]] = {
    "lstm": (torch.lstm, nn.LSTM(3, 4, batch_first=True).double()),
    "gru": (torch.gru, nn.GRU(3, 4, batch_first=True).double()),
    "tanh": (torch.rnn_tanh, nn.RNN(3, 4, batch_first=True).double()),
    "relu": (torch.rnn_relu, nn.RNN(3, 4, nonlinearity="relu", batch_first=True).double()),
}
each_kernel = pytest.mark.parametrize(("kernel", "module"), KERNELS.values(), ids=KERNELS)


@each_kernel
def test_rows_of_one_length_are_read_by_the_kernel(kernel: Callable[..., Any], module: nn.RNNBase) -> None:
    x, count = torch.randn(2, 5, 3).double(), 2 if kernel is torch.lstm else 1
    state = tuple(torch.randn(2, 4).double() for _ in range(count))
    hidden = tuple(tensor[None] for tensor in state)
    with torch.no_grad():
        read = fused.unroll(kernel, list(module.parameters()), x, None, state)
        y, last = module(x, hidden if count == 2 else hidden[0])
    assert read is not None
    torch.testing.assert_close(read[0], y)
    torch.testing.assert_close(read[1], tuple(tensor[0] for tensor in (last if count == 2 else (last,))))


@each_kernel
def test_only_the_lstms_kernel_learns_from_rows_of_one_length(
    kernel: Callable[..., Any], module: nn.RNNBase
) -> None:
    x, weights, count = torch.randn(2, 5, 3).double(), list(module.parameters()), 1 + (kernel is torch.lstm)
    read = fused.unroll(kernel, weights, x, None, (torch.zeros(2, 4).double(),) * count)
    assert (read is not None) == (kernel is torch.lstm)
    if read is not None:
        found, wanted = (torch.autograd.grad(y.sum(), weights) for y in (read[0], module(x)[0]))
        torch.testing.assert_close(found, wanted)


@each_kernel
def test_rows_of_many_lengths_are_packed(kernel: Callable[..., Any], module: nn.RNNBase) -> None:
    x, lengths, count = torch.randn(3, 6, 3).double(), torch.tensor([2, 4, 1]), 1 + (kernel is torch.lstm)
    state = tuple(torch.randn(3, 4).double() for _ in range(count))
    hidden = tuple(tensor[None] for tensor in state)
    with torch.no_grad():
        read = fused.unroll(kernel, list(module.parameters()), x, lengths, state)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, last = module(packed, hidden if count == 2 else hidden[0])
    assert read is not None
    torch.testing.assert_close(read[0], pad_packed_sequence(y, batch_first=True, total_length=6)[0])
    torch.testing.assert_close(read[1], tuple(tensor[0] for tensor in (last if count == 2 else (last,))))


@each_kernel
def test_on_a_cpu_it_leaves_training_on_many_lengths_to_the_loop(
    kernel: Callable[..., Any], module: nn.RNNBase
) -> None:
    wide, lengths = type(module)(3, 400).double(), torch.tensor([5] + [1] * 15)
    state = (torch.zeros(16, 400).double(),) * (2 if kernel is torch.lstm else 1)
    assert (
        fused.unroll(kernel, list(wide.parameters()), torch.randn(16, 5, 3).double(), lengths, state) is None
    )


def test_under_autocast_the_engine_has_no_functions_in_c() -> None:
    x, weights = torch.randn(2, 5, 3), list(nn.RNN(3, 4).parameters())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert fused.unroll(torch.rnn_tanh, weights, x, None, (torch.zeros(2, 4),)) is not None


@pytest.mark.parametrize("junk", [0.0, 1e30, torch.nan])
def test_an_lstm_reads_padding_with_its_memory_held(junk: float) -> None:
    dtype = torch.float64
    module = nn.LSTM(3, 4, batch_first=True, dtype=dtype)
    lengths, weights = torch.tensor([2, 90, 1]), list(module.parameters())
    x = torch.randn(3, 90, 3, dtype=dtype, requires_grad=True)
    state = tuple(torch.randn(3, 4, dtype=dtype, requires_grad=True) for _ in range(2))
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    padded, last = module(packed, tuple(tensor[None] for tensor in state))
    wanted = pad_packed_sequence(padded, batch_first=True, total_length=90)[0], *(s[0] for s in last)
    dirty = x.where(torch.arange(90).unsqueeze(1) < lengths[:, None, None], junk)
    read = fused.unroll(torch.lstm, weights, dirty, lengths, state)
    assert read is not None
    found = read[0], *read[1]
    torch.testing.assert_close(found, wanted)
    of = [x, *state, *weights]
    gradients = [
        torch.autograd.grad(sum(result.sin().sum() for result in results), of) for results in (found, wanted)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("cell", [LSTM(3), GRU(3), Elman(3)], ids=["lstm", "gru", "elman"])
@pytest.mark.parametrize(("rows", "steps"), [(0, 0), (0, 4), (2, 0)])
@pytest.mark.parametrize("given_lengths", [False, True])
def test_the_kernels_are_spared_what_they_cannot_read(
    cell: Cell, rows: int, steps: int, given_lengths: bool
) -> None:
    lengths = torch.zeros(rows, dtype=torch.long) if given_lengths else None
    state = tuple(torch.randn(rows, size) for size in cell.state_sizes)
    y, last = scan(cell, torch.randn(rows, steps, 3), lengths, state)
    assert y.shape == (rows, steps, cell.output_size)
    torch.testing.assert_close(last, state)
