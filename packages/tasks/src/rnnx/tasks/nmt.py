"""Translation, or any text to text: a recurrent encoder and decoder with attention (Bahdanau et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torchmetrics import Metric

from rnnx.core.batch import Batch
from rnnx.core.bounds import Count, NonNegative, Positive, Rate, Share
from rnnx.core.data import Meta, Split
from rnnx.core.errors import RunError, UsageError
from rnnx.core.state import State
from rnnx.core.task import Loss, Task
from rnnx.tasks.parts.attention import Memory, Score
from rnnx.tasks.parts.decoder import Decoder
from rnnx.tasks.parts.scores import BleuTokens, Perplexity, Translations
from rnnx.tasks.parts.search import Hypothesis, beam_search
from rnnx.tasks.parts.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Search(NamedTuple):
    """How translations are looked for; see :func:`rnnx.tasks.parts.search.beam_search`."""

    beam_size: int
    length_penalty: float
    coverage_penalty: float
    min_length: int
    max_length: int
    no_repeat_ngram: int
    n_best: int = 1


class Reading(NamedTuple):
    """What the decoder makes of a batch.

    Attributes:
        logits: Of each real target token, ``(M, V)``.
        targets: Those tokens, ``(M,)``.
    """

    logits: Tensor
    targets: Tensor


@final
class Translation(Task):
    """An encoder and a decoder of any cell, with attention and beam search.

    Args:
        embedding_size: Width of the embeddings, and of the vectors that words are predicted from.
        attention: How the decoder looks at the source; none for the encoder's last state only.
        input_feeding: Whether what was seen at one step is an input of the next (Luong et al. 2015).
        tied: Whether the target's embedding is the output layer's matrix too (Press & Wolf 2017).
        dropout: Rate on embeddings, on the encoder's outputs, and on the vectors that words are predicted
            from.
        label_smoothing: Share of the probability that is spread over all words, in training (Szegedy et al.
            2016).
        beam_size: Hypotheses kept at each step; 1 for greedy search.
        length_penalty: Exponent of GNMT's length normalisation; 0 for none.
        coverage_penalty: Weight of GNMT's coverage penalty; 0 for none.
        min_length: Tokens of a translation at least.
        max_length: Tokens of a translation at most.
        no_repeat_ngram: Length of the n-grams that may not occur twice; 0 for no such rule.
        tokenize: sacrebleu's tokeniser for BLEU; none for text that is tokenised already.
    """

    monitor: ClassVar[str] = "bleu"
    mode: ClassVar[Literal["min", "max"]] = "max"

    def __init__(
        self,
        net: Mapping[str, Any],
        meta: Meta,
        *,
        embedding_size: Positive = 256,
        attention: Score = "additive",
        input_feeding: bool = False,
        tied: bool = True,
        dropout: Rate = 0.2,
        label_smoothing: Share = 0.1,
        beam_size: Positive = 5,
        length_penalty: NonNegative = 1.0,
        coverage_penalty: NonNegative = 0.0,
        min_length: Count = 0,
        max_length: Positive = 100,
        no_repeat_ngram: Count = 0,
        tokenize: BleuTokens = "13a",
    ) -> None:
        super().__init__(net, meta)
        if attention == "none" and coverage_penalty:
            raise UsageError(
                f"task.coverage_penalty: {coverage_penalty} needs attention, and task.attention is none; "
                "set it to 0"
            )
        self.source, self.target = (
            Vocabulary.from_plain(meta["source"]),
            Vocabulary.from_plain(meta["target"]),
        )
        self.label_smoothing, self.tokenize = label_smoothing, tokenize
        self.search = Search(
            beam_size, length_penalty, coverage_penalty, min_length, max_length, no_repeat_ngram
        )
        embedding = _embedding(self.target, embedding_size)
        self.embedding = embedding if meta["shared_vocabulary"] else _embedding(self.source, embedding_size)
        self.encoder = self.net.encoder(embedding_size)
        self.decoder = Decoder(
            embedding,
            self.net,
            self.encoder.state_sizes,
            self.encoder.output_size,
            attention,
            input_feeding,
            tied,
            dropout,
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Reading:
        """Reads the source and the right words before each target word."""
        memory, state = self._encode(batch.inputs, batch.lengths)
        lengths = _lengths(batch)
        before = F.pad(batch.targets[:, :-1], (1, 0), value=self.target.bos)  # (N, U)
        vectors, _ = self.decoder(before, lengths, memory, state)
        real = torch.arange(before.shape[1], device=before.device) < lengths.unsqueeze(1)  # (N, U)
        return Reading(self.decoder.logits(vectors[real]), batch.targets[real])

    def loss(self, output: Reading, batch: Batch) -> Loss:
        """Cross-entropy in nats a token, end of sentence included; smoothed while training."""
        smoothing = self.label_smoothing if self.training else 0.0
        logits = output.logits.to(torch.promote_types(output.logits.dtype, torch.float32))
        total = F.cross_entropy(logits, output.targets, reduction="sum", label_smoothing=smoothing)
        return Loss(total, torch.tensor(len(output.targets), device=total.device))

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Perplexity; BLEU and chrF, of greedy search in validation and of the beam in the test."""
        return {"perplexity": Perplexity(), "text": Translations(self.tokenize)}

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Reading, loss: Loss, split: Split
    ) -> None:
        """Adds the losses and the translations of a batch."""
        metrics["perplexity"].update(loss.total, loss.count)
        search = self.search if split == "test" else self.search._replace(beam_size=1)
        texts = [self._text(found) for found in self._translate(batch.inputs, batch.lengths, search)]
        metrics["text"].update(batch.index, texts, batch.references)

    def samples(self, batch: Batch) -> list[dict[str, str]]:
        """Source, reference and translation."""
        found = self._translate(batch.inputs, batch.lengths, self.search)
        assert batch.references is not None
        return [
            {
                "source": self.source.decode(source[:length]),
                "reference": references[0],
                "translation": self._text(hypotheses),
            }
            for source, length, references, hypotheses in zip(
                batch.inputs.tolist(), batch.lengths.tolist(), batch.references, found, strict=True
            )
        ]

    def figures(self, batch: Batch) -> dict[str, Figure]:
        """The alignment of the first sentence, where there is attention."""
        first = batch.inputs[:1, : int(batch.lengths[0])]  # (1, S)
        ((best, *_),) = self._translate(first, batch.lengths[:1], self.search)
        figure = self._figure(first[0].tolist(), best)
        return {} if figure is None else {"attention": figure}

    def predict(
        self,
        lines: Iterable[str],
        *,
        beam_size: Positive | None = None,
        n_best: Positive = 1,
        length_penalty: NonNegative | None = None,
        coverage_penalty: NonNegative | None = None,
        min_length: Count | None = None,
        max_length: Positive | None = None,
        no_repeat_ngram: Count | None = None,
        scores: bool = False,
        attention: str | None = None,
        batch_size: Positive = 64,
    ) -> Iterator[str]:
        """Translates line by line.

        Args:
            lines: Source sentences.
            beam_size: Hypotheses kept at each step; as trained if not said.
            n_best: Translations a line; above 1 in Moses' form, ``number ||| translation ||| score``.
            length_penalty: Exponent of the length normalisation; as trained if not said.
            coverage_penalty: Weight of the coverage penalty; as trained if not said.
            min_length: Tokens at least; as trained if not said.
            max_length: Tokens at most; as trained if not said.
            no_repeat_ngram: Length of the n-grams that may not occur twice; as trained if not said.
            scores: Whether each line is written in Moses' form, with its score, also where there is one.
            attention: A PNG file to draw the alignment of the first line in.
            batch_size: Lines read and translated together.

        Returns:
            One line for each line read, in order (``n_best`` lines where that is above 1).
        """
        given: dict[str, Any] = {
            "beam_size": beam_size,
            "length_penalty": length_penalty,
            "coverage_penalty": coverage_penalty,
            "min_length": min_length,
            "max_length": max_length,
            "no_repeat_ngram": no_repeat_ngram,
        }
        search = self.search._replace(n_best=n_best, **{k: v for k, v in given.items() if v is not None})
        search = search._replace(beam_size=max(search.beam_size, n_best))
        if attention is not None:
            self._check_drawing(Path(attention))
        stream = iter(lines)
        number = 0
        while chunk := list(islice(stream, batch_size)):
            sources = [torch.tensor([*ids, self.source.eos]) for ids in self.source.encode(chunk)]
            lengths = torch.tensor([len(source) for source in sources])
            inputs = pad_sequence(sources, batch_first=True, padding_value=self.source.pad)  # (N, S)
            found = self._translate(inputs.to(self.device), lengths.to(self.device), search)
            if attention is not None and number == 0:
                self._draw(sources[0].tolist(), found[0], Path(attention))
            for hypotheses in found:
                for hypothesis in hypotheses:
                    text = self.target.decode(hypothesis.tokens)
                    yield f"{number} ||| {text} ||| {hypothesis.score:.4f}" if scores or n_best > 1 else text
                number += 1

    def _encode(self, tokens: Tensor, lengths: Tensor) -> tuple[Memory, State]:
        values, state = self.encoder(self.dropout(self.embedding(tokens)), lengths)  # (N, S, E)
        mask = torch.arange(tokens.shape[1], device=tokens.device) < lengths.unsqueeze(1)  # (N, S)
        return self.decoder.memory(self.dropout(values), mask), self.decoder.start(state)

    @torch.no_grad()
    def _translate(self, tokens: Tensor, lengths: Tensor, search: Search) -> list[list[Hypothesis]]:
        everything, start = self._encode(tokens, lengths)
        seen: tuple[Tensor, Memory] = tokens.new_empty(0), everything

        def step(tokens: Tensor, state: State, rows: Tensor) -> tuple[Tensor, Tensor | None, State]:
            nonlocal seen
            if not torch.equal(seen[0], rows):
                seen = rows, everything.select(rows)
            return self.decoder.step(tokens, seen[1], state)

        found = beam_search(
            step,
            start,
            tokens.new_full((len(tokens),), self.target.bos),
            end=self.target.eos,
            max_length=search.max_length,
            beam_size=search.beam_size,
            n_best=search.n_best,
            alpha=search.length_penalty,
            beta=search.coverage_penalty,
            source_lengths=lengths,
            min_length=search.min_length,
            no_repeat_ngram=search.no_repeat_ngram,
            forbidden=(self.target.pad, self.target.bos, self.target.unk),
        )
        if not all(found):
            raise RunError(
                "the search found no translation: either the model's numbers are no longer finite "
                "(train again with a lower optimizer.lr), or min_length and no_repeat_ngram leave none"
            )
        return found

    def _text(self, hypotheses: Sequence[Hypothesis]) -> str:
        return self.target.decode(hypotheses[0].tokens)

    def _figure(self, source: Sequence[int], best: Hypothesis) -> Figure | None:
        from rnnx.tasks.parts.plots import alignment

        if best.attention is None or not best.tokens:
            return None
        words = (
            [self.source.tokens[token] for token in source],
            [self.target.tokens[token] for token in best.tokens],
        )
        return alignment(best.attention[:, : len(source)], *words)

    def _check_drawing(self, path: Path) -> None:
        if self.decoder.attention is None:
            raise UsageError(
                "attention: the model was trained with task.attention=none, so there is no alignment"
            )
        if not path.absolute().parent.is_dir():
            raise UsageError(f"attention: expected a file in a folder that exists, got {path}")

    def _draw(self, source: Sequence[int], hypotheses: Sequence[Hypothesis], path: Path) -> None:
        figure = self._figure(source, hypotheses[0])
        if figure is not None:
            figure.savefig(path, format="png", dpi=150)


def _embedding(vocabulary: Vocabulary, size: int) -> nn.Embedding:
    """Small enough that, as an output layer, it starts near the uniform distribution."""
    embedding = nn.Embedding(len(vocabulary), size, padding_idx=vocabulary.pad)
    nn.init.normal_(embedding.weight, std=size**-0.5)
    return embedding


def _lengths(batch: Batch) -> Tensor:
    assert batch.target_lengths is not None
    return batch.target_lengths
