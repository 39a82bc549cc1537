"""The mean of probabilities against the plain calculation, and a step of two against each of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnx.core.state import State
from rnnx.tasks.parts.ensemble import mean, together
from rnnx.tasks.parts.generation.search import Step

TOKENS, EXAMPLES = torch.tensor([2, 0]), torch.tensor([0, 1])


def test_it_is_the_mean_of_the_probabilities_and_not_of_their_logarithms() -> None:
    shares = [torch.tensor([0.8, 0.15, 0.05]), torch.tensor([0.2, 0.75, 0.05]), torch.tensor([0.2, 0.0, 0.8])]
    found = mean([share.log() for share in shares])
    torch.testing.assert_close(found.exp(), torch.tensor([0.4, 0.3, 0.3]))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_of_equal_ones_it_is_theirs_bit_for_bit(count: int) -> None:
    logs = torch.randn(7, 50, generator=torch.Generator().manual_seed(0)).mul(9).log_softmax(-1)
    assert torch.equal(mean([logs] * count), logs)


def test_what_is_impossible_for_all_stays_so_and_what_is_unlikely_is_not_lost() -> None:
    """exp(-800) is 0 even in 64 bits; the mean of it and of impossible is half of it."""
    found = mean([torch.tensor([-torch.inf, -800.0, 0.0]), torch.tensor([-torch.inf, -torch.inf, 0.0])])
    torch.testing.assert_close(found, torch.tensor([-torch.inf, -800.0 - 0.6931472, 0.0]))


def counter(factor: float, attention: Tensor | None) -> Step:
    """A step whose prediction and state follow from the token and the state before."""

    def step(tokens: Tensor, state: State, examples: Tensor) -> tuple[Tensor, Tensor | None, State]:
        after = tuple(one + factor * tokens.unsqueeze(1) for one in state)
        scores = torch.cat([one[:, :1] for one in after] + [torch.ones(len(tokens), 3)], 1)[:, :3]
        return scores.log_softmax(1), attention, after

    return step


@pytest.mark.parametrize("last", [True, False])
def test_each_has_its_own_state_and_attention_is_the_mean_over_those_that_have_any(last: bool) -> None:
    first, second = torch.tensor([[0.2, 0.8], [1.0, 0.0]]), torch.tensor([[0.6, 0.4], [0.0, 1.0]])
    steps = [counter(1.0, first), counter(-2.0, None), counter(0.5, second if last else None)]
    states = [(torch.ones(2, 4), torch.zeros(2, 1)), (torch.ones(2, 2),), (torch.ones(2, 3),) * 3]
    flat = tuple(tensor for state in states for tensor in state)
    logs, attention, after = together(steps, [2, 1, 3])(TOKENS, flat, EXAMPLES)
    alone = [step(TOKENS, state, EXAMPLES) for step, state in zip(steps, states, strict=True)]
    torch.testing.assert_close(logs.exp(), sum(one.exp() for one, _, _ in alone) / 3)
    assert attention is not None
    torch.testing.assert_close(attention, (first + second) / 2 if last else first)
    torch.testing.assert_close(after, tuple(tensor for _, _, state in alone for tensor in state))
    assert together(steps[1:2], [1])(TOKENS, states[1], EXAMPLES)[1] is None
    assert together(steps[1:], [1, 3])(TOKENS, flat[2:], EXAMPLES)[1] is None
