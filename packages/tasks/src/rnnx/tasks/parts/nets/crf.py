"""How probable the tags of a sentence are: each by itself (softmax), or all together (CRF)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.nets.padding import real_steps


class Tagging(nn.Module, ABC):
    """From scores of each of ``K`` tags at each place to sequences of tags.

    Scores of less than 32 bits are made float32 first.
    """

    @abstractmethod
    def log_likelihood(self, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """The logarithm of the probability of a sequence of tags.

        Args:
            scores: ``(N, T, K)``, padded with anything.
            tags: ``(N, T)``, padded with any of them.
            lengths: ``(N,)``, 1 to ``T``, on any device.

        Returns:
            ``(N,)``, in nats.
        """

    @abstractmethod
    def decode(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """The most probable sequence of tags, ``(N, T)``; 0 on padding."""


@final
class Softmax(Tagging):
    """Each tag by itself: whatever tags stand around it, its probability is the same.

    Example:
        >>> scores, lengths = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]]), torch.tensor([2])
        >>> Softmax().decode(scores, lengths).tolist()
        [[1, 0]]
    """

    def log_likelihood(self, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        logs = -F.cross_entropy(_widened(scores).transpose(1, 2), tags, reduction="none")  # (N, T)
        return logs.where(real_steps(tags, lengths), 0).sum(1)

    def decode(self, scores: Tensor, lengths: Tensor) -> Tensor:
        best = scores.argmax(2)
        return best.where(real_steps(best, lengths), 0)


@final
class CRF(Tagging):
    r"""A linear-chain conditional random field (Lafferty, McCallum & Pereira 2001; Lample et al. 2016).

    .. math::
        s(y) &= a_{y_1} + \sum_t P_{t, y_t} + \sum_{t > 1} A_{y_{t-1}, y_t} + b_{y_T} \\
        \log p(y) &= s(y) - \log \sum_{y'} \exp s(y')

    ``P`` are the scores of the net; ``a``, ``A`` and ``b`` are learnt, and minus infinity where a tag may not
    be: such sequences have no probability, in training and in decoding.

    Args:
        starts: ``(K,)``, whether a tag may be the first.
        transitions: ``(K, K)``, whether the second may follow the first.
        ends: ``(K,)``, whether a tag may be the last.

    Raises:
        ValueError: some tag can never stand in the second place, or no sequence has some length.

    Example:
        >>> anything = torch.ones(2, dtype=torch.bool)
        >>> never_twice = CRF(anything, torch.tensor([[True, True], [True, False]]), anything)
        >>> scores = torch.tensor([[[0.0, 1.0], [0.0, 2.0], [0.0, 1.5]]])
        >>> never_twice.decode(scores, torch.tensor([3])).tolist()
        [[1, 0, 1]]
    """

    may_start: Tensor
    may_follow: Tensor
    may_end: Tensor

    def __init__(self, starts: Tensor, transitions: Tensor, ends: Tensor) -> None:
        super().__init__()
        reached = (starts.unsqueeze(1) & transitions).any(0)
        if not (reached.all() and ends.any() and (starts & ends).any()):
            raise ValueError(
                "expected constraints that allow sequences of any length, with any tag in the second place; "
                "these do not"
            )
        self.start = nn.Parameter(torch.zeros(starts.shape))
        self.transition = nn.Parameter(torch.zeros(transitions.shape))
        self.end = nn.Parameter(torch.zeros(ends.shape))
        self.register_buffer("may_start", starts, persistent=False)
        self.register_buffer("may_follow", transitions, persistent=False)
        self.register_buffer("may_end", ends, persistent=False)

    def log_likelihood(self, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        return self.score(scores, tags, lengths) - self.log_partition(scores, lengths)

    def score(self, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """``s(y)``, ``(N,)``, of what :meth:`log_likelihood` takes."""
        scores = _widened(scores)
        start, transition, end = self._weights(scores.dtype)
        real = real_steps(tags, lengths)
        emitted = scores.gather(2, tags.unsqueeze(2)).squeeze(2).where(real, 0).sum(1)
        moved = transition[tags[:, :-1], tags[:, 1:]].where(real[:, 1:], 0).sum(1)
        last = tags.gather(1, lengths.to(tags.device).unsqueeze(1) - 1).squeeze(1)
        return start[tags[:, 0]] + emitted + moved + end[last]

    def log_partition(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """The logarithm of the sum over all sequences, ``(N,)``, by the forward algorithm."""
        scores = _widened(scores)
        start, transition, end = self._weights(scores.dtype)
        first, *others = scores.unbind(1)  # (N, K)
        running = real_steps(scores[..., 0], lengths).unsqueeze(2).unbind(1)  # (N, 1)
        alpha = start + first
        shortest = int(lengths.min())  # until then no row has ended
        for t, score in enumerate(others, 1):
            after = (alpha.unsqueeze(2) + transition).logsumexp(1) + score
            alpha = after if t < shortest else torch.where(running[t], after, alpha)
        return (alpha + end).logsumexp(1)

    def decode(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """By Viterbi's algorithm."""
        scores = _widened(scores)
        start, transition, end = self._weights(scores.dtype)
        first, *others = scores.unbind(1)  # (N, K)
        real = real_steps(scores[..., 0], lengths)
        best = start + first
        stay = torch.arange(scores.shape[2], device=scores.device)  # past its end a row stays at its tag
        back: list[Tensor] = []
        for score, goes_on in zip(others, real.unsqueeze(2).unbind(1)[1:], strict=True):
            value, before = (best.unsqueeze(2) + transition).max(1)
            best = torch.where(goes_on, value + score, best)
            back.append(torch.where(goes_on, before, stay))
        path = [(best + end).argmax(1, keepdim=True)]  # (N, 1)
        for before in reversed(back):
            path.append(before.gather(1, path[-1]))
        return torch.cat(path[::-1], 1).where(real, 0)

    def _weights(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Start ``(K,)``, transition ``(K, K)`` and end ``(K,)``."""
        pairs = (
            (self.start, self.may_start),
            (self.transition, self.may_follow),
            (self.end, self.may_end),
        )
        start, transition, end = (
            weight.to(dtype).masked_fill(~allowed, -torch.inf) for weight, allowed in pairs
        )
        return start, transition, end


def _widened(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
