"""Sampling: kept sets by hand, drawn frequencies by the chi-square test."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rnnx.core.errors import RunError
from rnnx.tasks.parts.generation.sampling import filter_logits, sample

DISTRIBUTION = [0.05, 0.4, 0.1, 0.3, 0.15]


def filtered(probabilities: list[float], **options: float) -> list[float]:
    return filter_logits(torch.tensor([probabilities]).log(), **options).exp()[0].tolist()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, DISTRIBUTION),
        ({"top_k": 1}, [0, 1, 0, 0, 0]),
        ({"top_k": 2}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"top_k": 5}, DISTRIBUTION),
        ({"top_k": 50}, DISTRIBUTION),
        ({"top_p": 1e-6}, [0, 1, 0, 0, 0]),
        ({"top_p": 0.39}, [0, 1, 0, 0, 0]),
        ({"top_p": 0.41}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"top_p": 0.69}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"top_p": 0.71}, [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85]),
        ({"top_p": 0.96}, DISTRIBUTION),
        # of the two most probable, 4/7 and 3/7, the first alone has 0.57
        ({"top_k": 2, "top_p": 0.55}, [0, 1, 0, 0, 0]),
        ({"top_k": 2, "top_p": 0.6}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"temperature": 0.0}, [0, 1, 0, 0, 0]),
        ({"temperature": 0.5}, [p * p / 0.285 for p in DISTRIBUTION]),
        # squared they are 0.0025, 0.16, 0.01, 0.09, 0.0225 of 0.285, so the first has 0.56 of the mass
        ({"temperature": 0.5, "top_p": 0.55}, [0, 1, 0, 0, 0]),
        ({"temperature": 1e-30}, [0, 1, 0, 0, 0]),
    ],
)
def test_what_is_kept_and_how_much_of_it(options: dict[str, float], expected: list[float]) -> None:
    assert filtered(DISTRIBUTION, **options) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("temperature", [1e-38, 1e-50, 5e-324])
def test_a_temperature_that_is_none_in_32_bits_is_greedy(temperature: float) -> None:
    found = filter_logits(torch.tensor([[0.5, 0.6, -0.1]]), temperature=temperature)
    assert found.exp().tolist() == [[0, 1, 0]]


def test_a_tiny_temperature_does_not_overflow() -> None:
    assert filter_logits(torch.tensor([[999.0, 1000.0]]), temperature=1e-36).exp().tolist() == [[0, 1]]


@pytest.mark.parametrize("row", [[0.0, math.nan], [0.0, math.inf], [-math.inf, -math.inf]])
@pytest.mark.parametrize("options", [{}, {"temperature": 0.0}, {"top_k": 1, "top_p": 0.5}])
def test_numbers_that_are_none_are_refused(row: list[float], options: dict[str, float]) -> None:
    with pytest.raises(RunError, match="expected finite numbers of the model's, and they are not"):
        filter_logits(torch.tensor([[0.0, 1.0], row]), **options)


def test_the_nucleus_ends_with_the_token_that_reaches_p() -> None:
    # binary fractions, so that 0.5 + 0.25 is 0.75 exactly
    assert filtered([0.25, 0.5, 0.125, 0.125], top_p=0.75) == pytest.approx([1 / 3, 2 / 3, 0, 0])
    assert filtered([0.25, 0.5, 0.125, 0.125], top_p=0.5) == pytest.approx([0, 1, 0, 0])


def test_of_equally_probable_tokens_the_lower_are_kept() -> None:
    assert filtered([0.1] * 10, top_k=3) == pytest.approx([1 / 3] * 3 + [0] * 7)
    assert filtered([0.1] * 10, temperature=0.0) == pytest.approx([1] + [0] * 9)
    assert filtered([0.125] * 8, top_p=0.3) == pytest.approx([1 / 3] * 3 + [0] * 5)


def test_each_row_is_cut_by_itself_and_the_input_is_left_alone() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0], [5.0, 1.0, -torch.inf]])
    before = logits.clone()
    kept = filter_logits(logits, top_k=2)
    assert torch.equal(logits, before)
    assert kept.isinf().tolist() == [[True, False, False], [False, False, True]]
    assert kept.exp().sum(1).tolist() == pytest.approx([1, 1])
    assert (kept[0, 2] - kept[0, 1]).item() == pytest.approx(1.0)


@pytest.mark.parametrize("options", [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_options_out_of_range_are_refused_by_name(options: dict[str, float]) -> None:
    [name] = options
    with pytest.raises(ValueError, match=name):
        filtered(DISTRIBUTION, **options)


def markov(probabilities: list[list[float]]) -> Callable:
    table = torch.tensor(probabilities).log()

    def step(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        return table[tokens], None, state

    return step


def chi_square(observed: Tensor, probabilities: list[float]) -> float:
    expected = observed.sum().item() * torch.tensor(probabilities, dtype=torch.double)
    return ((observed - expected) ** 2 / expected).sum().item()


def test_tokens_are_drawn_with_their_probabilities() -> None:
    # Every bigram of the chain is a draw; 18.47 is the 99.9 % point of chi-square with 4 degrees of freedom.
    chain = [
        DISTRIBUTION,
        [0.2] * 5,
        [0.5, 0.2, 0.1, 0.1, 0.1],
        DISTRIBUTION[::-1],
        [0.1, 0.1, 0.1, 0.1, 0.6],
    ]
    generator = torch.Generator().manual_seed(1)
    drawn = sample(markov(chain), (), torch.zeros(2000, dtype=torch.long), length=20, generator=generator)
    assert drawn.shape == (2000, 20)
    assert chi_square(drawn[:, 0].bincount(minlength=5), chain[0]) < 18.47
    for token, probabilities in enumerate(chain):
        following = drawn[:, 1:][drawn[:, :-1] == token]
        assert len(following) > 1000
        assert chi_square(following.bincount(minlength=5), probabilities) < 18.47


def test_filters_hold_for_what_is_drawn() -> None:
    # The three best are 1, 3, 4 with 0.4, 0.3, 0.15; at temperature 0.5 as 64 : 36 : 9.
    # 13.82 is the 99.9 % point of chi-square with 2 degrees of freedom.
    drawn = sample(
        markov([DISTRIBUTION] * 5), (), torch.zeros(4000, dtype=torch.long), length=3,
        generator=torch.Generator().manual_seed(2), temperature=0.5, top_k=3,
    )  # fmt: skip
    counts = drawn.flatten().bincount(minlength=5)
    assert counts[[0, 2]].tolist() == [0, 0]
    assert chi_square(counts[[1, 3, 4]], [64 / 109, 36 / 109, 9 / 109]) < 13.82


def test_the_state_is_carried_and_each_row_is_its_own_example() -> None:
    # The state counts up from its start by the row's number plus one; what is drawn is the count, modulo 10.
    def step(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        count = state[0] + examples[:, None] + 1
        return torch.eye(10)[count[:, 0] % 10].log(), None, (count,)

    start = (torch.tensor([[0], [5]]),)
    assert sample(step, start, torch.tensor([0, 0]), length=4).tolist() == [[1, 2, 3, 4], [7, 9, 1, 3]]


def test_the_length_is_as_asked() -> None:
    step = markov([[1.0, 0.0], [1.0, 0.0]])
    assert sample(step, (), torch.tensor([1]), length=5).tolist() == [[0] * 5]
    assert sample(step, (), torch.tensor([1]), length=0).shape == (1, 0)


def test_one_seed_gives_one_text() -> None:
    def draw(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        return sample(
            markov([DISTRIBUTION] * 5), (), torch.tensor([0]), length=40, generator=generator
        ).tolist()

    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def test_temperature_zero_is_greedy() -> None:
    step = markov([[0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0.6, 0.2, 0.2]])
    assert sample(step, (), torch.tensor([0]), length=6, temperature=0.0).tolist() == [[1, 2, 0, 1, 2, 0]]


def test_nothing_is_differentiated() -> None:
    weights = torch.zeros(1, 2, requires_grad=True)

    def step(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        scores = weights.log_softmax(1) - math.log(2)
        assert not scores.requires_grad
        return scores.expand(len(tokens), 2), None, state

    sample(step, (), torch.tensor([0]), length=2)
