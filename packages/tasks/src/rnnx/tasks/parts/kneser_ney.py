"""Chen & Goodman, "An empirical study of smoothing techniques for language modeling", 1999: Kneser-Ney."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from rnnx.core.errors import UsageError

Discounts = tuple[float, float, float]
FALLBACK_DISCOUNTS: Discounts = (0.5, 1.0, 1.5)  # those of KenLM; see `modified_discounts`


@final
class KneserNey:
    """An interpolated n-gram count model with modified Kneser-Ney smoothing, over one long stream of tokens.

    With ``h`` the last ``k - 1`` tokens and ``h'`` the same without its oldest token::

        p_k(w | h) = (c(h w) - D(c(h w))) / sum_v c(h v)  +  backoff(h) p_{k-1}(w | h')
        backoff(h) = (D1 N1(h .) + D2 N2(h .) + D3 N3+(h .)) / sum_v c(h v)
        p_0(w)     = 1 / V

    The highest order counts how often ``h w`` occurs, every lower order how many different tokens precede it
    (the start of the training stream is one of them). Each order has its own three discounts
    (:func:`modified_discounts`). Where ``h`` was never seen, ``p_k = p_{k-1}``. So the probabilities of the
    ``V`` tokens sum to 1 after every context and none of them is 0.

    Tensors are on the CPU; probabilities are float64. Before :meth:`fit` every token has ``1 / V``.

    Args:
        vocabulary_size: ``V``; tokens are integers from 0 to ``V - 1``.
        order: Length of the longest n-gram that is counted; 1 is a unigram model.

    Raises:
        UsageError: ``order`` is less than 1.

    Example:
        >>> model = KneserNey(3, order=2)
        >>> model.fit(torch.tensor([0, 1, 0, 1, 0, 2]))
        >>> model.log_probabilities(torch.tensor([0, 1])).exp()
        tensor([0.4167, 0.4792], dtype=torch.float64)
        >>> model.log_probabilities_next(torch.tensor([0])).exp()
        tensor([0.2083, 0.4792, 0.3125], dtype=torch.float64)
    """

    def __init__(self, vocabulary_size: int, *, order: int = 5) -> None:
        if order < 1:
            raise UsageError(f"order: expected at least 1, got {order}")
        self.vocabulary_size = vocabulary_size
        self.order = order
        self._start = vocabulary_size  # the symbol before the training stream
        self._unknown = vocabulary_size + 1  # the symbol before a text without context; never in training
        self._radix = vocabulary_size + 2
        self._levels: list[_Level] = []

    @property
    def discounts(self) -> list[Discounts]:
        """``(D1, D2, D3+)`` of each order, the unigrams first; empty before :meth:`fit`."""
        return [level.discounts for level in self._levels]

    @property
    def size(self) -> int:
        """How many n-grams of all orders were seen in training."""
        return sum(len(level.grams) for level in self._levels)

    def fit(self, tokens: Tensor) -> None:
        """Counts one stream of tokens; an earlier fit is forgotten.

        Args:
            tokens: ``(T,)``, int64, ``T`` at least 1.

        Raises:
            ValueError: ``tokens`` is empty, not one-dimensional, or holds a token outside the vocabulary.
        """
        self._check(tokens)
        if not len(tokens):
            raise ValueError("an n-gram model needs at least one token to count, got none")
        contexts, ids = self._number_contexts(self._histories(tokens, self._start))
        grams, counts = torch.unique(ids * self.vocabulary_size + tokens, return_counts=True)
        levels = [_Level.from_counts(contexts[-1], grams, counts, self.vocabulary_size)]
        for longer, shorter in zip(reversed(contexts[1:]), reversed(contexts[:-1]), strict=True):
            context, word = grams // self.vocabulary_size, grams % self.vocabulary_size
            suffixes = longer[context] // self._radix * self.vocabulary_size + word
            grams, counts = torch.unique(suffixes, return_counts=True)
            levels.append(_Level.from_counts(shorter, grams, counts, self.vocabulary_size))
        self._levels = levels[::-1]

    def log_probabilities(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """The natural-log probability of every token given up to ``order - 1`` tokens before it.

        Args:
            tokens: ``(T,)``, int64.
            context: ``(C,)``, what comes before ``tokens``; None: nothing is known, so that the first token
                is scored by the unigrams, the second by the bigrams, and so on.

        Returns:
            ``(T,)``, float64, each token scored once.

        Raises:
            ValueError: A tensor is not one-dimensional or holds a token outside the vocabulary.
        """
        self._check(tokens)
        return self._score(self._histories(tokens, self._unknown, context), tokens)

    def log_probabilities_next(self, context: Tensor | None = None) -> Tensor:
        """The natural-log probability of each token of the vocabulary after one context.

        Args:
            context: ``(C,)``, int64, of which the last ``order - 1`` count; None: nothing is known.

        Returns:
            ``(V,)``, float64; the exponentials sum to 1.

        Raises:
            ValueError: ``context`` is not one-dimensional or holds a token outside the vocabulary.
        """
        words = torch.arange(self.vocabulary_size)
        history = self._histories(words[:1], self._unknown, context)
        return self._score(history.expand(self.vocabulary_size, -1), words)

    def _check(self, tokens: Tensor) -> None:
        if tokens.ndim != 1:
            raise ValueError(f"tokens must have shape (T,), got {tuple(tokens.shape)}")
        outside = tokens[(tokens < 0) | (tokens >= self.vocabulary_size)]
        if len(outside):
            raise ValueError(f"tokens must lie in 0..{self.vocabulary_size - 1}, got {int(outside[0])}")

    def _histories(self, tokens: Tensor, padding: int, context: Tensor | None = None) -> Tensor:
        """The ``order - 1`` symbols before each token, the oldest first: ``(T, order - 1)``, a view."""
        pad = torch.full((self.order - 1,), padding)
        if context is not None:
            self._check(context)
            pad = torch.cat([pad, context])[len(context) :]
        return torch.cat([pad, tokens]).unfold(0, self.order - 1, 1)[: len(tokens)]

    def _number_contexts(self, histories: Tensor) -> tuple[list[Tensor], Tensor]:
        """Numbers the different contexts of each length; keys stay below ``T x (V + 2)`` at any order.

        The key of a context is ``(number of the context without its oldest symbol) x radix + oldest symbol``,
        its number the rank of that key among the keys of its length. The empty context has key and number 0.

        Returns:
            The sorted keys of each length from 0 to ``order - 1``, and ``(T,)``, the number of the longest
            context of each token.
        """
        ids = torch.zeros(len(histories), dtype=torch.int64)
        keys = [ids.new_zeros(1)]
        for symbols in histories.flip(1).unbind(1):
            distinct, ids = torch.unique(ids * self._radix + symbols, return_inverse=True)
            keys.append(distinct)
        return keys, ids

    def _score(self, histories: Tensor, words: Tensor) -> Tensor:
        probabilities = torch.full((len(words),), 1 / self.vocabulary_size, dtype=torch.float64)
        ids = torch.zeros_like(words)
        newest_first = [torch.zeros_like(words), *histories.flip(1).unbind(1)]
        for level, symbols in zip(self._levels, newest_first, strict=False):
            ids = _rank(level.contexts, ids * self._radix + symbols)
            grams = _rank(level.grams, ids * self.vocabulary_size + words)
            probabilities = level.discounted[grams] + level.backoff[ids] * probabilities
        return probabilities.log()


@final
@dataclass(frozen=True)
class _Level:
    """The n-grams of one order, sorted by their keys ``number of the context x V + word``.

    The last entry of ``discounted`` and of ``backoff`` is the one of whatever was never seen (rank -1).
    """

    contexts: Tensor  # (C,)
    grams: Tensor  # (G,)
    discounted: Tensor  # (G + 1,)
    backoff: Tensor  # (C + 1,)
    discounts: Discounts

    @classmethod
    def from_counts(cls, contexts: Tensor, grams: Tensor, counts: Tensor, vocabulary_size: int) -> _Level:
        discounts = modified_discounts(counts)
        context = grams // vocabulary_size
        totals = torch.zeros(len(contexts), dtype=torch.float64).index_add_(0, context, counts.double())
        discount = torch.tensor(discounts, dtype=torch.float64)[counts.clamp(max=3) - 1]
        freed = torch.zeros_like(totals).index_add_(0, context, discount)
        discounted = (counts - discount) / totals[context]
        never, wholly = totals.new_zeros(1), totals.new_ones(1)
        backoff = torch.cat([freed / totals, wholly])
        return cls(contexts, grams, torch.cat([discounted, never]), backoff, discounts)


def modified_discounts(counts: Tensor) -> Discounts:
    """The discounts of n-grams seen once, twice, and three times or more (Chen & Goodman 1999, equation 26).

    With ``n_i`` the number of n-grams seen exactly ``i`` times and ``Y = n1 / (n1 + 2 n2)``::

        D_k = k - (k + 1) Y n_{k+1} / n_k        for k = 1, 2, 3

    Small or artificial data leave a ``D_k`` undefined (``n_k = 0``) or outside ``0 < D_k <= k``. All three
    are then :data:`FALLBACK_DISCOUNTS` (0.5, 1, 1.5), those of KenLM's ``--discount_fallback``; 0 is
    refused as well, for it could leave nothing to an unseen n-gram.

    Args:
        counts: ``(G,)``, how often each n-gram was seen, at least 1.

    Example:
        >>> modified_discounts(torch.tensor([1] * 6 + [2] * 3 + [3] * 2 + [4]))  # Y = 1 / 2
        (0.5, 1.0, 2.0)
        >>> modified_discounts(torch.tensor([1, 1, 2]))  # none seen three times
        (0.5, 1.0, 1.5)
    """
    n = torch.bincount(counts.clamp(max=5), minlength=6).tolist()
    if not all(n[1:4]):
        return FALLBACK_DISCOUNTS
    y = n[1] / (n[1] + 2 * n[2])
    once, twice, more = (k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))
    valid = 0 < once <= 1 and 0 < twice <= 2 and 0 < more <= 3
    return (once, twice, more) if valid else FALLBACK_DISCOUNTS


def _rank(keys: Tensor, wanted: Tensor) -> Tensor:
    """The place of each wanted key among the sorted keys, and -1 for one that is not there."""
    places = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return places.where(keys[places] == wanted, -1)
