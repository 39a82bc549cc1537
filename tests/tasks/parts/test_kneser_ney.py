"""The count model against the paper's formulas, written here once more over dictionaries and recursion."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rnnx.core.errors import UsageError
from rnnx.tasks.parts.kneser_ney import FALLBACK_DISCOUNTS, KneserNey, modified_discounts

Gram = tuple[int | str, ...]


class PaperKneserNey:
    """Chen & Goodman (1999), equation 26 and the text around it, over dictionaries, word by word."""

    def __init__(self, stream: Sequence[int], vocabulary_size: int, order: int) -> None:
        self.vocabulary_size = vocabulary_size
        padded: Gram = ("start",) * (order - 1) + tuple(stream)
        ends = range(order, len(padded) + 1)
        self.counts: dict[int, dict[Gram, int]] = {order: Counter(padded[end - order : end] for end in ends)}
        for k in range(1, order):
            left: dict[Gram, set[int | str]] = defaultdict(set)
            for end in ends:
                left[padded[end - k : end]].add(padded[end - k - 1])
            self.counts[k] = {gram: len(words) for gram, words in left.items()}
        self.discounts = {k: self.estimate(list(counts.values())) for k, counts in self.counts.items()}

    @staticmethod
    def estimate(counts: list[int]) -> tuple[float, float, float]:
        n = {k: counts.count(k) for k in range(1, 5)}
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            d1, d2, d3 = 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]
            if 0 < d1 <= 1 and 0 < d2 <= 2 and 0 < d3 <= 3:
                return d1, d2, d3
        return 0.5, 1.0, 1.5

    def probability(self, word: int, history: tuple[int, ...]) -> float:
        k = len(history) + 1
        lower = self.probability(word, history[1:]) if history else 1 / self.vocabulary_size
        followers = {gram[-1]: count for gram, count in self.counts[k].items() if gram[:-1] == history}
        if not followers:
            return lower
        total = sum(followers.values())
        freed = sum(self.discount(k, count) for count in followers.values())
        count = followers.get(word, 0)
        return (count - self.discount(k, count)) / total + freed / total * lower

    def discount(self, k: int, count: int) -> float:
        return self.discounts[k][min(count, 3) - 1] if count else 0.0

    def log_probabilities(self, stream: Sequence[int], context: Sequence[int]) -> list[float]:
        text, longest = tuple(context) + tuple(stream), max(self.counts) - 1
        places = range(len(context), len(text))
        return [math.log(self.probability(text[i], text[max(0, i - longest) : i])) for i in places]


def fitted(stream: Sequence[int] | Tensor, vocabulary_size: int, order: int) -> KneserNey:
    model = KneserNey(vocabulary_size, order=order)
    model.fit(torch.as_tensor(stream))
    return model


def skewed_stream(length: int, vocabulary_size: int, seed: int) -> Tensor:
    weights = 1 / torch.arange(1.0, vocabulary_size + 1)
    return torch.multinomial(weights, length, replacement=True, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("times_seen", "expected"),
    [
        ({1: 12, 2: 6, 3: 3, 4: 1, 9: 5}, (1 / 2, 5 / 4, 7 / 3)),  # Y = 1/2
        ({1: 12, 2: 2, 3: 1}, (3 / 4, 7 / 8, 3)),  # Y = 3/4, n4 = 0: D3 is the whole count, still allowed
        ({1: 12, 2: 2, 3: 1, 4: 1}, FALLBACK_DISCOUNTS),  # D3 = 3 - 4 (3/4) = 0
        ({1: 6, 2: 1, 3: 1}, FALLBACK_DISCOUNTS),  # D2 = 2 - 3 (3/4) < 0
        ({2: 6, 3: 3, 4: 1}, FALLBACK_DISCOUNTS),  # n1 = 0
        ({1: 6, 3: 3, 4: 1}, FALLBACK_DISCOUNTS),  # n2 = 0
        ({1: 6, 2: 3, 4: 1}, FALLBACK_DISCOUNTS),  # n3 = 0
    ],
)
def test_discounts_by_hand(times_seen: dict[int, int], expected: tuple[float, ...]) -> None:
    counts = torch.tensor([count for count, grams in times_seen.items() for _ in range(grams)])
    assert modified_discounts(counts) == pytest.approx(expected, abs=1e-12)


def test_fallback_discounts_are_kenlms() -> None:
    assert FALLBACK_DISCOUNTS == (0.5, 1.0, 1.5)


def test_unigrams_by_hand() -> None:
    """Y = 1/2 and D = (1/2, 1, 2): the discounts free 6/2 + 3 + 2 * 2 + 2 = 12 of the 22 counts."""
    words_of_count = [1] * 6 + [2] * 3 + [3] * 2 + [4]
    stream = [word for word, count in enumerate(words_of_count) for _ in range(count)]
    model = fitted(stream, 14, order=1)
    uniform = 12 / 22 / 14
    discounted = [0.5 / 22] * 6 + [1 / 22] * 3 + [1 / 22] * 2 + [2 / 22] + [0, 0]
    expected = torch.tensor(discounted, dtype=torch.float64) + uniform
    torch.testing.assert_close(model.log_probabilities_next().exp(), expected)
    assert model.discounts == [pytest.approx((0.5, 1, 2))]


def test_bigrams_by_hand() -> None:
    """Too few counts, so D = (1/2, 1, 3/2); 0 follows two others (the start and 1), 1 and 2 follow only 0."""
    model = fitted([0, 1, 0, 1, 0, 2], 3, order=2)
    unigrams = [1 / 4 + 1 / 2 / 3, 1 / 8 + 1 / 2 / 3, 1 / 8 + 1 / 2 / 3]
    first = model.log_probabilities_next().exp()
    torch.testing.assert_close(first, torch.tensor(unigrams, dtype=torch.float64))
    after_zero = [
        (0 + 3 / 2 * unigrams[0]) / 3,  # 0 1 twice, 0 2 once: 1 + 1/2 of 3 counts are freed
        (1 + 3 / 2 * unigrams[1]) / 3,
        (1 / 2 + 3 / 2 * unigrams[2]) / 3,
    ]
    after = model.log_probabilities_next(torch.tensor([0])).exp()
    torch.testing.assert_close(after, torch.tensor(after_zero, dtype=torch.float64))
    after_end = model.log_probabilities_next(torch.tensor([2])).exp()  # nothing ever follows 2
    torch.testing.assert_close(after_end, torch.tensor(unigrams, dtype=torch.float64))


@given(data=st.data(), vocabulary_size=st.integers(1, 5), order=st.integers(1, 5))
def test_equals_the_paper_on_random_streams(data: st.DataObject, vocabulary_size: int, order: int) -> None:
    words = st.integers(0, vocabulary_size - 1)
    train = data.draw(st.lists(words, min_size=1, max_size=60))
    text, context = data.draw(st.lists(words, max_size=12)), data.draw(st.lists(words, max_size=7))
    scores = fitted(train, vocabulary_size, order).log_probabilities(
        torch.tensor(text, dtype=torch.int64), torch.tensor(context, dtype=torch.int64)
    )
    expected = PaperKneserNey(train, vocabulary_size, order).log_probabilities(text, context)
    assert scores.tolist() == pytest.approx(expected, abs=1e-10)


def test_equals_the_paper_where_every_order_has_its_own_discounts() -> None:
    train, text = skewed_stream(3000, 400, seed=0), skewed_stream(60, 400, seed=1)
    model, paper = fitted(train, 400, order=3), PaperKneserNey(train.tolist(), 400, order=3)
    assert FALLBACK_DISCOUNTS not in paper.discounts.values()
    assert len(set(paper.discounts.values())) == 3
    for k, discounts in enumerate(model.discounts, start=1):
        assert discounts == pytest.approx(paper.discounts[k], abs=1e-12)
    expected = paper.log_probabilities(text.tolist(), [])
    assert model.log_probabilities(text).tolist() == pytest.approx(expected, abs=1e-10)


def test_histories_beyond_the_range_of_int64() -> None:
    """(2^20)^8 keys would not fit into 64 bits; only the highest tokens are used, so that they would wrap."""
    vocabulary_size, order = 2**20, 8
    train = vocabulary_size - 1 - skewed_stream(300, 4, seed=0)
    text = vocabulary_size - 1 - skewed_stream(50, 5, seed=1)
    expected = PaperKneserNey(train.tolist(), vocabulary_size, order).log_probabilities(text.tolist(), [])
    scores = fitted(train, vocabulary_size, order).log_probabilities(text)
    assert scores.tolist() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("length", [1, 2, 40, 3000])
def test_probabilities_sum_to_one_after_every_context(length: int) -> None:
    """The last of the 6 words is never trained on; contexts are shorter and longer than the model uses."""
    model = fitted(skewed_stream(length, 5, seed=2), 6, order=3)
    for size in range(4):
        for context in itertools.product(range(6), repeat=size):
            history = torch.tensor(context, dtype=torch.int64)
            one_by_one = torch.cat([model.log_probabilities(torch.tensor([w]), history) for w in range(6)])
            assert float(one_by_one.exp().sum()) == pytest.approx(1, abs=1e-12)
            assert (one_by_one > -math.inf).all()
            torch.testing.assert_close(model.log_probabilities_next(history), one_by_one)


def test_every_token_is_scored_once_however_the_text_is_cut() -> None:
    model, text = fitted(skewed_stream(500, 8, seed=3), 8, order=4), skewed_stream(30, 8, seed=4)
    whole = model.log_probabilities(text)
    assert whole.shape == text.shape
    for cut in range(len(text) + 1):
        pieces = [model.log_probabilities(text[:cut]), model.log_probabilities(text[cut:], text[:cut])]
        torch.testing.assert_close(torch.cat(pieces), whole)


def test_first_token_does_not_know_where_the_training_stream_began() -> None:
    model = fitted([3, 0, 1, 0, 1, 0, 2], 4, order=3)
    unigrams = PaperKneserNey([3, 0, 1, 0, 1, 0, 2], 4, order=3)
    expected = [math.log(unigrams.probability(word, ())) for word in range(4)]
    assert model.log_probabilities_next().tolist() == pytest.approx(expected, abs=1e-12)


def test_a_second_fit_forgets_the_first() -> None:
    model = fitted([0, 0, 1, 0, 0, 1], 3, order=3)
    model.fit(torch.tensor([2, 1, 2, 2, 1]))
    expected = fitted([2, 1, 2, 2, 1], 3, order=3).log_probabilities_next(torch.tensor([2]))
    torch.testing.assert_close(model.log_probabilities_next(torch.tensor([2])), expected, rtol=0, atol=0)


def test_without_counts_every_token_is_as_likely() -> None:
    probabilities = KneserNey(4).log_probabilities(torch.tensor([0, 3])).tolist()
    assert probabilities == pytest.approx([math.log(1 / 4)] * 2)


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="order: expected at least 1, got 0"):
        KneserNey(3, order=0)
    model = fitted([0, 1, 2], 3, order=2)
    with pytest.raises(ValueError, match="at least one token"):
        model.fit(torch.tensor([], dtype=torch.int64))
    with pytest.raises(ValueError, match=r"0\.\.2, got 3"):
        model.fit(torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"0\.\.2, got -1"):
        model.log_probabilities(torch.tensor([0]), torch.tensor([-1]))
    with pytest.raises(ValueError, match=r"shape \(T,\), got \(1, 2\)"):
        model.log_probabilities(torch.tensor([[0, 1]]))
