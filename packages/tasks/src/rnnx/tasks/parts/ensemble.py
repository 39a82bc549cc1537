"""Several models that predict together, by the mean of their probabilities (Sutskever et al. 2014)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.state import State
from rnnx.tasks.parts.generation.search import Step


def mean(log_probabilities: Sequence[Tensor]) -> Tensor:
    """The natural logarithm of the mean of probabilities; of equal ones it is theirs, bit for bit.

    Args:
        log_probabilities: Their natural logarithms, one tensor of each model, all of one shape.

    Example:
        >>> halves, quarters = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
        >>> mean([halves.log(), quarters.log()]).exp()
        tensor([0.3750, 0.6250])
    """
    if len(log_probabilities) == 1:
        return log_probabilities[0]
    logs = torch.stack(list(log_probabilities))
    greatest = logs.amax(0).clamp(min=torch.finfo(logs.dtype).min)  # finite, also where all are impossible
    return greatest + (logs - greatest).exp().mean(0).log()


def log_probabilities(scores: Iterable[Tensor], targets: Tensor) -> Tensor:
    """The natural logarithm of the mean of the probabilities that models give to what is right, ``(M,)``.

    Args:
        scores: The logits of each model, ``(M, V)``; those of 16 bits are read as of 32.
        targets: Which is right, ``(M,)``; of -100, where none is asked for, it is 0.

    Example:
        >>> halves, quarters = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
        >>> log_probabilities([halves.log(), quarters.log()], torch.tensor([1])).exp()
        tensor([0.6250])
    """
    wide = (score.to(torch.promote_types(score.dtype, torch.float32)) for score in scores)
    return mean([-F.cross_entropy(score, targets, reduction="none") for score in wide])


def together(steps: Sequence[Step], counts: Sequence[int]) -> Step:
    """The step of several models that read and predict the same tokens.

    Its state is the states of all, one after the other. Its attention is the mean over the models that have
    any; there is none where the first has none.

    Args:
        steps: Of each model its step.
        counts: Of each model how many tensors its state has.

    Example:
        >>> def always(*shares):
        ...     return lambda tokens, state, examples: (torch.tensor([shares]).log(), None, state)
        >>> both = together([always(0.5, 0.5), always(0.25, 0.75)], [0, 0])
        >>> both(torch.tensor([0]), (), torch.tensor([0]))[0].exp()
        tensor([[0.3750, 0.6250]])
    """

    def step(tokens: Tensor, state: State, examples: Tensor) -> tuple[Tensor, Tensor | None, State]:
        predicted, looks, after = zip(
            *(
                one(tokens, part, examples)
                for one, part in zip(steps, states.split(state, counts), strict=True)
            ),
            strict=True,
        )
        attention = None
        if looks[0] is not None:
            attention = torch.stack([look for look in looks if look is not None]).mean(0)
        return mean(predicted), attention, tuple(chain.from_iterable(after))

    return step
