from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.operations import ATEN
from rnnx.core.unrolling.substitution import named_tensors
from rnnx.core.unrolling.trace import UntraceableError, gradients_of, settled, traced

P, H = 3, 4
FAR = torch.ones(H)

pytestmark = pytest.mark.usefixtures("doubles")


@final
class Written(Cell):
    """A step that a test writes, with a frozen vector, a buffer, and a matrix that has two names."""

    input_size, output_size, state_sizes = P, H, (H,)

    def __init__(self, function: Callable[..., tuple[Tensor, State]]) -> None:
        super().__init__()
        self.input, self.recurrent = nn.Linear(P, H, bias=False), nn.Linear(H, H)
        self.again = self.recurrent
        self.recurrent.bias.requires_grad_(False)
        self.register_buffer("shift", torch.ones(H))
        self.function = function
        self.outside = torch.ones(H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return self.function(self, z, *state)


def elman(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    h = torch.tanh(cell.input(z) + cell.again(h) * cell.shift)
    return h * h, (h,)


def several(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """Cuts, turns, sorts and normalises."""
    a, b = F.layer_norm(cell.recurrent(h), (H,)).chunk(2, -1)
    best, places = torch.sort(torch.cat((a, b * z[:, :1]), -1))
    turned = (best.t() * torch.tensor(0.5)).t() + z.new_zeros(len(z), 1)
    return turned.gather(1, places), (h + torch.ones(len(z), H) * cell.input(z),)


def over(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """Writes over what it made itself: what was read before, what gradients read, a slice, and an alias."""
    made = cell.recurrent(h)
    before = made + 1
    made.mul_(cell.input(z))
    alias = made.detach()
    turned = torch.zeros_like(h)
    turned[:, 1:3] = made[:, :2]
    made.add_(0.5).sigmoid_()
    return made * before + alias, (turned - made,)


def turned(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """As papers have it, a matrix times a column."""
    h = torch.tanh(cell.input(z) + (cell.recurrent.weight @ h.T).T)
    return h.T.T * 2, ((cell.recurrent.weight @ h.t()).permute(1, 0),)


def shown_twice(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """Writes over what is shown in the form that it had, by way of another form."""
    made = cell.recurrent(h)
    same = made.unsqueeze(1).squeeze(1)
    before = same * 2
    same.add_(cell.input(z))
    return made * before + same.view(len(z), -1), (torch.tanh(made.t().t()),)


def conjugate(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """Imaginary parts of a number and of its conjugate: one memory, read with one sign and the other."""
    number = torch.complex(cell.recurrent(h), cell.input(z))
    return number.imag * 2 + number.conj().imag.sin(), (torch.tanh(number.conj().imag),)


STEPS = [elman, several, over, turned, shown_twice, conjugate]


def given_to(cell: Cell, rows: int, learns: bool = True) -> tuple[Tensor, State]:
    z = torch.randn(rows, P, requires_grad=learns)
    return z, tuple(torch.randn(rows, size, requires_grad=learns) for size in cell.state_sizes)


def graph_of(cell: Cell, learns: bool = True) -> fx.Graph:
    z, state = given_to(cell, 1, learns)
    return traced(cell, z, state, settled(cell, z, state))


# Gradients


def test_gradients_are_none_where_there_are_none() -> None:
    a, b, c = (torch.tensor(number, requires_grad=True) for number in (2.0, 3.0, 4.0))
    fixed = torch.tensor(5.0)
    found = gradients_of(
        [a * b, fixed * 2, fixed * a], [a, fixed, b, c], [torch.tensor(x) for x in (1.0, 7.0, 10.0)]
    )
    assert found == [torch.tensor(3 + 10 * 5.0), None, torch.tensor(2.0), None]


def test_without_anything_that_learns_there_are_no_gradients() -> None:
    fixed, learning = torch.tensor(5.0), torch.tensor(2.0, requires_grad=True)
    assert gradients_of([fixed], [learning], [fixed]) == [None]
    assert gradients_of([learning * 2], [fixed], [fixed]) == [None]
    assert gradients_of([], [], []) == []


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_can_be_differentiated_where_that_is_wanted(create_graph: bool) -> None:
    a = torch.tensor(3.0, requires_grad=True)
    (gradient,) = gradients_of([a**3], [a], [torch.tensor(1.0)], create_graph)
    assert gradient is not None
    assert gradient.item() == 27
    assert gradient.requires_grad == create_graph
    if create_graph:
        assert torch.autograd.grad(gradient, a)[0].item() == 18


# Types


def test_types_that_stay() -> None:
    cell = Written(elman)
    assert settled(cell, *given_to(cell, 2)) == [torch.double]


def test_under_autocast_a_state_has_the_type_of_a_product() -> None:
    cell = Written(lambda cell, z, h: (z, (cell.recurrent(h) + cell.input(z),))).float()
    z, h = torch.zeros(2, P, dtype=torch.float), torch.zeros(2, H, dtype=torch.float)
    with torch.autocast("cpu", torch.bfloat16):
        assert settled(cell, z, (h,)) == [torch.bfloat16]
    assert settled(cell, z, (h,)) == [torch.float]


def test_types_that_change_each_time_are_refused() -> None:
    other = {torch.double: torch.float, torch.float: torch.double}
    cell = Written(lambda cell, z, h: (z, (h.to(other[h.dtype]),)))
    with pytest.raises(UntraceableError, match="types of its state"):
        settled(cell, *given_to(cell, 2))


# The graph


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
@pytest.mark.parametrize("function", STEPS)
def test_the_graph_gives_a_step_and_its_gradients_for_any_number_of_rows(
    function: Callable[..., tuple[Tensor, State]], rows: int
) -> None:
    cell = Written(function)
    graph = graph_of(cell)
    z, state = given_to(cell, rows)
    at = [torch.randn(rows, H) for _ in range(2)]
    tensors = list(named_tensors(cell).values())
    with torch.no_grad():
        found = fx.GraphModule({}, graph)(z, *state, *tensors, *at)
    y, after = cell.step(z, state)
    of = [tensor for tensor in (z, *state, *tensors) if tensor.requires_grad]
    gradients = iter(torch.autograd.grad([y, *after], of, at, allow_unused=True))
    wanted = [y, *after, *(next(gradients) if t.requires_grad else None for t in (z, *state, *tensors))]
    assert [g is None for g in found] == [g is None for g in wanted]
    real = [(g, w) for g, w in zip(found, wanted, strict=True) if w is not None]
    torch.testing.assert_close([g for g, _ in real], [w for _, w in real], rtol=1e-10, atol=1e-12)


@final
class _Watching(fx.Interpreter):
    """Keeps what each operation gave."""

    def run_node(self, n: fx.Node) -> Any:
        self.values = {**getattr(self, "values", {}), n: super().run_node(n)}
        return self.values[n]


@pytest.mark.parametrize("function", STEPS)
def test_what_has_a_row_for_each_of_the_batch_is_marked(
    function: Callable[..., tuple[Tensor, State]],
) -> None:
    """Seven rows, a number that no width here is."""
    cell = Written(function)
    graph = graph_of(cell)
    z, state = given_to(cell, 7)
    watching = _Watching(fx.GraphModule({}, graph))
    with torch.no_grad():
        watching.run(z, *state, *named_tensors(cell).values(), *(torch.randn(7, H) for _ in range(2)))
    seen = [(node, value) for node, value in watching.values.items() if isinstance(value, Tensor)]
    assert {node.meta["by_rows"] for node, _ in seen} == {True, False}
    for node, value in seen:
        assert node.meta["by_rows"] == (value.dim() > 0 and len(value) == 7), node


def test_a_matrix_times_a_column_is_a_product_of_rows() -> None:
    """Of the step and of its gradients; the gradient of the matrix alone reads what is turned round."""
    graph = graph_of(Written(turned))
    rows = [node for node in graph.nodes if node.target is ATEN.mm.default and node.meta["by_rows"]]
    assert len(rows) == 6  # of the input and twice of the state, and so at them
    of_columns = [node for node in graph.nodes if len(node.meta.get("shape", ())) == 2]
    assert all(
        user.target is ATEN.mm.default and not user.meta["by_rows"]
        for node in of_columns
        if node.op == "call_function" and 2 in node.meta["shape"]
        for user in node.users
    )


def test_what_learns_nothing_has_no_gradients_in_its_graph() -> None:
    cell = Written(elman)
    z, state = given_to(cell, 2)
    with torch.no_grad():
        (results,) = list(traced(cell, z, state, [torch.double]).nodes)[-1].args
    assert isinstance(results, list)
    assert [result is None for result in results] == [False] * 2 + [True] * 6


def test_gradients_go_where_they_are_wanted_and_then_along_the_state() -> None:
    cell = Written(elman).requires_grad_(False)
    cell.input.weight.requires_grad_(True)
    (results,) = list(graph_of(cell, learns=False).nodes)[-1].args
    assert isinstance(results, list)
    # y, h | z, h | input.weight, recurrent.weight, recurrent.bias, shift
    assert [result is None for result in results[2:]] == [True, False, False, True, True, True]


def one_more(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    return z * float(len(z) + 1), (h,)


def over_several(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    """Writes over two of its own in one operation, which has no like that writes over none."""
    made = [cell.input(z).detach() * 2, cell.recurrent(h).detach() + 1]
    torch._foreach_mul_(made, 3.0)
    return made[0] + cell.input(z), (h * made[1],)


def written_before(h: Tensor) -> tuple[Tensor, Tensor]:
    whole = h.detach() * 2
    return whole, whole[:, :2]


REFUSED: dict[str, tuple[Callable[..., tuple[Tensor, State]], str]] = {
    "the sign of a number": (
        lambda cell, z, h: (z, (h if z.sum() > 0 else -h,)),
        "by the values of a tensor",
    ),
    "a number itself": (lambda cell, z, h: (z * z.amax().item(), (h,)), "by the values of a tensor"),
    "a mask that picks": (lambda cell, z, h: (z, (h + h[h > 0].sum(),)), "by the values of a tensor"),
    "where something is": (lambda cell, z, h: (z, (h + len(h.nonzero()),)), "by the values of a tensor"),
    "one row more": (one_more, "number of rows"),
    "another way for two rows": (
        lambda cell, z, h: (z.exp() if len(z) == 2 else z.sin(), (h,)),
        "number of rows",
    ),
    "more operations for more rows": (
        lambda cell, z, h: (torch.stack([row * 2 for row in z]), (h,)),
        "number of rows",
    ),
    "twice the rows": (lambda cell, z, h: (z.repeat(len(z) * 2, 1), (h,)), "number of rows"),
    "over a parameter": (lambda cell, z, h: (z, (h * cell.recurrent.bias.mul_(2),)), "writes over"),
    "over a buffer": (lambda cell, z, h: (z, (h * cell.shift.add_(1),)), "writes over"),
    "over what is read in another form": (
        lambda cell, z, h: (lambda a, b: (z, (a.add_(1) + b.sum(1, True),)))(*written_before(h)),
        "writes over",
    ),
    "over several": (over_several, "writes over"),
    "over the state, by a view": (
        lambda cell, z, h: (z, (h.detach()[:, :2].mul_(2) @ h[:2],)),
        "writes over",
    ),
    "an attribute": (lambda cell, z, h: (z, (h * cell.outside,)), "no parameter, buffer, input or state"),
    "a tensor from nowhere": (
        lambda cell, z, h: (z, (h + FAR,)),
        "no parameter, buffer, input or state",
    ),
}


@pytest.mark.parametrize(("function", "message"), REFUSED.values(), ids=REFUSED)
def test_what_no_graph_can_hold_is_refused(
    function: Callable[..., tuple[Tensor, State]], message: str
) -> None:
    cell = Written(function)
    z, state = given_to(cell, 2, learns=False)
    with pytest.raises(UntraceableError, match=message):
        traced(cell, z, state, [torch.double])
