"""Batched beam search over any decoder that can make one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

import torch
from torch import Tensor

from rnnx.core.nets.padding import real_steps
from rnnx.core.state import State, select

IMPOSSIBLE = -torch.inf
BLOCK = 64  # scores whose largest is compared first


class Step(Protocol):
    """One step of a decoder for M hypotheses: all that a search or a sampler knows about a model.

    The hypotheses of one example stand side by side: the first K are those of the first of A examples, and M
    is A * K. So what all of them see, such as the encoder's outputs, need not be there once for each.
    """

    def __call__(
        self, tokens: Tensor, state: State, examples: Tensor, /
    ) -> tuple[Tensor, Tensor | None, State]:
        """Reads one token for each hypothesis and predicts the next.

        Args:
            tokens: ``(M,)``, the token each hypothesis produced last, or its start token.
            state: Tensors ``(M, size)``, the decoder's state before it reads ``tokens``.
            examples: ``(A,)``, which of the N examples, 0 to N - 1, are still searched, in their order; the
                same as in the step before, or some of them.

        Returns:
            The natural log-probabilities of the next token ``(M, V)``, none above 0; the attention it was
            predicted with ``(M, S)``, or None; and the state ``(M, size)`` after ``tokens``.
        """
        ...


@final
@dataclass(frozen=True)
class Hypothesis:
    """One finished sequence.

    Args:
        tokens: What was produced, without the start and without the end.
        score: What hypotheses are ranked by: ``log_probability / length_penalty + beta * coverage_penalty``.
        log_probability: The natural logarithm of the sequence's probability, its end included.
        attention: ``(U, S)``, one row for each of ``tokens``; None if the step gives none.
    """

    tokens: list[int]
    score: float
    log_probability: float
    attention: Tensor | None

    @property
    def is_aligned(self) -> bool:
        """Whether there is attention for a token at least."""
        return self.attention is not None and bool(self.tokens)


def length_penalty(length: Tensor, alpha: float) -> Tensor:
    """The divisor ``((5 + |Y|) / 6) ** alpha`` of Wu et al. 2016 (GNMT), equation 14.

    Args:
        length: |Y|, the end counted, of any shape.
        alpha: 0 gives 1 for every length.

    Example:
        >>> length_penalty(torch.tensor([1, 7]), 1.0)
        tensor([1., 2.])
    """
    return ((5.0 + length) / 6.0) ** alpha


def coverage_penalty(coverage: Tensor, lengths: Tensor) -> Tensor:
    """The sum over the source of ``log(min(coverage, 1))``: Wu et al. 2016 (GNMT), equation 14, with beta 1.

    Args:
        coverage: ``(M, S)``, the attention each source position got, summed over the steps.
        lengths: ``(M,)``, how many of the S positions are source; the rest is padding and costs nothing.

    Returns:
        ``(M,)``, at most 0 and always finite: coverage 0 counts as the smallest normal number of its type.

    Example:
        >>> coverage_penalty(torch.tensor([[2.0, 0.5, 0.0]]), torch.tensor([2]))
        tensor([-0.6931])
    """
    cost = coverage.clamp(torch.finfo(coverage.dtype).tiny, 1.0).log()
    return cost.masked_fill(~real_steps(coverage, lengths), 0.0).sum(1)


@torch.inference_mode()
def beam_search(
    step: Step,
    state: State,
    start: Tensor,
    *,
    end: int | None,
    max_length: int | Tensor,
    beam_size: int = 5,
    n_best: int = 1,
    alpha: float = 0.0,
    beta: float = 0.0,
    source_lengths: Tensor | None = None,
    min_length: int = 0,
    no_repeat_ngram: int = 0,
    forbidden: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """Finds the most probable sequences of each example.

    At every step the ``beam_size`` best extensions of an example's live hypotheses, by log-probability, are
    kept. Those that end are finished and no longer extended; the others live on. So a beam of 1 is greedy
    search, and a beam as wide as the number of sequences is exhaustive search.

    A live hypothesis is given up as soon as no continuation of it can enter its example's ``n_best``, and
    this is exact: with log-probability s now, none scores above ``s / length_penalty(longest)``, since a
    log-probability only falls, the divisor only rises and a coverage penalty is at most 0; and those it kept
    out of the beam have less. An example without a live hypothesis leaves the batch, and the step's
    ``examples`` no longer name it.

    A hypothesis of ``max_length`` tokens may only end, and pays for that end like any other. Of equal scores
    the first wins: the earlier finished, then the better parent, then the lower token.

    Args:
        step: The decoder.
        state: Tensors ``(N, size)``, the state of each example before it reads ``start``.
        start: ``(N,)``, the token each example is continued from: the begin token, or the last of a prompt.
        end: The token that ends a sequence; None if there is none, and then every sequence has exactly
            ``max_length`` tokens.
        max_length: The most tokens, the end not counted: one number, or ``(N,)``, one for each example.
        beam_size: How many hypotheses of an example are extended side by side.
        n_best: How many hypotheses to give for each example; at most ``beam_size``.
        alpha: Strength of the length normalisation, see :func:`length_penalty`; 0 for none.
        beta: Strength of the coverage penalty, see :func:`coverage_penalty`; 0 for none. It ranks finished
            hypotheses, the attention of the end included.
        source_lengths: ``(N,)``, how many positions of the attention are source; needed only for ``beta``.
        min_length: The fewest tokens, the end not counted; where ``max_length`` is less, that holds.
        no_repeat_ngram: No sequence of so many tokens occurs twice in a hypothesis; 0 for no such rule.
        forbidden: Tokens that are never produced.

    Returns:
        For each example its hypotheses, best first: ``n_best`` of them, or fewer (perhaps none) where the
        search met no more of probability above 0 that keep to the rules.

    Raises:
        ValueError: an option is out of its range, or ``beta`` lacks attention or ``source_lengths``.

    Example:
        >>> bigram = torch.tensor([[0.0, 0.6, 0.4], [0.5, 0.3, 0.2], [0.9, 0.1, 0.0]]).log()
        >>> def step(tokens, state, examples):
        ...     return bigram[tokens], None, state
        >>> [best] = beam_search(step, (), torch.tensor([0]), end=0, max_length=9, beam_size=3, n_best=2)
        >>> [(hypothesis.tokens, round(hypothesis.log_probability, 4)) for hypothesis in best]
        [([2], -1.0217), ([1], -1.204)]
    """
    limits = torch.as_tensor(max_length, device=start.device).expand(len(start))
    shortest = 1 if end is None else 0
    _require(n_best >= 1, f"n_best must be at least 1, not {n_best}")
    _require(beam_size >= n_best, f"beam_size must be at least n_best ({n_best}), not {beam_size}")
    _require(alpha >= 0, f"alpha must be at least 0, not {alpha}")
    _require(beta >= 0, f"beta must be at least 0, not {beta}")
    _require(beta == 0 or source_lengths is not None, "beta above 0 needs source_lengths")
    _require(no_repeat_ngram >= 0, f"no_repeat_ngram must be at least 0, not {no_repeat_ngram}")
    _require(bool((limits >= shortest).all()), f"max_length must be at least {shortest}")

    rules = _Rules(end, limits, min_length, no_repeat_ngram, start.new_tensor(list(forbidden)))
    ranking = _Ranking(alpha, beta, source_lengths, limits + (end is not None))
    trace = _Trace()
    finished = _Finished.none(len(start), n_best, start.device)
    beam = _Beam.begin(state, start)
    length = 0
    while len(beam.examples):
        log_probabilities, attention, state = step(beam.tokens, beam.state, beam.examples)
        candidates = beam.scores.reshape(-1, 1) + log_probabilities.float()  # (M, V)
        rules.apply(candidates, beam, length)
        best = beam.choose(candidates, beam_size)
        coverage = ranking.cover(beam.coverage, attention)
        length += 1

        trace.record(
            beam.origin[best.parents], best.tokens, None if attention is None else attention[best.parents]
        )
        ends = rules.ended(best.tokens, beam.examples, length)
        finished.add(
            beam.examples, best.scores, ranking.totals(best, coverage, beam.rows, length), ends, length - 1
        )

        best.scores[ends] = IMPOSSIBLE
        hopeful = ranking.bounds(best.scores, beam.examples) > finished.totals[beam.examples, -1:]  # (A, K)
        beam = beam.follow(best, hopeful, state, coverage, remember=no_repeat_ngram > 0)
    return finished.hypotheses(trace, has_end=end is not None)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"beam_search: {problem}")


def _top(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row, falling, and their places; of equals the first, as topk does not promise."""
    places = _promising(scores, k + 1)
    values, indices = scores.gather(1, places).topk(min(k + 1, places.size(1)))
    indices = places.gather(1, indices)
    last = values[:, k - 1 : k]
    if ((values[:, k:] == last) & (last > IMPOSSIBLE)).any():
        values, indices = scores.sort(dim=1, descending=True, stable=True)
    indices, order = indices[:, :k].sort()
    values, order = values[:, :k].gather(1, order).sort(dim=1, descending=True, stable=True)
    return values, indices.gather(1, order)


def _promising(scores: Tensor, k: int) -> Tensor:
    """Places of each row among which its k largest are: the k blocks with the largest maxima, and the rest.

    That takes a third of the time of topk over all. Of equals some may be elsewhere, but then k are there.
    """
    size = scores.size(1)
    whole = size - size % BLOCK
    maxima = scores[:, :whole].unflatten(1, (whole // BLOCK, BLOCK)).amax(2)
    blocks = maxima.topk(min(k, maxima.size(1))).indices.unsqueeze(2)
    everywhere = torch.arange(size, device=scores.device)
    inside = (BLOCK * blocks + everywhere[:BLOCK]).flatten(1)  # (A, k * BLOCK)
    return torch.cat((inside, everywhere[whole:].expand(len(scores), -1)), 1)


@final
@dataclass(frozen=True)
class _Best:
    """The extensions that a step keeps, each tensor ``(A, K)``, best first."""

    scores: Tensor
    parents: Tensor  # rows of the beam they extend
    tokens: Tensor


@final
@dataclass(frozen=True)
class _Beam:
    """The live hypotheses: M = A * K rows, the K of each of the A examples still searched, best first.

    K is no more than the most live hypotheses of any example.
    """

    examples: Tensor  # (A,)
    scores: Tensor  # (A, K) log-probabilities; IMPOSSIBLE where there is no hypothesis
    tokens: Tensor  # (M,) produced last
    state: State  # each (M, size), before it reads `tokens`
    origin: Tensor  # (M,) the row of the step last recorded in the trace
    prefix: Tensor  # (M, t) all that was produced, or (M, 0) where no rule asks for it
    coverage: Tensor  # (M, S) the sum of the attention so far, or (M, 1) zeros

    @classmethod
    def begin(cls, state: State, start: Tensor) -> _Beam:
        examples = torch.arange(len(start), device=start.device)
        scores = torch.zeros(len(start), 1, device=start.device)
        prefix, coverage = start.new_empty(len(start), 0), torch.zeros_like(scores)
        return cls(examples, scores, start, state, examples, prefix, coverage)

    @property
    def rows(self) -> Tensor:
        """``(M,)``, the example of each hypothesis."""
        return self.examples.repeat_interleave(self.scores.size(1))

    def choose(self, candidates: Tensor, size: int) -> _Best:
        """The best extensions of each example among the candidates ``(M, V)``: ``size``, or all there are."""
        examples, width = self.scores.shape
        vocabulary = candidates.size(1)
        scores, chosen = _top(candidates.view(examples, width * vocabulary), min(size, width * vocabulary))
        first = torch.arange(0, examples * width, width, device=chosen.device)[:, None]
        return _Best(scores, first + chosen // vocabulary, chosen % vocabulary)

    def follow(
        self, best: _Best, hopeful: Tensor, state: State, coverage: Tensor, *, remember: bool
    ) -> _Beam:
        """The beam one step on, of the hopeful ``(A, K)``, without the examples that have none."""
        kept = hopeful.any(1)
        width = int(hopeful.sum(1).amax())
        scores = best.scores.masked_fill(~hopeful, IMPOSSIBLE)[kept]
        ranked = scores.sort(dim=1, descending=True, stable=True)
        scores, order = ranked.values[:, :width], ranked.indices[:, :width]
        rows = best.parents[kept].gather(1, order).flatten()
        tokens = best.tokens[kept].gather(1, order).flatten()
        origin = torch.arange(hopeful.numel(), device=hopeful.device).view_as(hopeful)
        prefix = self.prefix[rows]
        return _Beam(
            examples=self.examples[kept],
            scores=scores,
            tokens=tokens,
            state=select(state, rows),
            origin=origin[kept].gather(1, order).flatten(),
            prefix=torch.cat((prefix, tokens[:, None]), 1) if remember else prefix,
            coverage=coverage[rows],
        )


@final
@dataclass(frozen=True)
class _Rules:
    """What a hypothesis may produce next, and when it is finished."""

    end: int | None
    limits: Tensor  # (N,)
    min_length: int
    no_repeat_ngram: int
    forbidden: Tensor

    def apply(self, candidates: Tensor, beam: _Beam, length: int) -> None:
        """Makes every candidate ``(M, V)`` that breaks a rule impossible, after ``length`` tokens."""
        candidates[:, self.forbidden] = IMPOSSIBLE
        if self.no_repeat_ngram:
            candidates[_repeats(beam.prefix, self.no_repeat_ngram)] = IMPOSSIBLE
        if self.end is None:
            return
        full = self.limits[beam.rows] == length  # (M,)
        if length < self.min_length:
            candidates[~full, self.end] = IMPOSSIBLE
        if full.any():
            others = torch.arange(candidates.size(1), device=full.device) != self.end
            candidates.masked_fill_(full[:, None] & others, IMPOSSIBLE)

    def ended(self, tokens: Tensor, examples: Tensor, length: int) -> Tensor:
        """``(A, K)``: which hypotheses are finished, now of ``length`` tokens, the end counted."""
        if self.end is None:
            return (self.limits[examples] == length)[:, None].expand_as(tokens)
        return tokens == self.end


def _repeats(prefix: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The rows and the tokens of all extensions of the prefixes ``(M, t)`` that would repeat an n-gram."""
    length = prefix.size(1)
    if length < n:
        return prefix.new_empty(0), prefix.new_empty(0)
    ngrams = prefix.unfold(1, n, 1)  # (M, t - n + 1, n)
    latest = prefix[:, None, length - n + 1 :]  # (M, 1, n - 1)
    rows, places = (ngrams[:, :, :-1] == latest).all(2).nonzero(as_tuple=True)
    return rows, ngrams[rows, places, -1]


@final
@dataclass(frozen=True)
class _Ranking:
    """The score that finished hypotheses are ranked by: Wu et al. 2016, equation 14."""

    alpha: float
    beta: float
    source_lengths: Tensor | None  # (N,)
    longest: Tensor  # (N,) the greatest |Y| of each example

    def cover(self, coverage: Tensor, attention: Tensor | None) -> Tensor:
        """The coverage ``(M, S)`` after one more step; left as it is where no penalty asks for it."""
        if self.beta == 0:
            return coverage
        if attention is None:
            raise ValueError("beam_search: beta above 0 needs a step that gives its attention")
        return coverage + attention.to(coverage.dtype)

    def totals(self, best: _Best, coverage: Tensor, rows: Tensor, length: int) -> Tensor:
        """``(A, K)``: the score of each hypothesis if it is finished with |Y| = ``length``."""
        totals = best.scores / length_penalty(torch.tensor(length), self.alpha)
        if self.beta == 0 or self.source_lengths is None:
            return totals
        return totals + self.beta * coverage_penalty(coverage, self.source_lengths[rows])[best.parents]

    def bounds(self, scores: Tensor, examples: Tensor) -> Tensor:
        """``(A, K)``: what no continuation of hypotheses of these log-probabilities can exceed."""
        return scores / length_penalty(self.longest[examples], self.alpha)[:, None]


@final
class _Trace:
    """The back-pointers: for each step and row the row of the step before, the token, and the attention."""

    def __init__(self) -> None:
        self._steps: list[tuple[list[int], list[int], Tensor | None]] = []

    def record(self, parents: Tensor, tokens: Tensor, attention: Tensor | None) -> None:
        """Stores one step: parents and tokens ``(A, K)``, attention ``(A, K, S)``."""
        rows = None if attention is None else attention.flatten(0, 1)
        self._steps.append((parents.flatten().tolist(), tokens.flatten().tolist(), rows))

    def read(self, step: int, row: int) -> tuple[list[int], list[Tensor]]:
        """The tokens, and the attention where there is any, that led to a row of a step."""
        tokens, attention = [], []
        for parents, produced, attended in reversed(self._steps[: step + 1]):
            tokens.append(produced[row])
            if attended is not None:
                attention.append(attended[row])
            row = parents[row]
        return tokens[::-1], attention[::-1]


@final
@dataclass(frozen=True)
class _Finished:
    """The best finished hypotheses of each example so far, each tensor ``(N, n_best)``, best first."""

    totals: Tensor  # IMPOSSIBLE where there is none yet
    log_probabilities: Tensor
    steps: Tensor
    rows: Tensor

    @classmethod
    def none(cls, batch: int, n_best: int, device: torch.device) -> _Finished:
        scores = torch.full((batch, n_best), IMPOSSIBLE, device=device)
        places = torch.zeros(batch, n_best, dtype=torch.long, device=device)
        return cls(scores, scores.clone(), places, places.clone())

    def add(self, examples: Tensor, scores: Tensor, totals: Tensor, ends: Tensor, step: int) -> None:
        """Lets those hypotheses ``(A, K)`` of a step that end compete with the ones finished before."""
        rows = torch.arange(ends.numel(), device=ends.device).view_as(ends)
        new = totals.masked_fill(~ends, IMPOSSIBLE), scores, torch.full_like(rows, step), rows
        old = self.totals, self.log_probabilities, self.steps, self.rows
        contest = torch.cat((self.totals[examples], new[0]), 1)
        order = contest.sort(dim=1, descending=True, stable=True).indices[:, : self.totals.size(1)]
        for column, addition in zip(old, new, strict=True):
            column[examples] = torch.cat((column[examples], addition), 1).gather(1, order)

    def hypotheses(self, trace: _Trace, *, has_end: bool) -> list[list[Hypothesis]]:
        columns = torch.stack((self.steps, self.rows), 2).tolist()
        return [
            [
                _hypothesis(trace.read(step, row), score, log_probability, has_end)
                for score, log_probability, (step, row) in zip(*example, strict=True)
                if score > IMPOSSIBLE
            ]
            for example in zip(self.totals.tolist(), self.log_probabilities.tolist(), columns, strict=True)
        ]


def _hypothesis(
    path: tuple[list[int], list[Tensor]], score: float, log_probability: float, has_end: bool
) -> Hypothesis:
    tokens, attention = path
    length = len(tokens) - has_end
    return Hypothesis(
        tokens[:length], score, log_probability, torch.stack(attention)[:length] if attention else None
    )
