"""Random continuations: sampling with temperature, of the k best tokens, or of the nucleus."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnx.core.errors import RunError
from rnnx.core.state import State
from rnnx.tasks.parts.generation.search import Step


def filter_logits(logits: Tensor, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """Sharpens a distribution and cuts its tail.

    The temperature comes first, then the k most probable tokens (Fan et al. 2018), then their nucleus
    (Holtzman et al. 2020), each renormalised. Of equally probable tokens the lower numbers are kept.

    Args:
        logits: ``(M, V)`` logits, or log-probabilities; at least one of each row is finite.
        temperature: Divides the logits; 0 leaves the most probable token alone (greedy).
        top_k: How many tokens are kept; 0 keeps all.
        top_p: The smallest set of the most probable tokens whose probabilities sum to this or more is kept,
            so there is always one; 1 keeps all.

    Returns:
        ``(M, V)`` natural log-probabilities, minus infinity for what was cut.

    Raises:
        ValueError: an option is out of its range.
        RunError: a row has no finite logit, or one that is not a number.

    Example:
        >>> filter_logits(torch.tensor([[0.1, 0.6, 0.3]]).log(), top_p=0.8).exp()
        tensor([[0.0000, 0.6667, 0.3333]])
    """
    _require(temperature >= 0, f"temperature must be at least 0, not {temperature}")
    _require(top_k >= 0, f"top_k must be at least 0, not {top_k}")
    _require(0 < top_p <= 1, f"top_p must be above 0 and at most 1, not {top_p}")
    if temperature < torch.finfo(logits.dtype).tiny:  # which the logits cannot be divided by
        temperature, top_k = 1.0, 1
    greatest = logits.amax(1, keepdim=True)
    if not greatest.isfinite().all():
        raise RunError(
            "sampling: expected finite numbers of the model's, and they are not; train again with a lower "
            "optimizer.lr"
        )
    logits = (logits - greatest) / temperature  # the greatest is 0, so nothing overflows
    if top_k == 0 and top_p == 1:
        return logits.log_softmax(1)
    falling, tokens = logits.sort(dim=1, descending=True, stable=True)
    if top_k:
        falling[:, top_k:] = -torch.inf
    if top_p < 1:
        enough = falling.softmax(1).cumsum(1) >= top_p
        falling[:, 1:].masked_fill_(enough[:, :-1], -torch.inf)
    return torch.empty_like(falling).scatter_(1, tokens, falling.log_softmax(1))


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"sampling: {problem}")


@torch.inference_mode()
def sample(
    step: Step,
    state: State,
    start: Tensor,
    *,
    length: int,
    generator: torch.Generator | None = None,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Tensor:
    """Draws one random continuation for each row.

    Args:
        step: The decoder; each row is an example with one hypothesis.
        state: Tensors ``(M, size)``, the state before it reads ``start``.
        start: ``(M,)``, the token each row is continued from: the begin token, or the last of a prompt.
        length: How many tokens to draw.
        generator: The source of randomness, on the device of the model; None for torch's own.
        temperature: See :func:`filter_logits`.
        top_k: See :func:`filter_logits`.
        top_p: See :func:`filter_logits`.

    Returns:
        ``(M, length)``, the tokens drawn.

    Raises:
        ValueError: an option is out of its range.
        RunError: the numbers of the model are not finite.

    Example:
        >>> cycle = torch.eye(3).roll(1, dims=1).log()
        >>> def step(tokens, state, examples):
        ...     return cycle[tokens], None, state
        >>> sample(step, (), torch.tensor([0, 2]), length=4)
        tensor([[1, 2, 0, 1],
                [0, 1, 2, 0]])
    """
    examples = torch.arange(len(start), device=start.device)
    drawn = start.new_empty(len(start), length)
    tokens = start
    for position in range(length):
        logits, _, state = step(tokens, state, examples)
        kept = filter_logits(logits.float(), temperature=temperature, top_k=top_k, top_p=top_p)
        tokens = kept.exp().multinomial(1, generator=generator).squeeze(1)
        drawn[:, position] = tokens
    return drawn
