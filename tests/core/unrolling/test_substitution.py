from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.unrolling.substitution import (
    called_with,
    contents,
    copies_of,
    is_separable,
    named_tensors,
    stand_in,
    with_tensors,
)


class Tied(nn.Module):
    """A layer that is there twice, a weight that has two names, and a buffer that is written over."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first, self.other = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
        self.again, self.other.weight = self.first, self.first.weight
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return self.other(self.again(self.first(x)))


def test_each_tensor_has_one_name() -> None:
    assert list(named_tensors(Tied())) == ["first.weight", "first.bias", "count"]


def test_a_tensor_is_replaced_wherever_it_is_read() -> None:
    module = Tied()
    named = {"first.weight": 2 * torch.eye(2), "first.bias": torch.ones(2)}
    # 2 (2 (2 x + 1) + 1)
    assert with_tensors(module, named, module, torch.tensor([1.0, 10.0])).tolist() == [14.0, 86.0]


@pytest.mark.parametrize("fails", [False, True])
def test_afterwards_everything_is_as_before(fails: bool) -> None:
    module = Tied()
    before = {name: (id(value), value.clone()) for name, value in module.state_dict(keep_vars=True).items()}

    def work() -> None:
        module(torch.ones(2))
        if fails:
            raise ZeroDivisionError

    if fails:
        with pytest.raises(ZeroDivisionError):
            with_tensors(module, copies_of(module), work)
    else:
        with_tensors(module, copies_of(module), work)
    after = module.state_dict(keep_vars=True)
    assert list(after) == list(before)
    for name, (number, value) in before.items():
        assert id(after[name]) == number
        assert torch.equal(after[name], value)


def test_gradients_reach_what_was_put_in() -> None:
    module, weight = nn.Linear(2, 1, bias=False), torch.tensor([[3.0, 4.0]], requires_grad=True)
    (2 * with_tensors(module, {"weight": weight}, module, torch.tensor([5.0, 6.0]))).backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[10.0, 12.0]]
    assert module.weight.grad is None


def test_copies_require_what_their_tensors_require() -> None:
    module = Tied()
    module.first.bias.requires_grad_(False)
    assert [copy.requires_grad for copy in copies_of(module).values()] == [True, False, False]
    assert all(copy.is_leaf for copy in copies_of(module).values())


class Own(nn.Module):
    """An attribute that a call leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.rate, self.shape = nn.Linear(1, 1, bias=False), 2.0, [1, (2, "a")]
        self.function = torch.tanh

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x
        return self.rate * self.inner(x)


def test_a_stand_in_has_other_tensors_wherever_they_are_read() -> None:
    module = Tied()
    named = {"first.weight": 2 * torch.eye(2), "first.bias": torch.ones(2)}
    other = stand_in(module, named)
    assert type(other) is Tied
    assert other.again is other.first
    assert other(torch.tensor([1.0, 10.0])).tolist() == [14.0, 86.0]


def test_what_becomes_of_a_stand_in_and_of_the_module_the_other_does_not_see() -> None:
    module = Own()
    before = contents(module)
    other = stand_in(module, {"inner.weight": torch.tensor([[1.0]])})
    module.rate = 5.0
    assert other(torch.ones(1)).tolist() == [2.0]
    other.inner.weight = nn.Parameter(torch.zeros(1, 1))
    module.rate = before_rate = dict(before)["rate"]
    after = contents(module)
    assert before_rate == 2.0
    assert [name for name, _ in after] == [name for name, _ in before]
    assert all(now is value for (_, value), (_, now) in zip(before, after, strict=True))
    assert "seen" in dict(contents(other))


def listed(module: Own) -> None:
    module.several = [module.inner]


def enclosed(module: Own) -> None:
    module.function = lambda x: module.inner(x)


def given(module: Own) -> None:
    module.function = lambda x, inner=module.inner: inner(x)


def bound(module: Own) -> None:
    module.function = partial(module.forward)


def weak(module: Own) -> None:
    module.owner = weakref.ref(module)


def proxied(module: Own) -> None:
    module.owner = weakref.proxy(module)


def held(module: Own) -> None:
    module.holder = SimpleNamespace(weight={"w": module.inner.weight})


@pytest.mark.parametrize("join", [listed, enclosed, given, bound, weak, proxied, held])
def test_what_leads_back_to_its_own_is_called_itself(join: Callable[[Own], None]) -> None:
    module = Own()
    assert is_separable(module)
    join(module)
    assert not is_separable(module)
    weight = module.inner.weight
    seen = called_with(module, {"inner.weight": torch.tensor([[3.0]])}, lambda own: (own, own(torch.ones(1))))
    assert seen[0] is module
    assert seen[1].tolist() == [6.0]
    assert module.inner.weight is weight


def test_what_does_not_is_left_alone() -> None:
    module = Own()
    other = called_with(module, {"inner.weight": torch.tensor([[3.0]])}, lambda own: own)
    assert other is not module
    assert other(torch.ones(1)).tolist() == [6.0]
