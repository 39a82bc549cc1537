"""Beam search against enumeration of every sequence, a plain beam search on lists, and hand calculation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rnnx.tasks.parts.generation.search import beam_search, coverage_penalty, length_penalty

START, END = 9, 0
PRIME = 997
few = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@dataclass(frozen=True)
class Options:
    alpha: float = 0.0
    beta: float = 0.0
    min_length: int = 0
    no_repeat_ngram: int = 0
    forbidden: tuple[int, ...] = ()


def rows_of(examples: Tensor, tokens: Tensor) -> Tensor:
    """The example of each hypothesis, of which each example has as many, side by side."""
    return examples.repeat_interleave(len(tokens) // len(examples))


@dataclass(frozen=True)
class Toy:
    """A decoder whose state is a hash of the whole prefix; hash and example say what comes next."""

    vocabulary: int
    source_lengths: Tensor
    table: Tensor
    attention: Tensor

    @classmethod
    def random(cls, seed: int, vocabulary: int, source_lengths: list[int], sharpness: float = 1.5) -> Toy:
        generator = torch.Generator().manual_seed(seed)
        lengths = torch.tensor(source_lengths)
        shape = (len(source_lengths), PRIME)
        logits = sharpness * torch.randn(*shape, vocabulary, generator=generator)
        energies = 2 * torch.randn(*shape, int(lengths.max()), generator=generator)
        padding = torch.arange(int(lengths.max())) >= lengths[:, None, None]
        attention = energies.masked_fill(padding, -torch.inf).softmax(-1)
        return cls(vocabulary, lengths, logits.log_softmax(-1), attention)

    def begin(self) -> tuple[Tensor, ...]:
        return (torch.arange(len(self.table))[:, None] + 1, torch.zeros(len(self.table), 2))

    def step(
        self, tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        rows = rows_of(examples, tokens)
        hashed = (state[0] * 31 + tokens[:, None] + 1) % PRIME
        return self.table[rows, hashed[:, 0]], self.attention[rows, hashed[:, 0]], (hashed, state[1] + 1)

    def alone(self, example: int) -> Toy:
        chosen = slice(example, example + 1)
        width = int(self.source_lengths[example])
        return Toy(
            self.vocabulary,
            self.source_lengths[chosen],
            self.table[chosen],
            self.attention[chosen, :, :width],
        )

    def path(self, example: int, tokens: tuple[int, ...]) -> Iterator[tuple[list[float], list[float]]]:
        """The log-probabilities and the attention before each token and after the last, token by token."""
        hashed = example + 1
        for token in (START, *tokens):
            hashed = (hashed * 31 + token + 1) % PRIME
            yield self.table[example, hashed].tolist(), self.attention[example, hashed].tolist()


def final_score(
    toy: Toy, example: int, tokens: tuple[int, ...], options: Options, *, ended: bool = True
) -> tuple[float, float]:
    """The score and the log-probability of one whole sequence, from the formulas of Wu et al. 2016."""
    produced = (*tokens, END) if ended else tokens
    steps = list(toy.path(example, tokens))[: len(produced)]
    log_probability = sum(row[token] for (row, _), token in zip(steps, produced, strict=True))
    score = log_probability / ((5 + len(produced)) / 6) ** options.alpha
    if options.beta:
        for place in range(int(toy.source_lengths[example])):
            score += options.beta * math.log(min(1.0, sum(attended[place] for _, attended in steps)))
    return score, log_probability


def obeys(tokens: tuple[int, ...], options: Options) -> bool:
    n = options.no_repeat_ngram
    ngrams = [tokens[i : i + n] for i in range(len(tokens) - n + 1)] if n else []
    return len(set(ngrams)) == len(ngrams) and not set(tokens) & set(options.forbidden)


def exhaustive(
    toy: Toy, example: int, longest: int, options: Options
) -> list[tuple[float, float, list[int]]]:
    """Every sequence that keeps to the rules, best first."""
    found = []
    for length in range(min(options.min_length, longest), longest + 1):
        for tokens in product(range(1, toy.vocabulary), repeat=length):
            if obeys(tokens, options):
                found.append((*final_score(toy, example, tokens, options), list(tokens)))
    return sorted(found, key=lambda row: -row[0])


def plain_beam(
    toy: Toy, example: int, longest: int, options: Options, size: int
) -> list[tuple[float, float, list[int]]]:
    """A beam search on lists that never stops early."""
    live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    found = []
    for length in range(longest + 1):
        candidates = []
        for score, tokens in live:
            row, _ = list(toy.path(example, tokens))[-1]
            for token in range(toy.vocabulary):
                may_end = length == longest or length >= options.min_length
                legal = may_end if token == END else length < longest and obeys((*tokens, token), options)
                if legal:
                    candidates.append((score + row[token], (*tokens, token)))
        best = sorted(candidates, key=lambda candidate: -candidate[0])[:size]
        live = [(score, tokens) for score, tokens in best if tokens[-1] != END]
        for _, tokens in best:
            if tokens[-1] == END:
                found.append((*final_score(toy, example, tokens[:-1], options), list(tokens[:-1])))
    return sorted(found, key=lambda row: -row[0])


def search(toy: Toy, max_length: int | Tensor, options: Options, **keywords: int) -> list[list]:
    return beam_search(
        toy.step,
        toy.begin(),
        torch.full((len(toy.table),), START),
        end=END,
        max_length=max_length,
        source_lengths=toy.source_lengths,
        alpha=options.alpha,
        beta=options.beta,
        min_length=options.min_length,
        no_repeat_ngram=options.no_repeat_ngram,
        forbidden=options.forbidden,
        **keywords,
    )


def assert_same(found: list, expected: list[tuple[float, float, list[int]]]) -> None:
    """The same hypotheses in the same order; where scores agree to rounding, either order."""
    assert [h.score for h in found] == pytest.approx([score for score, _, _ in expected], abs=1e-4)
    for rank, hypothesis in enumerate(found):
        equals = [row for row in expected if abs(row[0] - hypothesis.score) < 2e-4]
        matches = [row for row in equals if row[2] == hypothesis.tokens]
        # the last may be as good as one that was left out
        assert matches or (rank == len(found) - 1 and equals), hypothesis
        for _, log_probability, _ in matches:
            assert hypothesis.log_probability == pytest.approx(log_probability, abs=1e-4)


option_sets = st.builds(
    Options,
    alpha=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
    beta=st.sampled_from([0.0, 0.2, 1.0]),
    min_length=st.integers(0, 3),
    no_repeat_ngram=st.integers(0, 3),
    forbidden=st.sampled_from([(), (2,), (1, 3)]),
)
seeds = st.integers(0, 10_000)


@few
@given(seeds, option_sets, st.lists(st.integers(0, 4), min_size=1, max_size=3), st.sampled_from([1, 3, 200]))
def test_a_wide_beam_equals_exhaustive_search(
    seed: int, options: Options, limits: list[int], n_best: int
) -> None:
    toy = Toy.random(seed, vocabulary=4, source_lengths=[2 + i for i in range(len(limits))])
    found = search(toy, torch.tensor(limits), options, beam_size=200, n_best=n_best)
    assert len(found) == len(limits)
    for example, hypotheses in enumerate(found):
        assert_same(hypotheses, exhaustive(toy, example, limits[example], options)[:n_best])


@few
@given(seeds, option_sets, st.integers(0, 7), st.integers(1, 4), st.sampled_from([6, 200]), st.data())
def test_stopping_early_loses_nothing(
    seed: int, options: Options, longest: int, beam_size: int, vocabulary: int, data: st.DataObject
) -> None:
    n_best = data.draw(st.integers(1, beam_size))
    toy = Toy.random(seed, vocabulary, source_lengths=[3])
    [found] = search(toy, longest, options, beam_size=beam_size, n_best=n_best)
    assert_same(found, plain_beam(toy, 0, longest, options, beam_size)[:n_best])


@few
@given(seeds, option_sets, st.lists(st.integers(0, 9), min_size=2, max_size=5), st.integers(1, 4))
def test_a_batch_gives_what_its_examples_give_one_by_one(
    seed: int, options: Options, limits: list[int], beam_size: int
) -> None:
    toy = Toy.random(seed, vocabulary=7, source_lengths=[1 + (i * 2) % 5 for i in range(len(limits))])
    together = search(toy, torch.tensor(limits), options, beam_size=beam_size, n_best=beam_size)
    for example, limit in enumerate(limits):
        one = toy.alone(example)
        begin = (torch.tensor([[example + 1]]), torch.zeros(1, 2))
        [apart] = beam_search(
            one.step,
            begin,
            torch.tensor([START]),
            end=END,
            max_length=limit,
            beam_size=beam_size,
            n_best=beam_size,
            source_lengths=one.source_lengths,
            **vars(options),
        )
        assert [h.tokens for h in together[example]] == [h.tokens for h in apart]
        assert [h.log_probability for h in together[example]] == [h.log_probability for h in apart]
        assert [h.score for h in together[example]] == pytest.approx([h.score for h in apart], abs=1e-5)
        width = int(toy.source_lengths[example])
        for batched, single in zip(together[example], apart, strict=True):
            assert torch.equal(batched.attention[:, :width], single.attention)


@few
@given(seeds, st.integers(0, 12))
def test_a_beam_of_one_is_greedy(seed: int, longest: int) -> None:
    toy = Toy.random(seed, vocabulary=5, source_lengths=[2])
    tokens: tuple[int, ...] = ()
    while len(tokens) < longest:
        row, _ = list(toy.path(0, tokens))[-1]
        token = max(range(5), key=row.__getitem__)
        if token == END:
            break
        tokens += (token,)
    [[found]] = search(toy, longest, Options(alpha=1.0), beam_size=1)
    assert tuple(found.tokens) == tokens


@few
@given(seeds, st.integers(0, 4))
def test_attention_has_the_row_each_token_was_predicted_with(seed: int, longest: int) -> None:
    toy = Toy.random(seed, vocabulary=4, source_lengths=[3, 2])
    for example, hypotheses in enumerate(search(toy, longest, Options(), beam_size=20, n_best=20)):
        for hypothesis in hypotheses:
            expected = [row for _, row in toy.path(example, tuple(hypothesis.tokens))][:-1]
            assert hypothesis.attention.shape == (len(hypothesis.tokens), 3)
            assert hypothesis.attention.tolist() == expected


@few
@given(seeds, st.sampled_from([0.0, 0.8]), st.integers(0, 2))
def test_without_an_end_every_sequence_has_max_length(seed: int, alpha: float, ngram: int) -> None:
    options = Options(alpha=alpha, no_repeat_ngram=ngram)
    toy = Toy.random(seed, vocabulary=3, source_lengths=[2, 2])
    limits = torch.tensor([3, 2])
    found = beam_search(
        toy.step, toy.begin(), torch.full((2,), START), end=None, max_length=limits, beam_size=27, n_best=4,
        alpha=alpha, no_repeat_ngram=ngram,
    )  # fmt: skip
    for example, longest in enumerate(limits.tolist()):
        sequences = [tokens for tokens in product(range(3), repeat=longest) if obeys(tokens, options)]
        scored = [(*final_score(toy, example, t, options, ended=False), list(t)) for t in sequences]
        assert_same(found[example], sorted(scored, key=lambda row: -row[0])[:4])


def test_length_penalty_by_hand() -> None:
    found = length_penalty(torch.tensor([1, 7, 13]), 2.0)
    assert found.tolist() == pytest.approx([1.0, 4.0, 9.0])
    assert length_penalty(torch.tensor([3, 30]), 0.0).tolist() == [1.0, 1.0]


def test_coverage_penalty_by_hand() -> None:
    coverage = torch.tensor([[0.5, 0.25, 3.0, 0.0], [1.0, 0.1, 0.0, 0.0]])
    found = coverage_penalty(coverage, torch.tensor([3, 2]))
    assert found.tolist() == pytest.approx([math.log(0.125), math.log(0.1)])


def test_a_source_word_without_any_attention_costs_more_than_one_with_little() -> None:
    nothing, little = coverage_penalty(
        torch.tensor([[1.0, 0.0], [1.0, 1e-30]]), torch.tensor([2, 2])
    ).tolist()
    assert -math.inf < nothing < little


def markov(probabilities: list[list[float]]) -> Callable:
    table = torch.tensor(probabilities).log()

    def step(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        return table[tokens], None, state

    return step


def test_scores_by_hand() -> None:
    # From 0: "1 end" has probability 0.6 * 0.5, "2 end" 0.4 * 0.9.
    step = markov([[0.0, 0.6, 0.4], [0.5, 0.0, 0.5], [0.9, 0.1, 0.0]])
    [found] = beam_search(step, (), torch.tensor([0]), end=0, max_length=1, beam_size=4, n_best=2, alpha=1.0)
    assert [h.tokens for h in found] == [[2], [1]]
    assert [h.log_probability for h in found] == pytest.approx([math.log(0.36), math.log(0.3)])
    assert [h.score for h in found] == pytest.approx([math.log(0.36) * 6 / 7, math.log(0.3) * 6 / 7])
    assert found[0].attention is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_numbers_of_another_type_are_scored_alike(dtype: torch.dtype) -> None:
    # "1 end" has probability 0.5 * 0.25; its coverage is 1 and 0.5.
    table = torch.tensor([[0.5, 0.5], [0.25, 0.75]], dtype=dtype).log()

    def step(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        return table[tokens], torch.tensor([[0.5, 0.25]], dtype=dtype).expand(len(tokens), 2), state

    [[found]] = beam_search(
        step,
        (),
        torch.tensor([0]),
        end=0,
        max_length=1,
        min_length=1,
        beta=0.5,
        source_lengths=torch.tensor([2]),
    )
    assert found.tokens == [1]
    assert found.score == pytest.approx(math.log(0.125) + 0.5 * math.log(0.5), rel=1e-2)


def test_length_normalisation_can_prefer_the_longer() -> None:
    # "end": log 0.3 = -1.204. "1 1 1 end": log(0.343 * 0.3) = -2.274, with alpha 2 divided by (9 / 6) ** 2.
    step = markov([[0.3, 0.7], [0.3, 0.7]])
    plain, normalised = (
        beam_search(step, (), torch.tensor([0]), end=0, max_length=3, beam_size=2, alpha=alpha)[0][0]
        for alpha in (0.0, 2.0)
    )
    assert plain.tokens == []
    assert normalised.tokens == [1, 1, 1]
    assert normalised.score == pytest.approx(-2.274 / 2.25, abs=1e-3)


def test_the_end_at_max_length_costs_what_it_costs() -> None:
    step = markov([[0.01, 0.99], [0.01, 0.99]])
    [[found]] = beam_search(step, (), torch.tensor([0]), end=0, max_length=2, beam_size=1)
    assert found.tokens == [1, 1]
    assert found.log_probability == pytest.approx(2 * math.log(0.99) + math.log(0.01))


def test_max_length_holds_where_it_is_below_min_length() -> None:
    step = markov([[0.5, 0.5], [0.5, 0.5]])
    found = beam_search(
        step, (), torch.tensor([0, 0]), end=0, max_length=torch.tensor([1, 5]), min_length=3, beam_size=2
    )
    assert [best[0].tokens for best in found] == [[1], [1, 1, 1]]


@pytest.mark.parametrize("vocabulary", [3, 1000])
def test_of_equals_the_first_wins(vocabulary: int) -> None:
    # All tokens are equally likely. The beam of 3 keeps end, 1, 2; then "1 end", "1 1", "1 2".
    def step(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        return torch.full((len(tokens), vocabulary), -math.log(vocabulary)), None, state

    [found] = beam_search(step, (), torch.tensor([0]), end=0, max_length=5, beam_size=3, n_best=3)
    assert [h.tokens for h in found] == [[], [1], [1, 1]]
    [found] = beam_search(step, (), torch.tensor([0]), end=None, max_length=2, beam_size=3, n_best=3)
    assert [h.tokens for h in found] == [[0, 0], [0, 1], [0, 2]]


@few
@given(seeds, st.integers(1, 600), st.integers(1, 40), st.integers(1, 6))
def test_of_some_that_are_equal_the_first_wins(
    seed: int, vocabulary: int, different: int, beam_size: int
) -> None:
    # Whole numbers are summed exactly; of them all there are few, so that many sequences are equally good.
    generator = torch.Generator().manual_seed(seed)
    table = -torch.randint(different, (vocabulary, vocabulary), generator=generator).float()
    scores = table.tolist()

    def step(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        return table[tokens], None, state

    first = sorted(range(vocabulary), key=lambda token: -scores[0][token])[:beam_size]
    pairs = [(scores[0][one] + scores[one][two], [one, two]) for one in first for two in range(vocabulary)]
    expected = sorted(pairs, key=lambda pair: -pair[0])[:beam_size]
    [found] = beam_search(
        step, (), torch.tensor([0]), end=None, max_length=2, beam_size=beam_size, n_best=beam_size
    )
    assert [(h.log_probability, h.tokens) for h in found] == expected


def test_where_nothing_is_possible_there_is_no_hypothesis() -> None:
    step = markov([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    found = beam_search(
        step, (), torch.tensor([0, 1]), end=0, max_length=4, beam_size=2, n_best=2, forbidden=[1]
    )
    assert [[h.tokens for h in best] for best in found] == [[], [[]]]


def test_an_example_leaves_the_batch_as_soon_as_it_is_settled() -> None:
    # Example 0 ends at once with 0.99; example 1 must wait for its third token.
    tables = torch.tensor([[[0.99, 0.01]] * 4, [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]]).log()
    calls = []

    def step(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        calls.append(examples.tolist())
        rows, position = rows_of(examples, tokens), state[0][:, 0].clamp(max=3)
        return tables[rows, position], None, (state[0] + 1,)

    start, state = torch.tensor([0, 0]), (torch.zeros(2, 1, dtype=torch.long),)
    found = beam_search(step, state, start, end=0, max_length=1000, beam_size=2)
    assert [best[0].tokens for best in found] == [[], [1, 1, 1]]
    assert calls == [[0, 1], [1], [1], [1]]


def test_a_hypothesis_that_cannot_become_the_best_is_given_up() -> None:
    # 1, 2 and 3 have 0.5, 0.4 and 0.1; then "2 1" 0.36, "1 end" 0.3 and "1 1" 0.2, which is below the end's.
    # "2 1 end" has 0.216 and "2 1 1" 0.144. Where two are wanted, all but what has ended is read on.
    step = markov([[0.0, 0.5, 0.4, 0.1], [0.6, 0.4, 0.0, 0.0], [0.0, 0.9, 0.1, 0.0], [0.25] * 4])
    read = []

    def watched(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        read.append(tokens.tolist())
        return step(tokens, state, examples)

    start = torch.tensor([0])
    [found] = beam_search(watched, (), start, end=0, max_length=9, beam_size=3)
    assert [h.tokens for h in found] == [[1]]
    assert read == [[0], [1, 2, 3], [1]]
    read.clear()
    [found] = beam_search(watched, (), start, end=0, max_length=9, beam_size=3, n_best=2)
    assert [h.tokens for h in found] == [[1], [2, 1]]
    assert read == [[0], [1, 2, 3], [1, 1]]


def test_no_repeated_bigram_by_hand() -> None:
    # Unhindered the best is 1 1 1 1; after "1 1" comes 2 (0.2), after "1 1 2" the bigrams "2 1" and "2 2".
    step = markov([[0.0, 0.9, 0.1], [0.1, 0.7, 0.2], [0.1, 0.6, 0.3]])
    [[free]] = beam_search(step, (), torch.tensor([0]), end=0, max_length=4, min_length=4, beam_size=1)
    [[ruled]] = beam_search(
        step, (), torch.tensor([0]), end=0, max_length=4, min_length=4, beam_size=1, no_repeat_ngram=2
    )
    assert free.tokens == [1, 1, 1, 1]
    assert ruled.tokens == [1, 1, 2, 1]


def test_each_example_starts_from_its_own_token() -> None:
    step = markov([[0.0, 0.9, 0.1], [0.1, 0.1, 0.8], [0.9, 0.05, 0.05]])
    found = beam_search(step, (), torch.tensor([0, 1, 2]), end=0, max_length=5, beam_size=1)
    assert [best[0].tokens for best in found] == [[1, 2], [2], []]


def test_nothing_of_the_step_is_changed_and_nothing_is_differentiated() -> None:
    logits = torch.zeros(3, requires_grad=True)
    given_out = []

    def step(tokens: Tensor, state: tuple[Tensor, ...], examples: Tensor) -> tuple:
        assert not torch.is_grad_enabled()
        given_out.append(logits.log_softmax(0).expand(len(tokens), 3).clone())
        return given_out[-1], None, state

    beam_search(step, (), torch.tensor([0]), end=0, max_length=3, min_length=2, forbidden=[2], beam_size=2)
    assert all(torch.equal(row, torch.full_like(row, -math.log(3))) for row in given_out)


def test_an_empty_batch() -> None:
    assert beam_search(markov([[1.0]]), (), torch.empty(0, dtype=torch.long), end=0, max_length=3) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"n_best": 0}, "n_best"),
        ({"n_best": 3, "beam_size": 2}, "beam_size"),
        ({"alpha": -0.1}, "alpha"),
        ({"beta": -0.1}, "beta"),
        ({"beta": 0.1}, "source_lengths"),
        ({"beta": 0.1, "source_lengths": torch.tensor([1])}, "attention"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram"),
        ({"max_length": -1}, "max_length"),
        ({"max_length": 0, "end": None}, "max_length"),
    ],
)
def test_options_out_of_range_are_refused_by_name(options: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        beam_search(markov([[1.0]]), (), torch.tensor([0]), **{"end": 0, "max_length": 2, **options})
