from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.export import Dim, export

from rnnx.core.cell import Cell
from rnnx.core.net import Net
from rnnx.core.state import State
from rnnx.core.unrolling.padded import step_over_padding

pytestmark = [  # what torch's compiler says of itself while it reads torch's scan
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor"),
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated"),
]

PLAIN = {"cell": {"name": "lstm", "hidden_size": 4}}
REGULARIZED = {
    "cell": {"name": "tree-lstm", "hidden_size": 4},
    "variational_input": 0.1,
    "variational_state": 0.1,
    "zoneout": 0.1,
    "recompute": True,
}
DEEP = {
    "cell": {"name": "gru", "hidden_size": 4},
    "layers": 2,
    "bidirectional": True,
    "dropout": 0.1,
}


class Digits(Cell):
    """Reads the next digit of each row's number; counts the steps; gives the number doubled."""

    input_size, output_size, state_sizes = 1, 1, (1, 1)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        number, steps = state
        number = 10 * number + z
        return 2 * number, (number, steps + 1)


def test_rows_of_several_lengths_by_hand() -> None:
    x = torch.tensor([[1.0, 4, 7, 8], [2, 5, torch.nan, torch.nan], [torch.nan] * 4]).unsqueeze(-1)
    state = torch.tensor([[0.0], [9.0], [3.0]]), torch.zeros(3, 1)
    y, (number, steps) = step_over_padding(Digits(), x, torch.tensor([4, 2, 0]), state)
    assert y.squeeze(-1).tolist() == [[2, 28, 294, 2956], [184, 1850, 0, 0], [0, 0, 0, 0]]
    assert number.flatten().tolist() == [1478, 925, 3]
    assert steps.flatten().tolist() == [4, 2, 0]


@pytest.mark.parametrize("options", [PLAIN, REGULARIZED])
@pytest.mark.parametrize("axes", [{0: Dim("rows")}, {0: Dim("rows"), 1: Dim("steps")}])
def test_a_net_is_exported_for_any_batch(options: dict[str, object], axes: dict[int, Dim]) -> None:
    net = Net.from_plain(options).encoder(3).eval()
    program = export(net, (torch.randn(2, 5, 3),), dynamic_shapes=(axes,)).module()
    for rows, steps in ((1, 5), (7, 5), (5, 9 if 1 in axes else 5)):
        x = torch.randn(rows, steps, 3)
        torch.testing.assert_close(program(x), net(x))


@pytest.mark.parametrize("options", [REGULARIZED, DEEP])
@pytest.mark.parametrize("axes", [{}, {0: Dim("rows")}, {0: Dim("rows"), 1: Dim("steps")}])
def test_a_net_is_exported_with_lengths(options: dict[str, object], axes: dict[int, Dim]) -> None:
    net = Net.from_plain(options).encoder(3).eval()
    of_lengths = {axis: size for axis, size in axes.items() if axis == 0}
    example = torch.randn(3, 4, 3), torch.tensor([4, 4, 4])  # which are not taken for all that may come
    program = export(net, example, dynamic_shapes=(axes, of_lengths)).module()
    others = [[3], [1, 2, 3, 4, 4]] if axes else []
    for lengths in [[2, 4, 1], [0, 4, 3], [3, 2, 2], *others]:
        steps = max(lengths) if 1 in axes else 4
        x = torch.randn(len(lengths), steps, 3)
        torch.testing.assert_close(program(x, torch.tensor(lengths)), net(x, torch.tensor(lengths)))


def test_what_only_an_export_needs_is_not_imported_by_others() -> None:
    """SymPy takes longer to import than all of the engine."""
    code = "import sys, rnnx.core.engine; print('sympy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
