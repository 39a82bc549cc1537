from __future__ import annotations

import pytest
import torch

from rnnx.core.nets.skips import SKIPS, Dense, Highway, Plain, Residual, Skip

N, T, I, H = 4, 5, 3, 6  # noqa: E741

pytestmark = pytest.mark.usefixtures("doubles")


def same(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [("none", Plain, H), ("residual", Residual, H), ("dense", Dense, I + H), ("highway", Highway, H)],
)
def test_each_has_a_name_and_is_as_wide_as_it_says(name: str, kind: type[Skip], size: int) -> None:
    skip = SKIPS[name](I, H)
    assert type(skip) is kind
    assert skip.output_size == size
    assert skip(torch.randn(N, T, I), torch.randn(N, T, H)).shape == (N, T, size)
    assert skip(torch.randn(N, I), torch.randn(N, H)).shape == (N, size)


def test_plain_is_the_output() -> None:
    x, y = torch.randn(N, T, I), torch.randn(N, T, H)
    assert Plain(I, H)(x, y) is y


def test_a_residual_adds_the_input() -> None:
    x, y = torch.randn(N, T, H), torch.randn(N, T, H)
    skip = Residual(H, H)
    assert not list(skip.parameters())
    assert torch.equal(skip(x, y), x + y)


def test_a_residual_projects_an_input_of_another_width() -> None:
    x, y = torch.randn(N, T, I), torch.randn(N, T, H)
    skip = Residual(I, H)
    (weight,) = skip.parameters()
    same(skip(x, y), x @ weight.T + y)


def test_dense_puts_input_and_output_side_by_side() -> None:
    x, y = torch.randn(N, T, I), torch.randn(N, T, H)
    skip = Dense(I, H)
    assert skip.output_size == I + H
    assert torch.equal(skip(x, y)[..., :I], x)
    assert torch.equal(skip(x, y)[..., I:], y)


@pytest.mark.parametrize("width", [I, H], ids=["as wide", "wider"])
def test_a_highway_lets_a_gate_choose(width: int) -> None:
    x, y = torch.randn(N, T, I), torch.randn(N, T, width)
    skip = Highway(I, width)
    assert skip.gate.bias.eq(-1).all()
    carried = x if width == I else x @ skip.carry.weight.T
    t = 1 / (1 + torch.exp(-(x @ skip.gate.weight.T + skip.gate.bias)))
    same(skip(x, y), t * y + (1 - t) * carried)
    skip.gate.bias.data.fill_(50)
    same(skip(x, y), y)
    skip.gate.bias.data.fill_(-50)
    same(skip(x, y), carried)


def test_a_highway_is_all_carried_at_first_but_for_a_quarter() -> None:
    """Srivastava et al. 2015, section 2.2: the bias starts below zero; sigmoid(-1) = 0.2689."""
    skip = Highway(H, H)
    x, y = torch.zeros(N, H), torch.ones(N, H)
    same(skip(x, y), torch.full((N, H), 0.2689414213699951))
