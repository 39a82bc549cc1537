from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rnnx.core.nets import products
from rnnx.core.nets.linear import WITH_GRADIENT, Linear, linear

ROWS, TERMS, COLUMNS = (3, 50), 170, 190  # more than 2 ** 22 multiplications


@pytest.fixture(autouse=True)
def library(processor: tuple[bool, bool]) -> bool:
    """Whether oneDNN multiplies, as on some processors, or torch as it will."""
    return processor[0]


@pytest.fixture
def given() -> list[Tensor]:
    """An input, a weight and a bias."""
    shapes = (*ROWS, TERMS), (COLUMNS, TERMS), (COLUMNS,)
    return [torch.randn(shape).requires_grad_() for shape in shapes]


def doubled(given: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().double().requires_grad_(tensor.requires_grad) for tensor in given]


def near(found: list[Tensor], wanted: list[Tensor]) -> None:
    """To a hundred thousandth of the largest number."""
    for one, other in zip(found, wanted, strict=True):
        scale = float(other.detach().abs().max())
        torch.testing.assert_close(one.double(), other, rtol=0, atol=1e-5 * scale)


def is_own(made: Tensor) -> bool:
    """Whether a result is of the function's own, and not of torch's."""
    above = [made.grad_fn]
    while above:
        node = above.pop()
        if node is not None:
            if node.name() == "_LinearBackward":
                return True
            above += [following for following, _ in node.next_functions]
    return False


def test_it_is_torchs_and_so_are_its_gradients(library: bool, given: list[Tensor]) -> None:
    others, at = doubled(given), torch.randn(*ROWS, COLUMNS)
    made, wanted = linear(*given), F.linear(*others)
    assert is_own(made) is library
    near([made], [wanted])
    near(list(torch.autograd.grad(made, given, at)), list(torch.autograd.grad(wanted, others, at.double())))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("wanted", [(0,), (1,), (0, 1)])
def test_a_gradient_is_had_where_one_is_wanted(
    given: list[Tensor], bias: bool, wanted: tuple[int, ...]
) -> None:
    given = [
        tensor.detach().requires_grad_(place in wanted) for place, tensor in enumerate(given[: 2 + bias])
    ]
    others = doubled(given)
    linear(*given).square().sum().backward()
    F.linear(*others).square().sum().backward()
    assert [tensor.grad is not None for tensor in given] == [place in wanted for place in range(2 + bias)]
    near([given[place].grad for place in wanted], [others[place].grad for place in wanted])  # type: ignore[misc]


def test_second_gradients_are_those_of_torch(given: list[Tensor]) -> None:
    def second(function: Callable[..., Tensor], tensors: list[Tensor]) -> list[Tensor]:
        first = torch.autograd.grad(torch.tanh(function(*tensors)).sum(), tensors, create_graph=True)
        return list(torch.autograd.grad(torch.stack([one.square().sum() for one in first]).sum(), tensors))

    near(second(linear, given), second(F.linear, doubled(given)))


def test_gradients_of_several_at_once(given: list[Tensor]) -> None:
    at = torch.randn(2, *ROWS, COLUMNS)
    found = torch.autograd.grad(linear(*given), given, at, is_grads_batched=True)
    others = doubled(given)
    each = [torch.autograd.grad(F.linear(*others), others, one.double()) for one in at]
    near(list(found), [torch.stack(column) for column in zip(*each, strict=True)])


def test_under_checkpointing_and_in_functions_of_torchs(given: list[Tensor]) -> None:
    x, weight, bias = given
    again = checkpoint(linear, x, weight, bias, use_reentrant=False)
    near(list(torch.autograd.grad(again.sum(), given)), _sums(given))
    mapped = torch.func.vmap(lambda rows: linear(rows, weight, bias))(x)
    near([mapped], [F.linear(*doubled(given))])
    slope = torch.func.grad(lambda weight: linear(x, weight, bias).sum())(weight)
    near([slope], _sums(given)[1:2])


def test_it_is_exported_for_any_number_of_rows(given: list[Tensor]) -> None:
    layer = Linear(TERMS, COLUMNS)
    rows = torch.export.Dim("rows", min=1, max=100_000)
    program = torch.export.export(layer, (torch.randn(40, TERMS),), dynamic_shapes=({0: rows},))
    for count in (1, 40, 900):
        x = torch.randn(count, TERMS)
        torch.testing.assert_close(program.module()(x), F.linear(x, layer.weight, layer.bias))


def _sums(given: list[Tensor]) -> list[Tensor]:
    others = doubled(given)
    return list(torch.autograd.grad(F.linear(*others).sum(), others))


@pytest.mark.parametrize("shape", [(TERMS,), (0, TERMS), (1, TERMS), (2, 0, 3, TERMS), (2, 3, 40, TERMS)])
def test_any_number_of_dimensions(given: list[Tensor], shape: tuple[int, ...]) -> None:
    x, (_, weight, bias) = torch.randn(shape), given
    made = linear(x, weight, bias)
    assert made.shape == (*shape[:-1], COLUMNS)
    near(
        [made[..., :1]], [F.linear(x.double(), weight.double(), bias.double())[..., :1]]
    ) if x.numel() else ()


def test_rows_that_do_not_lie_side_by_side(given: list[Tensor]) -> None:
    x, *layer = given
    near([linear(x.transpose(0, 1), *layer)], [F.linear(*doubled(given)).transpose(0, 1)])


def test_autocast_multiplies_in_its_own_type(given: list[Tensor]) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(*given).dtype == torch.bfloat16
    with torch.no_grad():
        near([linear(*given)], [F.linear(*doubled(given))])


def test_a_layer_is_torchs_layer(given: list[Tensor]) -> None:
    torch.manual_seed(3)
    ours = Linear(TERMS, COLUMNS, bias=False)
    torch.manual_seed(3)
    theirs = nn.Linear(TERMS, COLUMNS, bias=False)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert torch.equal(ours.weight, theirs.weight)
    near([ours(given[0])], [theirs.double()(given[0].double())])


def test_few_products_are_not_worth_a_function_of_pythons(library: bool) -> None:
    few, weight = torch.randn(32, 128), torch.randn(256, 128, requires_grad=True)
    assert not is_own(linear(few, weight))
    assert is_own(linear(few.repeat(4, 1), weight)) is library
    assert few.numel() * 4 * 256 == products.LARGE * WITH_GRADIENT
