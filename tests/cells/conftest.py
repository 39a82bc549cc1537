"""What the tests of the cells that torch has too share: torch's module, row by row, as the oracle."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.engine import flip, fold, loop, scan
from rnnx.core.state import State

N, T, I, H = 4, 5, 3, 6  # noqa: E741
LENGTHS = {
    "none": None,
    "all full": [5, 5, 5, 5],
    "falling": [5, 4, 2, 1],
    "unsorted": [2, 5, 1, 3],
    "all shorter than the padding": [2, 3, 1, 3],
    "with empty rows": [0, 5, 0, 2],
    "only empty rows": [0, 0, 0, 0],
}
SUFFIX = {False: "_l0", True: "_l0_reverse"}


def by_torch(
    module: nn.RNNBase, x: Tensor, lengths: Tensor | None, state: State, reverse: bool
) -> tuple[Tensor, ...]:
    """``y`` and the last state from a bidirectional module, each row alone and without its padding."""
    rows = []
    for n, length in enumerate([T] * N if lengths is None else lengths.tolist()):
        hidden = [tensor[n].expand(2, 1, H) for tensor in state]  # one for each direction
        if length == 0:
            rows.append((x.new_zeros(T, H), *(tensor[n] for tensor in state)))
            continue
        y, last = module(x[n : n + 1, :length], tuple(hidden) if len(hidden) == 2 else hidden[0])
        last = last if len(hidden) == 2 else (last,)
        y = y[0, :, H:] if reverse else y[0, :, :H]
        rows.append(
            (torch.cat([y, x.new_zeros(T - length, H)]), *(tensor[int(reverse), 0] for tensor in last))
        )
    return tuple(torch.stack(tensors) for tensors in zip(*rows, strict=True))


def by_loop(
    cell: Cell, x: Tensor, lengths: Tensor | None, state: State, reverse: bool
) -> tuple[Tensor, State]:
    if not reverse:
        return loop(cell, x, lengths, state)
    y, last = loop(cell, flip(x, lengths), lengths, state)
    return flip(y, lengths), last


def gradients(outputs: tuple[Tensor, ...], of: list[Tensor]) -> list[Tensor]:
    """Those of a sum in which every number of every output has its own weight."""
    generator = torch.Generator().manual_seed(7)
    total = sum((o * torch.rand(o.shape, generator=generator, dtype=o.dtype)).sum() for o in outputs)
    found = torch.autograd.grad(total, of, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(of, found, strict=True)]


@pytest.fixture(params=LENGTHS.values(), ids=LENGTHS)
def lengths(request: pytest.FixtureRequest) -> Tensor | None:
    return None if request.param is None else torch.tensor(request.param)


@pytest.fixture(params=[False, True], ids=["forth", "back"])
def reverse(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def same_as_torch(lengths: Tensor | None, reverse: bool) -> Callable[[Cell, nn.RNNBase], None]:
    """Whether a cell and a bidirectional module agree, in each way of reading: values and gradients."""

    def check(cell: Cell, module: nn.RNNBase) -> None:
        names = [name for name, _ in cell.named_parameters()]
        cell, module = cell.double(), module.double()
        cell.load_state_dict({name: getattr(module, name + SUFFIX[reverse]) for name in names})
        x = torch.randn(N, T, I, dtype=torch.double, requires_grad=True)
        state = tuple(torch.randn(N, s, dtype=torch.double, requires_grad=True) for s in cell.state_sizes)
        zeros = tuple(torch.zeros_like(tensor) for tensor in state)

        expected = by_torch(module, x, lengths, state, reverse)
        theirs = [getattr(module, name + SUFFIX[reverse]) for name in names]
        expected_gradients = gradients(expected, [x, *state, *theirs])
        for read in (scan, by_loop):
            y, last = read(cell, x, lengths, state, reverse)
            torch.testing.assert_close((y, *last), expected, rtol=0, atol=1e-12)
            actual = gradients((y, *last), [x, *state, *cell.parameters()])
            torch.testing.assert_close(actual, expected_gradients, rtol=0, atol=1e-11)

        with torch.no_grad():  # where torch's kernels also read rows of different length
            y, last = scan(cell, x, lengths, state, reverse)
            torch.testing.assert_close((y, *last), expected, rtol=0, atol=1e-12)
            y, last = scan(cell, x, lengths, None, reverse)
            torch.testing.assert_close(
                (y, *last), by_torch(module, x, lengths, zeros, reverse), rtol=0, atol=1e-12
            )
            y, last = scan(cell.float(), x.float(), lengths, tuple(t.float() for t in state), reverse)
            wanted = tuple(tensor.float() for tensor in expected)
            torch.testing.assert_close((y, *last), wanted, rtol=0, atol=1e-6)

    torch.manual_seed(0)
    return check


@pytest.fixture
def true_gradients() -> Callable[[Cell], None]:
    """Whether the gradients of everything that goes in are those of finite differences."""

    def check(cell: Cell) -> None:
        names, weights = zip(*cell.double().named_parameters(), strict=True)

        def read(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
            state, given = rest[: len(cell.state_sizes)], rest[len(cell.state_sizes) :]
            run = _Scan(cell)
            named = {f"cell.{name}": weight for name, weight in zip(names, given, strict=True)}
            return torch.func.functional_call(run, named, (x, torch.tensor([3, 0, 2]), state))

        x = torch.randn(3, 3, cell.input_size, dtype=torch.double, requires_grad=True)
        state = [torch.randn(3, s, dtype=torch.double, requires_grad=True) for s in cell.state_sizes]
        assert torch.autograd.gradcheck(read, (x, *state, *(w.detach().requires_grad_() for w in weights)))

    torch.manual_seed(0)
    return check


class _Scan(nn.Module):
    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, ...]:
        y, last = scan(self.cell, x, lengths, state)
        return y, *last


@pytest.fixture
def forest() -> Callable[[int], Tensor]:
    """Parents ``(N, T)`` of random trees, their nodes in any order, padded; the most children are given."""

    def grow(widest: int) -> Tensor:
        random = Random(widest)
        rows = []
        for nodes in (7, 1, 5, 7):
            names = random.sample(range(nodes), nodes)
            parents = {names[0]: -1}
            for name in names[1:]:
                free = [parent for parent in parents if list(parents.values()).count(parent) < widest]
                parents[name] = random.choice(free)
            rows.append([parents[t] for t in range(nodes)] + [-2] * (7 - nodes))
        return torch.tensor(rows)

    return grow


@pytest.fixture
def true_gradients_on_trees(forest: Callable[[int], Tensor]) -> Callable[[Cell, int], None]:
    """Whether the gradients of a forest's inputs and of the weights are those of finite differences."""

    def check(cell: Cell, widest: int) -> None:
        names, weights = zip(*cell.double().named_parameters(), strict=True)
        parents = forest(widest)

        def read(x: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
            named = {f"cell.{name}": weight for name, weight in zip(names, given, strict=True)}
            return torch.func.functional_call(_Fold(cell), named, (x, parents))

        x = torch.randn(*parents.shape, cell.input_size, dtype=torch.double, requires_grad=True)
        assert torch.autograd.gradcheck(read, (x, *(w.detach().requires_grad_() for w in weights)))

    torch.manual_seed(0)
    return check


class _Fold(nn.Module):
    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor, parents: Tensor) -> tuple[Tensor, ...]:
        y, root = fold(self.cell, x, parents)
        return y, *root


def LN(a: np.ndarray, gain: np.ndarray, bias: np.ndarray | float = 0.0) -> np.ndarray:  # noqa: N802
    """Ba, Kiros & Hinton 2016, supplementary material; the 1e-5 is that of its authors' code."""
    mu = a.sum() / a.size
    sigma = np.sqrt(((a - mu) ** 2).sum() / a.size + 1e-5)
    return (a - mu) / sigma * gain + bias


def dropped(rows: int, width: int, training: bool) -> np.ndarray:
    """The factors, 0 or 2, that dropout draws next at the rate 0.5; in evaluation 1."""
    return F.dropout(torch.ones(rows, width, dtype=torch.double), 0.5, training).numpy()


@pytest.fixture
def of_ba() -> Callable[..., np.ndarray]:
    """``LN(a, gain, bias)``."""
    return LN


@pytest.fixture
def normalized_and_dropped() -> Callable[..., None]:
    """Whether a cell with layer normalisation and recurrent dropout is a paper's, step by step.

    The paper's step is a function of the weights by name, ``x``, the state, the factors of the dropout of
    each candidate in the order in which they are drawn, and ``LN``; it gives the output and the state.
    """

    def check(cell: Cell, by_paper: Callable[..., Any], candidates: int = 1) -> None:
        for parameter in cell.double().parameters():
            nn.init.normal_(parameter)  # so that no gain is 1
        w = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
        x = torch.randn(N, T, cell.input_size, dtype=torch.double)
        state = tuple(torch.randn(N, size, dtype=torch.double) for size in cell.state_sizes)
        cell.recurrent_dropout = 0.5
        for training in (True, False):
            torch.manual_seed(1)
            d = [[dropped(N, cell.output_size, training) for _ in range(candidates)] for _ in range(T)]
            torch.manual_seed(1)
            y, last = loop(cell.train(training), x, None, state)
            for n in range(N):
                wanted = [tensor[n].numpy() for tensor in state]
                for t in range(T):
                    out, wanted = by_paper(w, x[n, t].numpy(), wanted, [factors[n] for factors in d[t]], LN)
                    np.testing.assert_allclose(y[n, t].detach(), out, rtol=0, atol=1e-11)
                for found, tensor in zip(last, wanted, strict=True):
                    np.testing.assert_allclose(found[n].detach(), tensor, rtol=0, atol=1e-11)

    torch.manual_seed(0)
    return check


@pytest.fixture
def keeps_its_memory() -> Callable[[Cell, int], None]:
    """Whether a cell whose forget gate is open keeps a tensor of its state just where candidates drop out."""

    def check(cell: Cell, memory: int) -> None:
        x, state = torch.randn(N, cell.input_size), tuple(torch.randn(N, s) for s in cell.state_sizes)
        cell.recurrent_dropout = 0.5
        torch.manual_seed(1)
        kept = torch.from_numpy(dropped(N, cell.output_size, training=True) == 0)
        torch.manual_seed(1)
        _, after = cell.step(cell.project(x), state)
        assert torch.equal(after[memory] == state[memory], kept)
        assert 0 < kept.sum() < kept.numel()

    torch.manual_seed(0)
    return check


@pytest.fixture
def shifted() -> Callable[..., dict[str, list[float]]]:
    """By how much an option moves the parameters that a cell starts with; those alone that it moves."""

    def difference(
        cell_class: type[Cell], option: dict[str, float], **options: Any
    ) -> dict[str, list[float]]:
        cells = []
        for more in ({}, option):
            torch.manual_seed(0)
            cells.append(cell_class(3, hidden_size=2, **options, **more))
        moved = {}
        for (name, before), after in zip(cells[0].named_parameters(), cells[1].parameters(), strict=True):
            if not torch.equal(before, after):
                moved[name] = [round(number, 5) for number in (after - before).flatten().tolist()]
        return moved

    return difference
