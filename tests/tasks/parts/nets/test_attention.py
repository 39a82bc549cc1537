"""Attention against the papers' formulas, written out for each query and each place in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from rnnx.core.errors import UsageError
from rnnx.tasks.parts.nets.attention import (
    Additive,
    Attention,
    Concat,
    Dot,
    General,
    Mechanism,
    Memory,
    attention,
)

N, U, S, D, E = 3, 2, 5, 4, 6
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 0, 0]], dtype=torch.bool)
KINDS: dict[Mechanism, type[Attention]] = {
    "additive": Additive,
    "dot": Dot,
    "general": General,
    "concat": Concat,
}
Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.usefixtures("doubles")


def weights_of(module: Attention) -> dict[str, Array]:
    return {name: weight.detach().numpy() for name, weight in module.named_parameters()}


def additive(w: dict[str, Array], q: Array, k: Array) -> float:
    """Bahdanau et al. 2015, A.1.2: v' tanh(W s + U h), with the bias that a layer has."""
    return float(w["energy.weight"][0] @ np.tanh(w["query.weight"] @ q + w["key.weight"] @ k + w["key.bias"]))


def dot(w: dict[str, Array], q: Array, k: Array) -> float:
    """Luong et al. 2015, equation 8."""
    assert not w
    return float(sum(q * k))


def general(w: dict[str, Array], q: Array, k: Array) -> float:
    """Luong et al. 2015, equation 8: h_t' W h_s."""
    return float(q @ w["key.weight"] @ k)


def concat(w: dict[str, Array], q: Array, k: Array) -> float:
    """Luong et al. 2015, equation 8: v' tanh(W [h_t; h_s])."""
    return float(w["energy.weight"][0] @ np.tanh(w["both.weight"] @ np.concatenate([q, k])))


FORMULAS: dict[Mechanism, Callable[[dict[str, Array], Array, Array], float]] = {
    "additive": additive,
    "dot": dot,
    "general": general,
    "concat": concat,
}
each_mechanism = pytest.mark.parametrize("name", FORMULAS)


def built(name: Mechanism) -> tuple[Attention, Tensor, Tensor]:
    """An attention, queries and values."""
    width = D if name == "dot" else E
    module = attention(name, D, width)
    assert type(module) is KINDS[name]
    for weight in module.parameters():
        torch.nn.init.normal_(weight)
    return module, torch.randn(N, U, D), torch.randn(N, S, width)


@each_mechanism
def test_it_is_the_papers_formula_for_each_pair(name: Mechanism) -> None:
    module, query, values = built(name)
    w, q, v = weights_of(module), query.numpy(), values.numpy()
    context, weights = module(query, module.memory(values, MASK))
    assert context.shape == (N, U, values.shape[2])
    assert weights.shape == (N, U, S)
    for n in range(N):
        places = [s for s in range(S) if MASK[n, s]]
        for u in range(U):
            exponentials = {s: np.exp(FORMULAS[name](w, q[n, u], v[n, s])) for s in places}
            expected = np.array([exponentials.get(s, 0.0) for s in range(S)]) / sum(exponentials.values())
            np.testing.assert_allclose(weights[n, u].detach().numpy(), expected, atol=1e-12)
            seen = sum(expected[s] * v[n, s] for s in places)
            np.testing.assert_allclose(context[n, u].detach().numpy(), seen, atol=1e-12)


@each_mechanism
def test_weights_sum_to_one_and_are_zero_on_padding(name: Mechanism) -> None:
    module, query, values = built(name)
    _, weights = module(query, module.memory(values, MASK))
    assert (weights[~MASK.unsqueeze(1).expand_as(weights)] == 0).all()
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(2), torch.ones(N, U))
    assert (weights[2, :, 1] == 1).all()  # the only place there is


@each_mechanism
def test_padding_may_hold_anything_and_gets_no_gradient(name: Mechanism) -> None:
    module, query, values = built(name)
    other = values.masked_fill(~MASK.unsqueeze(2), 1e4).requires_grad_()
    expected = module(query, module.memory(values, MASK))
    actual = module(query, module.memory(other, MASK))
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)
    actual[0].square().sum().backward()
    assert other.grad is not None
    assert torch.isfinite(other.grad).all()
    assert (other.grad[~MASK] == 0).all()
    assert (other.grad[MASK] != 0).any()


@each_mechanism
def test_a_row_is_what_it_is_alone(name: Mechanism) -> None:
    module, query, values = built(name)
    memory = module.memory(values, MASK)
    rows = torch.tensor([2, 0, 0])
    alone = module(query[rows], memory.select(rows))
    together = module(query, memory)
    torch.testing.assert_close(alone, (together[0][rows], together[1][rows]), rtol=0, atol=1e-14)


@each_mechanism
def test_weights_are_shaped_as_the_formula_says(name: Mechanism) -> None:
    module, _, _ = built(name)
    assert {name: tuple(weight.shape) for name, weight in module.named_parameters()} == {
        "additive": {
            "query.weight": (D, D),
            "key.weight": (D, E),
            "key.bias": (D,),
            "energy.weight": (1, D),
        },
        "dot": {},
        "general": {"key.weight": (D, E)},
        "concat": {"both.weight": (D, D + E), "energy.weight": (1, D)},
    }[name]


def test_a_selected_memory_is_that_of_the_rows() -> None:
    values, keys = torch.randn(N, S, E), torch.randn(N, S, D)
    rows = torch.tensor([1, 1, 2, 0])
    selected = Memory(values, keys, MASK).select(rows)
    for tensor, original in zip(selected, (values, keys, MASK), strict=True):
        assert [row.tolist() for row in tensor] == [original[n].tolist() for n in (1, 1, 2, 0)]


def test_a_memory_in_parts_is_that_of_rows_side_by_side() -> None:
    memory = Memory(torch.randn(N, S, E), torch.randn(N, S, D), MASK)
    first, second = memory.split(2)
    for part, rows in ((first, [0, 1]), (second, [2])):
        for found, expected in zip(part, memory.select(torch.tensor(rows)), strict=True):
            assert torch.equal(found, expected)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0])
def test_in_32_bits_its_tanh_is_that_of_64(scale: float) -> None:
    """Near zero, where the slope is 1, and far from it."""
    module, query, values = built("additive")
    assert isinstance(module, Additive)
    query, keys = scale * query, scale * module.keys(values)
    added = scale * module.key(values)
    expected = module.energy(torch.tanh(module.query(query).unsqueeze(2) + added.unsqueeze(1))).squeeze(3)
    found = module.float().score(query.float(), keys.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-6)


def test_dot_refuses_unequal_widths() -> None:
    with pytest.raises(UsageError) as caught:
        attention("dot", 4, 6)
    assert str(caught.value) == (
        "task.attention: 'dot' needs a query (4 wide) and a memory (6 wide) of one width; "
        "use 'general', which learns a matrix between them"
    )


def test_each_name_is_one_and_none_is_none() -> None:
    assert {*KINDS, "none"} == set(get_args(Mechanism))
    assert attention("none", 4, 6) is None
