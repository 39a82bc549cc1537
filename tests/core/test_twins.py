from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.spec import Spec
from rnnx.core.state import State
from rnnx.core.twins import Twin, flops

N, T, I, H = 2, 5, 3, 4  # noqa: E741
STEPS = 2 * N * T  # a multiplication and an addition in each step of each row
X = torch.randn(N, T, I, generator=torch.Generator().manual_seed(0))


def cell(name: str, **options: object) -> Cell:
    return Spec.from_plain("cell", {"name": name, "hidden_size": H, **options}).build(I)


@pytest.mark.parametrize(
    ("name", "module", "gates"),
    [
        ("elman", nn.RNN, 1),
        ("gru", nn.GRU, 3),
        ("lstm", nn.LSTM, 4),
        ("sru", nn.LSTM, 4),
        ("mgu", nn.LSTM, 4),
    ],
)
def test_a_twin_is_of_the_same_equations_or_an_lstm(name: str, module: type[nn.Module], gates: int) -> None:
    twin = Twin(name, I, H)
    assert type(twin.module) is module
    assert twin.name == f"nn.{module.__name__}"
    assert twin.flops(X) == STEPS * (I + H) * gates * H


def test_a_twin_reads_each_row_to_its_end() -> None:
    twin, lengths = Twin("gru", I, H), torch.tensor([2, 4])
    y = twin(X, lengths)
    assert y.shape == (N, T, H)
    for row, length in enumerate(lengths):
        alone, _ = twin.module(X[row : row + 1, :length])
        torch.testing.assert_close(y[row, :length], alone[0])
        assert not y[row, length:].any()
    torch.testing.assert_close(twin(X), twin.module(X)[0])


def test_a_twin_counts_the_same_after_it_has_been_counted() -> None:
    twin = Twin("lstm", I, H)
    assert twin.flops(X) == twin.flops(X)
    assert next(twin.parameters()).device.type == "cpu"


@pytest.mark.parametrize(
    ("name", "options", "products"),
    [
        ("elman", {}, (I + H) * H),
        ("lstm", {}, (I + H) * 4 * H),
        ("gru", {}, (I + H) * 3 * H),
        ("gru", {"reset": "before"}, (I + H) * 3 * H),
        ("rhn", {"depth": 5}, (I + 5 * H) * 2 * H),  # coupled: two parts
        ("rhn", {"depth": 2, "layer_norm": True}, (I + 2 * H) * 2 * H),
    ],
)
def test_the_products_of_a_cell_are_counted(name: str, options: dict[str, object], products: int) -> None:
    assert flops(cell(name, **options), X) == STEPS * products


class Decay(Cell):
    input_size, output_size, state_sizes = I, I, (I,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = 0.5 * state[0] + z
        return h, (h,)


def test_where_no_gradients_are_taken_the_same_is_counted() -> None:
    with torch.no_grad():
        assert flops(cell("rhn", depth=5, layer_norm=True), X) == STEPS * (I + 5 * H) * 2 * H
        assert Twin("lstm", I, H).flops(X) == STEPS * (I + H) * 4 * H


def test_a_cell_without_products_has_none() -> None:
    assert flops(Decay(), X) == 0
