"""Texts written by a decoder: read against the right ones, and looked for by beam search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.errors import RunError, UsageError
from rnnx.core.nets.padding import real_steps
from rnnx.core.paths import typed
from rnnx.core.state import State
from rnnx.core.task import Loss
from rnnx.tasks.parts.generation.search import Hypothesis, beam_search
from rnnx.tasks.parts.nets.attention import Memory
from rnnx.tasks.parts.nets.cross_entropy import cross_entropy
from rnnx.tasks.parts.nets.decoder import Decoder
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

SLACK = 10  # tokens


@final
class Search(NamedTuple):
    """How texts are looked for; see :func:`rnnx.tasks.parts.generation.search.beam_search`.

    Attributes:
        max_ratio: Tokens of a text at most for each place that its decoder looks at, beside ten; 0 for no
            such limit. It yields to ``min_length``, and ``max_length`` holds too.
    """

    beam_size: int
    length_penalty: float
    coverage_penalty: float
    min_length: int
    max_length: int
    no_repeat_ngram: int
    n_best: int = 1
    max_ratio: float = 0.0

    def changed(self, n_best: int, asked: Mapping[str, Any]) -> Search:
        """The search with what is asked for, its beam at least as wide as ``n_best``.

        Args:
            n_best: Hypotheses of each example.
            asked: Other fields by name; those that are None stay as they are.

        Example:
            >>> search = Search(5, 1.0, 0.0, 0, 100, 0)
            >>> search.changed(1, {"beam_size": 2, "max_length": None})
            Search(beam_size=2, length_penalty=1.0, coverage_penalty=0.0, min_length=0,
                   max_length=100, no_repeat_ngram=0, n_best=1, max_ratio=0.0)
            >>> search.changed(7, {}).beam_size
            7
        """
        given = {name: value for name, value in asked.items() if value is not None}
        search = self._replace(n_best=n_best, **given)
        return search._replace(beam_size=max(search.beam_size, n_best))

    def limits(self, places: Tensor) -> Tensor:
        """The most tokens of each text.

        Args:
            places: How many its decoder looks at, ``(N,)``.

        Example:
            >>> search = Search(5, 1.0, 0.0, 0, 100, 0, max_ratio=1.5)
            >>> search.limits(torch.tensor([1, 8, 99])).tolist()
            [12, 22, 100]
        """
        longest = torch.full_like(places, self.max_length)
        if not self.max_ratio:
            return longest
        allowed = (places * self.max_ratio).ceil().long() + SLACK
        return allowed.clamp(min=self.min_length).minimum(longest)


@final
class Reading(NamedTuple):
    """What the decoder makes of the right texts of a batch.

    Attributes:
        vectors: What each real token is predicted from, ``(M, A)``.
        targets: Those tokens, ``(M,)``.
        attention: Where it looked for each token, ``(N, U, S)``, those of the padding too; None if it has no
            attention.
    """

    vectors: Tensor
    targets: Tensor
    attention: Tensor | None


def read(decoder: Decoder, vocabulary: Vocabulary, batch: Batch, memory: Memory, start: State) -> Reading:
    """Lets a decoder predict each token of the right texts from those before it.

    Args:
        decoder: The decoder.
        vocabulary: What its tokens are.
        batch: Its ``targets`` ``(N, U)`` are the texts, of ``target_lengths`` ``(N,)``.
        memory: What the decoder looks at, of ``N`` rows.
        start: Its first state, tensors ``(N, size)``.
    """
    lengths = batch.target_lengths
    assert lengths is not None
    before = F.pad(batch.targets[:, :-1], (1, 0), value=vocabulary.bos)  # (N, U)
    vectors, weights = decoder(before, lengths, memory, start)
    real = real_steps(before, lengths)  # (N, U)
    return Reading(vectors[real], batch.targets[real], weights)


def loss_of(decoder: Decoder, reading: Reading, smoothing: float) -> Loss:
    """The cross-entropy in nats a token.

    Args:
        decoder: The decoder.
        reading: From :func:`read`.
        smoothing: Share of the probability that is spread over all tokens (Szegedy et al. 2016).
    """
    total = cross_entropy(decoder.output, reading.vectors, reading.targets, smoothing)
    return Loss(total, torch.tensor(len(reading.targets), device=total.device))


@torch.inference_mode()
def write(
    decoder: Decoder, vocabulary: Vocabulary, memory: Memory, start: State, search: Search
) -> list[list[Hypothesis]]:
    """Looks for the most probable texts; padding, beginning and the unknown word are never written.

    Args:
        decoder: The decoder.
        vocabulary: What its tokens are.
        memory: What it looks at, of ``N`` rows; the places of each row are its first.
        start: Its first state, tensors ``(N, size)``.
        search: How to look.

    Returns:
        For each row its hypotheses, best first.

    Raises:
        RunError: there are none.
    """
    begin = torch.full((len(memory.mask),), vocabulary.bos, device=memory.mask.device)
    looked_at, places = memory, memory.mask.sum(1)

    def step(tokens: Tensor, state: State, examples: Tensor) -> tuple[Tensor, Tensor | None, State]:
        nonlocal looked_at
        if len(examples) < len(looked_at.mask):
            looked_at = memory.select(examples)
        return decoder.step(tokens, looked_at, state)

    found = beam_search(
        step,
        start,
        begin,
        end=vocabulary.eos,
        max_length=search.limits(places),
        beam_size=search.beam_size,
        n_best=search.n_best,
        alpha=search.length_penalty,
        beta=search.coverage_penalty,
        source_lengths=places,
        min_length=search.min_length,
        no_repeat_ngram=search.no_repeat_ngram,
        forbidden=(vocabulary.pad, vocabulary.bos, vocabulary.unk),
    )
    if not all(found):
        raise RunError(
            "the search found no text: either the model's numbers are no longer finite "
            "(train again with a lower optimizer.lr), or min_length and no_repeat_ngram leave none"
        )
    return found


def answers(
    number: int, hypotheses: Sequence[Hypothesis], vocabulary: Vocabulary, scores: bool
) -> Iterator[str]:
    """The lines that answer a line.

    Args:
        number: Of the line that was read, from 0.
        hypotheses: Its texts, best first.
        vocabulary: What their tokens are.
        scores: Whether they are written in Moses' form, ``number ||| text ||| score``.
    """
    for hypothesis in hypotheses:
        text = vocabulary.decode(hypothesis.tokens)
        yield f"{number} ||| {text} ||| {hypothesis.score:.4f}" if scores else text


def drawing(name: str, decoder: Decoder) -> Path:
    """The file that it is drawn in where a decoder looks.

    Args:
        name: As it was typed.
        decoder: The decoder.

    Raises:
        UsageError: it has no attention; or no picture can have such a name, or there is no such folder.
    """
    from rnnx.core.plots import format_of

    if decoder.attention is None:
        raise UsageError("attention: the model was trained with task.attention=none, so it looks nowhere")
    path = typed(name)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"attention: expected a file in a folder that exists, got {name!r}")
    format_of(path)
    return path
