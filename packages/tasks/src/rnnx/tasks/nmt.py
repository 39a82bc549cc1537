"""Translation, or any text to text: a recurrent encoder and decoder with attention (Bahdanau et al. 2015)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias, final

import torch
from torch import Tensor
from torchmetrics import Metric

from rnnx.core.batch import Batch
from rnnx.core.bounds import AboveZero, Count, NonNegative, Positive, Rate, Share
from rnnx.core.data import Meta, Split
from rnnx.core.errors import UsageError
from rnnx.core.exhibits.activations import activations
from rnnx.core.exhibits.exhibit import Drawing, Exhibit, Text
from rnnx.core.exhibits.view import View
from rnnx.core.graph import Graph
from rnnx.core.nets.dropout import Dropout
from rnnx.core.nets.padding import real_steps
from rnnx.core.state import State
from rnnx.core.task import Loss, Task
from rnnx.tasks.parts.bucketing import in_order
from rnnx.tasks.parts.generation.decoding import (
    Predictions,
    Reading,
    Search,
    answer_lines,
    attention_file,
    exhibits,
    generate,
    loss_of,
    loss_together,
    teacher_forced,
)
from rnnx.tasks.parts.generation.scoring import Pair, scored, scores_of
from rnnx.tasks.parts.generation.search import Hypothesis
from rnnx.tasks.parts.generation.unknown_words import refuse_unaligned, with_source_words
from rnnx.tasks.parts.idle import refuse_idle
from rnnx.tasks.parts.lines import together
from rnnx.tasks.parts.nets.attention import Mechanism, Memory
from rnnx.tasks.parts.nets.decoder import Decoder
from rnnx.tasks.parts.nets.embeddings import Initialization, embeddings, without_vector_files
from rnnx.tasks.parts.padding import padded
from rnnx.tasks.parts.scores.text_scores import BleuTokens, Perplexity, Translations
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Mode: TypeAlias = Literal["translate", "score"]
OF_SCORES: Final = ("length_penalty", "coverage_penalty")  # options of use in the mode score
READ_AHEAD = 10  # batches: enough that lines of like length meet in one, few enough to answer soon
WORD: Final = re.compile(r"[^ \t\r\n]+")  # as a vocabulary of words has it
SILENCE = Hypothesis([], score=0.0, log_probability=0.0, attention=None)  # the translation of nothing


@final
class Translation(Task):
    """An encoder and a decoder of any cell, with attention and beam search.

    Args:
        embedding: How the vectors of words start: one-hot (as wide as the vocabulary, and never trained),
            zero, uniform or normal (see embedding_scale), xavier or he; of words that data.source_vectors or
            data.target_vectors have, as there.
        embedding_size: Width of the embeddings, and of the vectors that words are predicted from; embeddings
            that start from a file are as wide as those there.
        embedding_scale: A uniform start is between minus and plus this; of a normal one it is the standard
            deviation; embedding_size ** -0.5 if not said.
        embedding_frozen: Whether embeddings stay as they start.
        attention: How the decoder attends to the source: additive (Bahdanau et al. 2015), dot, general or
            concat (Luong et al. 2015), or none, for the encoder's last state only.
        bridge: Whether a layer makes the decoder's first state of the encoder's last (Bahdanau et al. 2015,
            A.2.2); else it is that state itself (Sutskever et al. 2014), of an encoder in one direction.
        input_feeding: Whether the attentional vector of one step, which its word is predicted from, is an
            input of the next (Luong et al. 2015, section 3.3).
        teacher_forcing: Probability with which each word that the decoder reads in training is the right one,
            and not the one it finds most probable itself (Bengio et al. 2015); below 1 it goes step by step.
        reverse_source: Whether the words of the source are read from the last to the first (Sutskever et al.
            2014, section 3.3).
        tied: Whether the target's embedding is the output layer's matrix too (Press & Wolf 2017).
        dropout: Rate on embeddings, on the encoder's outputs, and on the vectors that words are predicted
            from.
        embedding_dropout: Another rate on embeddings.
        label_smoothing: Share of the probability that is spread over all words, in training (Szegedy et al.
            2016).
        beam_size: Hypotheses kept at each step; 1 for greedy search, as validation always is.
        length_penalty: Exponent of GNMT's length normalisation; 0 for none.
        coverage_penalty: Weight of GNMT's coverage penalty; 0 for none.
        min_length: Tokens of a translation at least.
        max_length: Tokens of a translation at most.
        max_ratio: Tokens of a translation at most for each of its source, beside ten; 0 for no such limit.
            The lower it is, the sooner a search knows that what it has found is the best.
        no_repeat_ngram: Length of the n-grams that may not occur twice; 0 for no such rule.
        tokenize: sacrebleu's tokeniser for BLEU; none for text that is tokenised already.
    """

    monitor: ClassVar[str] = "bleu"
    mode: ClassVar[Literal["min", "max"]] = "max"
    pipeline: ClassVar[str | None] = "translation"
    counted: ClassVar[str] = "tokens"

    def __init__(
        self,
        net: Mapping[str, Any],
        meta: Meta,
        *,
        embedding: Initialization = "normal",
        embedding_size: Positive = 256,
        embedding_scale: AboveZero | None = None,
        embedding_frozen: bool = False,
        attention: Mechanism = "additive",
        bridge: bool = True,
        input_feeding: bool = False,
        teacher_forcing: Share = 1.0,
        reverse_source: bool = False,
        tied: bool = True,
        dropout: Rate = 0.2,
        embedding_dropout: Rate | None = None,
        label_smoothing: Share = 0.1,
        beam_size: Positive = 5,
        length_penalty: NonNegative = 1.0,
        coverage_penalty: NonNegative = 0.0,
        min_length: Count = 0,
        max_length: Positive = 100,
        max_ratio: NonNegative = 2.0,
        no_repeat_ngram: Count = 0,
        tokenize: BleuTokens = "13a",
    ) -> None:
        super().__init__(net, meta)
        if attention == "none" and coverage_penalty:
            raise UsageError(
                f"task.coverage_penalty: {coverage_penalty} needs attention, and task.attention is none; "
                "set it to 0"
            )
        if self.net.bidirectional and not bridge:
            raise UsageError(
                "task.bridge: the decoder cannot start from the states of two directions; set "
                "task.bridge=true or net.bidirectional=false"
            )
        self.source = Vocabulary.from_plain(meta["source"])
        self.target = Vocabulary.from_plain(meta["target"])
        self.label_smoothing, self.tokenize, self.reverse_source = label_smoothing, tokenize, reverse_source
        self.search = Search(
            beam_size=beam_size,
            length_penalty=length_penalty,
            coverage_penalty=coverage_penalty,
            min_length=min_length,
            max_length=max_length,
            no_repeat_ngram=no_repeat_ngram,
            max_ratio=max_ratio,
        ).checked("task.")
        self.hparams["meta"] = without_vector_files(meta, "source_vectors", "target_vectors")
        made = partial(
            embeddings,
            initialization=embedding,
            size=embedding_size,
            scale=embedding_scale,
            frozen=embedding_frozen,
        )
        if meta["shared_vocabulary"]:
            target = self.embedding = made(self.source, meta["source_vectors"])
        else:
            target = made(self.target, meta["target_vectors"])
            self.embedding = made(self.source, meta["source_vectors"])
        self.encoder = self.net.encoder(self.embedding.embedding_dim)
        embedding_dropout = dropout if embedding_dropout is None else embedding_dropout
        self.decoder = Decoder(
            target,
            embedding_size,
            self.net,
            source_sizes=self.encoder.state_sizes,
            value_size=self.encoder.output_size,
            mechanism=attention,
            bridged=bridge,
            input_feeding=input_feeding,
            teacher_forcing=teacher_forcing,
            tied=tied,
            embedding_dropout=embedding_dropout,
            dropout=dropout,
        )
        self.embedding_dropout, self.dropout = Dropout(embedding_dropout), Dropout(dropout)

    def forward(self, batch: Batch) -> Predictions:
        """Reads the source and the right words before each target word."""
        memory, start = self._encode(batch.inputs, batch.lengths)
        return teacher_forced(self.decoder, self.target, batch, memory, start)

    def loss(self, output: Predictions, batch: Batch) -> Loss:
        """Cross-entropy in nats a token, end of sentence included; smoothed while training."""
        _, *others = self.members
        if others:
            self._require_one_source()
            said = [output, *(other(batch) for other in others)]
            return loss_together([member.decoder for member in self.members], said)
        return loss_of(self.decoder, output, self.label_smoothing if self.training else 0.0)

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Perplexity; BLEU and chrF, of greedy search in validation and of the beam in the test."""
        return {"perplexity": Perplexity(), "text": Translations(self.tokenize)}

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Predictions, loss: Loss, split: Split
    ) -> None:
        """Adds the losses and the translations of a batch."""
        metrics["perplexity"].update(loss.total, loss.count)
        search = self.search if split == "test" else self.search._replace(beam_size=1)
        texts = [self._text(found) for found in self._translate(batch.inputs, batch.lengths, search)]
        metrics["text"].update(batch.index, texts, batch.references)

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        """Source, reference and translation; and the alignment, if the model has attention."""
        found = self._translate(batch.inputs, batch.lengths, self.search)
        assert batch.references is not None
        return [
            self._sample(source[:length], reference, best)
            for source, length, (reference, *_), (best, *_) in zip(
                batch.inputs.tolist(), batch.lengths.tolist(), batch.references, found, strict=True
            )
        ]

    def figures(self, batch: Batch) -> dict[str, Figure]:
        """The alignment of the first sentence, where there is attention."""
        first = batch.inputs[:1, : int(batch.lengths[0])]  # (1, S)
        ((best, *_),) = self._translate(first, batch.lengths[:1], self.search)
        source = first[0].tolist()
        return {"attention": self._figure(source, best)} if best.is_aligned else {}

    def predict(
        self,
        lines: Iterable[str],
        *,
        mode: Mode = "translate",
        beam_size: Positive | None = None,
        n_best: Positive = 1,
        length_penalty: NonNegative | None = None,
        coverage_penalty: NonNegative | None = None,
        min_length: Count | None = None,
        max_length: Positive | None = None,
        max_ratio: NonNegative | None = None,
        no_repeat_ngram: Count | None = None,
        replace_unknown: bool = False,
        scores: bool = False,
        attention: str | None = None,
        batch_size: Positive = 64,
        read_ahead: Positive | None = None,
    ) -> Iterator[str]:
        """Translates line by line, or tells how probable given translations are.

        Args:
            lines: Source sentences; with mode=score each with its translations, ``source ||| translation``,
                of which there may be several, or tabs in place of the bars.
            mode: translate searches for translations; score gives the natural logarithm of the probability of
                each that is given, its end included.
            beam_size: Hypotheses kept at each step; as trained if not said.
            n_best: Translations a line, of a beam that is at least as wide; above 1 in Moses' form,
                ``number ||| translation ||| score``.
            length_penalty: Exponent of the length normalisation; if not said as trained, and with mode=score
                none.
            coverage_penalty: Weight of the coverage penalty; if not said as trained, and with mode=score
                none.
            min_length: Tokens at least; as trained if not said.
            max_length: Tokens at most; as trained if not said.
            max_ratio: Tokens at most for each of the source, beside ten; as trained if not said.
            no_repeat_ngram: Length of the n-grams that may not occur twice; as trained if not said.
            replace_unknown: Whether the unknown word may be written, in whose place stands the word of the
                source, as it is there, that it looked at most (Luong et al. 2015b, Jean et al. 2015): names
                and numbers are copied. Without it, only known words are written.
            scores: Whether each line is written in Moses' form, with its score, also where there is one.
            attention: A PNG file to draw the alignment of the first line in.
            batch_size: Lines translated together.
            read_ahead: Lines read before the first of them is answered, so that those translated together are
                of like length; ten batches if not said, but with batch_size=1 each is answered as it comes.

        Returns:
            One line for each line read, in order (``n_best`` lines where that is above 1); the translation of
            nothing, or of blanks alone, is empty. With mode=score one line for each translation, in Moses'
            form.

        Raises:
            UsageError: a coverage penalty, an alignment or words of the source are asked of a model without
                attention, or the latter of one of sub-words; the least length is above the most; or an option
                is given that is of no use in the mode.
            InputError: with mode=score, a line has no translation, or its source is empty.
        """
        if mode == "score":
            refuse_idle(
                mode,
                OF_SCORES,
                beam_size=beam_size,
                n_best=None if n_best == 1 else n_best,
                min_length=min_length,
                max_length=max_length,
                max_ratio=max_ratio,
                no_repeat_ngram=no_repeat_ngram,
                replace_unknown=replace_unknown or None,
                scores=scores or None,
                attention=attention,
            )
            length_penalty, coverage_penalty = length_penalty or 0.0, coverage_penalty or 0.0
        search = self.search.changed(
            n_best,
            beam_size=beam_size,
            length_penalty=length_penalty,
            coverage_penalty=coverage_penalty,
            min_length=min_length,
            max_length=max_length,
            max_ratio=max_ratio,
            no_repeat_ngram=no_repeat_ngram,
            unknown=replace_unknown,
        )
        if replace_unknown:
            refuse_unaligned(self.decoder.attention is not None, self.target)
        if search.coverage_penalty and self.decoder.attention is None:
            raise UsageError(
                f"coverage_penalty: {search.coverage_penalty} needs attention, and the model was trained "
                "with task.attention=none; leave it out"
            )
        picture = None if attention is None else attention_file(attention, self.decoder)
        if read_ahead is None:
            read_ahead = 1 if batch_size == 1 else READ_AHEAD * batch_size
        if mode == "score":
            yield from scored(lines, lambda pairs: self._score(pairs, batch_size, search), read_ahead)
            return
        number = 0
        for chunk in together(lines, read_ahead):
            found = self._answer(chunk, batch_size, search)
            if picture is not None and number == 0:
                self._draw(chunk[0], found[0], picture)
            for line, hypotheses in zip(chunk, found, strict=True):
                text_of = partial(with_source_words, vocabulary=self.target, words=WORD.findall(line))
                yield from answer_lines(
                    number, hypotheses, text_of if replace_unknown else self._text_of, scores or n_best > 1
                )
                number += 1

    def agree(self, other: Self) -> None:
        """Another model must write the same tokens; what it reads the source as is its own matter."""
        if found := self.target.difference(other.target):
            raise UsageError(f"expected one target vocabulary, got {found}; train both on the same data")

    def graph(self) -> Graph:
        """The encoder: its outputs ``(N, S, H)``, from the numbers of words ``(N, S)``."""
        return Graph(
            lambda inputs, lengths: self._read(inputs, lengths)[0],
            "states",
            lambda *size: torch.randint(len(self.source), size),
        )

    def views(self) -> list[View]:
        """Translation with its attention, and the units of the encoder."""
        return [View.of("translate", self.translate), activations(self.encoder, self._read_aloud, " ")]

    def translate(
        self,
        line: str,
        *,
        beam_size: Positive | None = None,
        n_best: Positive = 1,
        length_penalty: NonNegative | None = None,
        no_repeat_ngram: Count | None = None,
    ) -> Iterator[dict[str, Exhibit]]:
        """Translates a sentence, and shows the attention: how much each of its words counted for each word.

        Args:
            line: The sentence.
            beam_size: Hypotheses kept at each step; as trained if not said.
            n_best: Translations.
            length_penalty: Exponent of the length normalisation; as trained if not said.
            no_repeat_ngram: Length of the n-grams that may not occur twice; as trained if not said.

        Returns:
            The translation; its attention, if the model has any; and the other translations, best first.
        """
        search = self.search.changed(
            n_best, beam_size=beam_size, length_penalty=length_penalty, no_repeat_ngram=no_repeat_ngram
        )
        (hypotheses,) = self._answer([line], 1, search)
        best = hypotheses[0]
        attention = None
        if best.is_aligned:
            from rnnx.tasks.parts.pictures.attention_map import shaded

            alt = f"What was looked at in '{line}' for each word of the translation"
            source = self._numbers(line)
            text = shaded(*self._aligned(source, best))
            attention = Drawing(text, alt, partial(self._figure, source, best))
        yield exhibits("translation", hypotheses, self.target, attention)

    def _numbers(self, line: str) -> list[int]:
        """A source sentence with its end."""
        (tokens,) = self.source.encode([line])
        return [*tokens, self.source.eos]

    def _read_aloud(self, line: str) -> list[str]:
        """Has the encoder read a sentence, and gives its tokens as text."""
        source = self._numbers(line)
        tokens, lengths = torch.tensor([source], device=self.device), torch.tensor([len(source)])
        self._encode(tokens, lengths)
        if self.reverse_source:
            tokens = tokens.gather(1, _backwards(tokens, lengths))
        return [self.source.tokens[token] for token in tokens[0].tolist()]

    def _answer(self, lines: Sequence[str], batch_size: int, search: Search) -> list[list[Hypothesis]]:
        """The translations of each line, best first; those of blanks alone are empty."""
        found: list[list[Hypothesis]] = [[SILENCE] * search.n_best for _ in lines]
        spoken = [place for place, line in enumerate(lines) if line.strip()]
        sources = [member._sources(lines[place] for place in spoken) for member in self.members]
        translations = in_order(
            list(zip(*sources, strict=True)),
            batch_size,
            lambda batch: self._search(batch, search),
            length=lambda source: len(source[0]),
        )
        for place, hypotheses in zip(spoken, translations, strict=True):
            found[place] = hypotheses
        return found

    def _score(self, pairs: Sequence[tuple[str, str]], batch_size: int, search: Search) -> list[float]:
        """The score of each source and translation, with the penalties of a search."""
        texts, targets = [source for source, _ in pairs], self.target.encode(target for _, target in pairs)
        sources = zip(*(member._sources(texts) for member in self.members), strict=True)
        ends = [torch.tensor([*target, self.target.eos]) for target in targets]
        rows = list(map(Pair, sources, ends))
        return in_order(
            rows, batch_size, lambda batch: self._rated(batch, search), length=lambda pair: pair.length
        )

    @torch.inference_mode()
    def _rated(self, pairs: Sequence[Pair], search: Search) -> list[float]:
        targets, target_lengths = padded([pair.target for pair in pairs], self.target.pad)
        said = []
        for member, rows in zip(
            self.members, zip(*(pair.sources for pair in pairs), strict=True), strict=True
        ):
            inputs, lengths = padded(rows, member.source.pad)
            batch = Batch(inputs, lengths, targets, torch.arange(len(pairs)), target_lengths)
            predictions = member(batch.to(self.device))
            said.append(predictions if self._reads_as(member) else predictions._replace(attention=None))
        decoders = [member.decoder for member in self.members]
        return scores_of(decoders, said, target_lengths, search.length_penalty, search.coverage_penalty)

    def _sources(self, lines: Iterable[str]) -> list[Tensor]:
        """The numbers of each line, and the end."""
        return [torch.tensor([*ids, self.source.eos]) for ids in self.source.encode(lines)]

    def _search(self, sources: Sequence[tuple[Tensor, ...]], search: Search) -> list[list[Hypothesis]]:
        """The translations of lines, of each of which every member has numbers of its own."""
        read = zip(self.members, zip(*sources, strict=True), strict=True)
        return self._write([padded(rows, member.source.pad) for member, rows in read], search)

    @torch.inference_mode()
    def _write(self, inputs: Sequence[tuple[Tensor, Tensor]], search: Search) -> list[list[Hypothesis]]:
        """The translations of what each member is to read, ``(N, S)`` and ``(N,)``."""
        readings = [
            Reading(
                member.decoder,
                *member._encode(tokens.to(self.device), lengths.to(self.device)),
                shown=self._reads_as(member),
            )
            for member, (tokens, lengths) in zip(self.members, inputs, strict=True)
        ]
        return generate(readings, self.target, search)

    def _encode(self, tokens: Tensor, lengths: Tensor) -> tuple[Memory, State]:
        """What the decoder attends to, and the state that it starts from."""
        values, state = self._read(tokens, lengths)
        mask = real_steps(tokens, lengths)  # (N, S)
        return self.decoder.memory(self.dropout(values), mask), self.decoder.start(state)

    def _read(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """The encoder's outputs ``(N, S, E)``, each in the place of its word, and its last state."""
        if not self.reverse_source:
            return self.encoder(self.embedding_dropout(self.embedding(tokens)), lengths)
        order = _backwards(tokens, lengths)
        values, state = self.encoder(self.embedding_dropout(self.embedding(tokens.gather(1, order))), lengths)
        return values.gather(1, order.unsqueeze(-1).expand_as(values)), state

    def _translate(self, tokens: Tensor, lengths: Tensor, search: Search) -> list[list[Hypothesis]]:
        """The translations of what a batch has, which is in the numbers of this model's source."""
        self._require_one_source()
        return self._write([(tokens, lengths)] * len(self.members), search)

    def _reads_as(self, other: Self) -> bool:
        """Whether the places of a source are the same for another model."""
        return not self.source.difference(other.source)

    def _require_one_source(self) -> None:
        """Refuses members that could not read a batch."""
        for member in self.members[1:]:
            if found := self.source.difference(member.source):
                raise UsageError(
                    "data.test: expected runs of one source vocabulary, in whose numbers the data are, got "
                    f"{found}; translate with rnnx predict, where each reads with its own"
                )

    def _text(self, hypotheses: Sequence[Hypothesis]) -> str:
        return self._text_of(hypotheses[0])

    def _text_of(self, hypothesis: Hypothesis) -> str:
        return self.target.decode(hypothesis.tokens)

    def _sample(self, source: Sequence[int], reference: str, best: Hypothesis) -> dict[str, Exhibit]:
        text, translation = self.source.decode(source), self.target.decode(best.tokens)
        sample: dict[str, Exhibit] = {
            "source": Text(text),
            "reference": Text(reference),
            "translation": Text(translation),
        }
        if best.attention is not None:
            alt = f"What was looked at in '{text}' for each word of '{translation}'"
            draw = partial(self._figure, source, best)
            sample["attention"] = Drawing("", alt, draw) if best.tokens else Text("")
        return sample

    def _figure(self, source: Sequence[int], best: Hypothesis) -> Figure:
        from rnnx.tasks.parts.pictures.attention_map import alignment

        return alignment(*self._aligned(source, best))

    def _aligned(self, source: Sequence[int], best: Hypothesis) -> tuple[Tensor, list[str], list[str]]:
        """The attention, the tokens read and those written."""
        assert best.attention is not None
        read = [self.source.tokens[token] for token in source]
        written = [self.target.tokens[token] for token in best.tokens]
        return best.attention[:, : len(source)], read, written

    def _draw(self, line: str, hypotheses: Sequence[Hypothesis], path: Path) -> None:
        from rnnx.core.plots import save

        if hypotheses[0].is_aligned:
            save(self._figure(self._numbers(line), hypotheses[0]), path)


def _backwards(tokens: Tensor, lengths: Tensor) -> Tensor:
    """The places ``(N, S)`` that words are read from when they are reversed, and their end stays last."""
    places = torch.arange(tokens.shape[1], device=tokens.device)
    mirrored = lengths.to(tokens.device).unsqueeze(1) - 2 - places  # (N, S)
    return torch.where(mirrored >= 0, mirrored, places)
