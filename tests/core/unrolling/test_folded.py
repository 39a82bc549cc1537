from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import pytest
import torch
from torch import Tensor, nn

from rnnx.cells.gru import GRU
from rnnx.cells.tree_lstm import TreeLSTM
from rnnx.cells.tree_rnn import TreeRNN
from rnnx.core import engine
from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling import making, plans
from rnnx.core.unrolling.plans import plans_of_groups
from tests.core.unrolling.zoo import DRAWING, ZOO, Cut, P, Plain, Stateless, Written

# binary, of several heights; one of a single node; and one whose children come after it
BINARY = [
    [2, 2, 4, 4, 8, 7, 7, 8, -1],
    [-1, *[-2] * 8],
    [-1, 0, 0, 1, 1, 3, 3, -2, -2],
    [2, 2, 4, 4, -1, *[-2] * 4],
]
# of 3, of 2, and of one child, of two, by their heights
MIXED = [[3, 3, 3, 8, 7, 7, 7, 8, 9, 10, -1], [3, 3, 3, 8, 7, 7, 7, 8, 9, -1, -2]]
CHAINS = [[1, 2, 3, 4, -1], [1, 2, -1, -2, -2], [-1, 0, 1, 2, -2]]
# in one level nodes of one, two and three children; a row upside down, and one of a leaf
UNEVEN = [[1, 4, 3, 4, 6, 6, -1], [3, 3, 3, 4, 5, 6, -1], [-1, 0, 0, 1, 3, 3, 2], [-1, *[-2] * 6]]
TREES = {"binary": BINARY, "mixed": MIXED, "chains": CHAINS, "uneven": UNEVEN}

OF_TREES: dict[str, Callable[[], Cell]] = {
    "child-sum": lambda: TreeLSTM(P, hidden_size=4),
    "binary": lambda: TreeLSTM(P, hidden_size=4, composition="binary"),
    "normed": lambda: TreeLSTM(P, hidden_size=4, composition="binary", layer_norm=True),
    "rnn": lambda: TreeRNN(P, hidden_size=4, score=True),
    "gru": lambda: GRU(P, hidden_size=4),
}
CELLS: dict[str, Callable[[], Cell]] = {
    **{kind.__name__: kind for kind in ZOO if kind is not Stateless},
    **OF_TREES,
}

pytestmark = pytest.mark.usefixtures("doubles")


def planned(cell: Cell, x: Tensor, parents: Tensor) -> tuple[Tensor, State]:
    trees = Trees.of(parents)
    first = cell.initial_state(1, x)
    assert plans_of_groups(cell, cell.project(x[:, 0]), trees, first) is not None, "compared with itself"
    return engine.fold(cell, x, trees)


def recursive(cell: Cell, x: Tensor, parents: Tensor) -> tuple[Tensor, State]:
    """Node by node, as one composes a tree by hand."""
    y = x.new_zeros(*x.shape[:2], cell.output_size)
    roots = []
    for row, above in enumerate(parents.tolist()):

        def compose(node: int, row: int = row, above: Sequence[int] = above) -> State:
            below = [compose(child) for child, parent in enumerate(above) if parent == node]
            children = tuple(
                torch.stack([state[place] for state in below], 1) if below else x.new_zeros(1, 0, size)
                for place, size in enumerate(cell.state_sizes)
            )
            z = cell.project(x[row : row + 1, node])
            out, state = cell.fold(z, children, torch.ones(1, len(below), dtype=torch.bool))
            y[row, node] = out[0]
            return state

        roots.append(compose(above.index(-1)))
    return y, tuple(torch.cat(tensors) for tensors in zip(*roots, strict=True))


def total(outputs: Sequence[Tensor]) -> Tensor:
    """A number of which the gradient differs from place to place and from output to output."""
    generator = torch.Generator().manual_seed(7)
    return torch.stack(
        [(output * torch.rand(output.shape, generator=generator).to(output)).sum() for output in outputs]
    ).sum()


def results(way: Callable[..., tuple[Tensor, State]], cell: Cell, x: Tensor, parents: Tensor) -> list[Tensor]:
    y, roots = way(cell, x, parents)
    of = [tensor for tensor in (x, *cell.parameters()) if tensor.requires_grad]
    gradients = torch.autograd.grad(total((y, *roots)), of, allow_unused=True, materialize_grads=True)
    return [y.to(x), *roots, *gradients]


def given(name: str) -> tuple[Tensor, Tensor]:
    parents = torch.tensor(TREES[name])
    return torch.randn(*parents.shape, P, requires_grad=True), parents


PAIRS = [
    (cell, trees)
    for cell in CELLS
    for trees in TREES
    if not (cell in ("binary", "normed") and trees in ("mixed", "uneven"))
]


@pytest.mark.parametrize(("cell", "trees"), PAIRS)
def test_trees_by_plans_are_those_composed_node_by_node(cell: str, trees: str) -> None:
    net, (x, parents) = CELLS[cell](), given(trees)
    found, wanted = (results(way, net, x, parents) for way in (planned, recursive))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


def test_an_output_that_is_cut_off_requires_no_gradient() -> None:
    y, (root,) = planned(Cut(), *given("mixed"))
    assert (y.requires_grad, root.requires_grad) == (False, True)


@pytest.mark.parametrize("trees", TREES)
@pytest.mark.parametrize("cell", ["child-sum", "rnn", "gru"])
def test_so_they_are_in_32_bits(cell: str, trees: str) -> None:
    """Where functions in C may be used."""
    net, (x, parents) = CELLS[cell]().float(), given(trees)
    x = x.detach().float().requires_grad_()
    found, wanted = (results(way, net, x, parents) for way in (planned, recursive))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["child-sum", "rnn", "gru"])
def test_nothing_is_kept_where_no_gradient_is_wanted(cell: str) -> None:
    net, (x, parents) = CELLS[cell](), given("mixed")
    with torch.no_grad():
        y, roots = planned(net, x, parents)
    wanted = recursive(net, x, parents)
    torch.testing.assert_close((y, roots), wanted)
    assert not any(tensor.requires_grad for tensor in (y, *roots))


@pytest.mark.parametrize("learns", ["the inputs", "the weights"])
def test_gradients_come_where_they_are_wanted_alone(learns: str) -> None:
    net, (x, parents) = TreeLSTM(P, hidden_size=4), given("mixed")
    x.requires_grad_(learns == "the inputs")
    for parameter in net.parameters():
        parameter.requires_grad_(learns == "the weights")
    found, wanted = (results(way, net, x, parents) for way in (planned, recursive))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("cell", ["child-sum", "rnn", "gru", "Normed"])
def test_gradients_have_gradients(cell: str) -> None:
    net, (x, parents) = CELLS[cell](), given("uneven")

    def twice(way: Callable[..., tuple[Tensor, State]]) -> Sequence[Tensor]:
        y, roots = way(net, x, parents)
        of = [x, *net.parameters()]
        once = torch.autograd.grad(total((y, *roots)), of, create_graph=True, allow_unused=True)
        return torch.autograd.grad(
            total([gradient.sin() for gradient in once if gradient is not None]),
            of,
            allow_unused=True,
            materialize_grads=True,
        )

    torch.testing.assert_close(twice(planned), twice(recursive))


@pytest.mark.parametrize("draws", DRAWING)
def test_random_numbers_are_those_drawn_level_by_level(draws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, (x, parents) = DRAWING[draws](), given("mixed")
    planned(net, x, parents)
    torch.manual_seed(1)
    found = results(engine.fold, net, x, parents)
    monkeypatch.setattr(engine, "plans_of_groups", lambda *_: None)
    torch.manual_seed(1)
    torch.testing.assert_close(found, results(engine.fold, net, x, parents))
    torch.manual_seed(2)
    assert not torch.equal(found[0], results(engine.fold, net, x, parents)[0])


def test_backward_may_be_called_again() -> None:
    net, (x, parents) = TreeLSTM(P, hidden_size=4), given("mixed")
    y, roots = planned(net, x, parents)
    of = [x, *net.parameters()]
    once, again = (torch.autograd.grad(total((y, *roots)), of, retain_graph=True) for _ in range(2))
    torch.testing.assert_close(once, again, rtol=0, atol=0)


def test_a_weight_that_was_written_over_before_the_way_back_is_told() -> None:
    net, (x, parents) = TreeLSTM(P, hidden_size=4), given("binary")
    y, _ = planned(net, x, parents)
    with torch.no_grad():
        net.weight_hh.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_under_autocast_it_is_as_level_by_level(monkeypatch: pytest.MonkeyPatch) -> None:
    net, (x, parents) = TreeLSTM(P, hidden_size=4).float(), given("mixed")
    x = x.detach().float()
    with torch.autocast("cpu", torch.bfloat16):
        found = planned(net, x, parents)
        monkeypatch.setattr(engine, "plans_of_groups", lambda *_: None)
        wanted = engine.fold(net, x, parents)
    torch.testing.assert_close(found, wanted, rtol=0.02, atol=0.02, check_dtype=True)


@final
class Hooked(Written):
    """Elman's network; the hooks of what is within are counted."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.recurrent(state[0]))
        return h, (h,)


def test_hooks_are_called_at_each_level() -> None:
    net, (x, parents) = Hooked(), given("chains")
    called: list[int] = []
    net.recurrent.register_forward_hook(lambda *_: called.append(1))
    engine.fold(net, x, parents)
    assert len(called) == 5  # levels


def test_a_fold_of_an_objects_own_is_called() -> None:
    net, (x, parents) = TreeLSTM(P, hidden_size=4), given("binary")
    own, called = net.fold, []

    def fold(z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        called.append(len(z))
        return own(z, children, mask)

    net.fold = fold  # type: ignore[method-assign]
    engine.fold(net, x, parents)
    assert called == Trees.of(parents).sizes


def test_functions_of_torch_func_see_through_trees() -> None:
    net, (x, parents) = Plain(), given("binary")
    trees = Trees.of(parents)
    found = torch.func.grad(lambda x: engine.fold(net, x, trees)[0].sin().sum())(x.detach())
    (wanted,) = torch.autograd.grad(recursive(net, x, parents)[0].sin().sum(), x)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("trees", TREES)
def test_a_cell_without_a_state_has_no_use_for_children(trees: str) -> None:
    net, (x, parents) = Stateless(), given(trees)
    torch.testing.assert_close(results(engine.fold, net, x, parents), results(recursive, net, x, parents))


def test_many_groups_of_a_level_are_read_at_once() -> None:
    rows = [
        [2, 2, 8, 4, 8, 7, 7, 8, 9, 10, -1],
        [-1, 0, 0, 0, 1, 2, 2, 4, 5, 5, 8],
        [3, 3, 3, 9, 7, 7, 7, 8, 9, 10, -1],
    ]
    net, parents = Plain(), torch.tensor(rows)
    trees, x = Trees.of(parents), torch.randn(3, 11, P)
    assert len(trees.groups) > plans.MOST_GROUPS * len(trees.sizes)
    assert plans_of_groups(net, net.project(x[:, 0]), trees, net.initial_state(1, x)) is None
    torch.testing.assert_close(engine.fold(net, x, trees), recursive(net, x, parents))


def test_more_numbers_of_children_than_plans_pay_for_are_read_level_by_level() -> None:
    parents = [-1, *(node for node in range(plans.MOST_COUNTS + 2) for _ in range(node + 1))]
    net, trees = Plain(), Trees.of(torch.tensor([parents]))
    assert len(set(trees.counts)) > plans.MOST_COUNTS
    x = torch.randn(1, len(parents), P)
    assert plans_of_groups(net, net.project(x[0]), trees, net.initial_state(1, x)) is None
    torch.testing.assert_close(engine.fold(net, x, trees), recursive(net, x, torch.tensor([parents])))


@pytest.mark.parametrize(
    ("draws", "trees"), [(draws, trees) for draws in DRAWING for trees in ("uneven", "mixed")]
)
def test_what_draws_for_a_level_at_once_is_read_so(draws: str, trees: str) -> None:
    net, (x, parents) = DRAWING[draws](), given(trees)
    found = plans_of_groups(net, net.project(x[:, 0]), Trees.of(parents), net.initial_state(1, x))
    assert (found is None) == (trees == "uneven")


class Unlike(Cell):
    """Of one child, and of two, something else: what it reads and learns depends on their number."""

    input_size, output_size, state_sizes = P, 4, (4,)

    def __init__(self, learns: str) -> None:
        super().__init__()
        self.input, self.one, self.two = nn.Linear(P, 4), nn.Linear(4, 4), nn.Linear(8, 4)
        for name, part in self.named_children():
            part.requires_grad_(name in learns)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        raise AssertionError("a tree is folded")


@final
class OneReads(Unlike):
    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        (child,) = children
        if child.shape[1] == 2:
            h = torch.tanh(self.two(child.flatten(1)))
        else:
            h = torch.tanh(self.input(z) + (self.one(child[:, 0]) if child.shape[1] else 0))
        return h, (h,)


@final
class TwoRead(Unlike):
    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        (child,) = children
        if child.shape[1] == 1:
            h = torch.tanh(self.input(torch.zeros_like(z)))
        else:
            h = torch.tanh(self.input(z) + (self.two(child.flatten(1)) if child.shape[1] else 0))
        return h, (h,)


@pytest.mark.parametrize("dtype", [torch.double, torch.float])
@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("learns", ["input one two", "two", "input"])
@pytest.mark.parametrize("kind", [OneReads, TwoRead])
@pytest.mark.parametrize("row", [[2, 2, 3, 5, 5, -1], [1, 2, 3, 5, 5, -1]])
def test_what_is_learnt_may_depend_on_the_number_of_children(
    row: list[int], kind: type[Unlike], learns: str, reads: bool, dtype: torch.dtype
) -> None:
    net = kind(learns).to(dtype)
    x, parents = torch.randn(1, 6, P, dtype=dtype, requires_grad=reads), torch.tensor([row])
    close = {} if dtype == torch.double else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(
        results(planned, net, x, parents), results(recursive, net, x, parents), **close
    )


def test_weights_whose_sign_is_not_in_memory_are_read_with_it() -> None:
    """As torch shows the imaginary part of a conjugate."""

    @final
    class Summed(Unlike):
        def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
            h = torch.tanh(z[:, :1] + self.one(children[0].sum(1)))
            return h, (h,)

    net, (x, parents) = Summed("one").float(), given("binary")
    x = x.detach().float().requires_grad_()
    for parameter in net.parameters():
        parameter.data = torch._neg_view(-parameter.data)
    found, wanted = results(planned, net, x, parents), results(recursive, net, x, parents)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_many_numbers_of_children_are_no_unrest() -> None:
    """Each has a plan of its own, made of one and the same cell."""
    net = TreeLSTM(P, hidden_size=4)
    for widths in (range(1, 16), range(16, 31)):
        parents, top = [-1], 0
        for width in widths:
            children = range(len(parents), len(parents) + width)
            parents += [top] * width
            top = children[0]
        x = torch.randn(1, len(parents), P, requires_grad=True)
        found = planned(net, x, torch.tensor([parents]))
        torch.testing.assert_close(found, recursive(net, x, torch.tensor([parents])))


def test_where_kernels_go_along_sequences_nodes_have_plans_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU."""

    @final
    class Distant(Written):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(self.input(z) + self.recurrent(state[0]))
            return h, (h,)

    for module in (making, plans):
        monkeypatch.setattr(module, "kernels_for", lambda *_: plans.Kernels.TRITON)
    net, (x, parents) = Distant(), given("binary")
    torch.testing.assert_close(results(planned, net, x, parents), results(recursive, net, x, parents))
