"""Named entities: who and what a text speaks of (Lample et al. 2016; Ma & Hovy 2016)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, final

import torch
from torch import Tensor
from torchmetrics import Metric

from rnnx.core.batch import Batch
from rnnx.core.bounds import AboveZero, Count, Positive, Rate
from rnnx.core.data import Meta, Split
from rnnx.core.exhibits.activations import activations
from rnnx.core.exhibits.exhibit import Exhibit, Text
from rnnx.core.exhibits.palettes import distinct
from rnnx.core.exhibits.view import View
from rnnx.core.graph import Graph
from rnnx.core.nets.dropout import Dropout
from rnnx.core.nets.linear import Linear
from rnnx.core.nets.padding import real_steps
from rnnx.core.task import Loss, Task
from rnnx.tasks.parts.lines import together
from rnnx.tasks.parts.nets.characters import CharacterEncoder
from rnnx.tasks.parts.nets.crf import CRF, Softmax, Tagging
from rnnx.tasks.parts.nets.embeddings import Initialization, embeddings, without_vector_files
from rnnx.tasks.parts.scores.confusion import ConfusionMatrix, confusion_figures
from rnnx.tasks.parts.scores.entity_scores import EntityScores
from rnnx.tasks.parts.texts.lexicon import Lexicon, padded_words
from rnnx.tasks.parts.texts.tagged_text import (
    coloured,
    format_bracketed,
    format_columns,
    format_tagged,
    parse_tagged,
)
from rnnx.tasks.parts.texts.tags import Entity, Tag, entities, legal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLANKS: Final = re.compile(r"[ \t\r\n]+")


@final
class Entities(Task):
    """Finds the names in a sentence, and says what each of them names.

    Each word is its embedding and what a small net of the same cell reads from its characters; the net reads
    the words, and the tags are found from its outputs. For scores as published the net is to read in both
    directions: ``net.bidirectional=true``.

    Args:
        embedding: How the vectors of words start: one-hot (as wide as the vocabulary, and never trained),
            zero, uniform or normal (see embedding_scale), xavier or he; of words that data.vectors has, as
            there.
        embedding_size: Width of the embeddings of words; with data.vectors they are as wide as those.
        embedding_scale: A uniform start is between minus and plus this; of a normal one it is the standard
            deviation.
        embedding_frozen: Whether embeddings of words stay as they start.
        character_size: Width of the cell that reads a word's characters, in each direction; 0 for none.
        character_embedding_size: Width of the embeddings of characters.
        output: How tags are chosen: crf, all of a sentence together; softmax, each by itself.
        constraints: Whether, with a CRF, tags that break their scheme are impossible.
        dropout: Rate on what the net reads and on what it gives.
        singleton_dropout: Rate at which words that occur once in training are made unknown, in training.
    """

    monitor: ClassVar[str] = "f1"
    mode: ClassVar[Literal["min", "max"]] = "max"
    pipeline: ClassVar[str | None] = "token-classification"
    counted: ClassVar[str] = "tokens"

    def __init__(
        self,
        net: Mapping[str, Any],
        meta: Meta,
        *,
        embedding: Initialization = "normal",
        embedding_size: Positive = 100,
        embedding_scale: AboveZero = 0.1,
        embedding_frozen: bool = False,
        character_size: Count = 32,
        character_embedding_size: Positive = 32,
        output: Literal["crf", "softmax"] = "crf",
        constraints: bool = True,
        dropout: Rate = 0.3,
        singleton_dropout: Rate = 0.5,
    ) -> None:
        super().__init__(net, meta)
        self.hparams["meta"] = without_vector_files(meta, "vectors")
        self.lexicon = Lexicon.from_plain(meta["lexicon"])
        self.tags = [Tag.of(text) for text in meta["tags"]]
        self.embedding = embeddings(
            self.lexicon.words,
            meta["vectors"],
            embedding,
            size=embedding_size,
            scale=embedding_scale,
            frozen=embedding_frozen,
        )
        self.characters = (
            CharacterEncoder(net["cell"], self.lexicon.characters, character_embedding_size, character_size)
            if character_size
            else None
        )
        width = self.characters.output_size if self.characters is not None else 0
        self.encoder = self.net.encoder(self.embedding.embedding_dim + width)
        self.scores = Linear(self.encoder.output_size, len(self.tags))
        self.tagging: Tagging = self._crf(constraints) if output == "crf" else Softmax()
        self.dropout = Dropout(dropout)
        self.singleton_dropout = singleton_dropout
        self.types = ["none", *dict.fromkeys(tag.type for tag in self.tags if tag.type)]
        self._confusions: dict[Split, ConfusionMatrix] = {}

    def forward(self, batch: Batch) -> Tensor:
        """The scores of the tags of each word, ``(N, T, K)``."""
        return self._read(batch.inputs, batch.lengths)

    def loss(self, output: Tensor, batch: Batch) -> Loss:
        """The negative log-likelihood in nats a word: of the tags together, or of each."""
        logs = self.tagging.log_likelihood(output, batch.targets, batch.lengths)
        return Loss(-logs.sum(), batch.lengths.sum())

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Precision, recall and F1 of entities, over all and of each type."""
        self._confusions[split] = ConfusionMatrix(len(self.types))
        return {"entities": EntityScores(self.tags), "types": self._confusions[split]}

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Tensor, loss: Loss, split: Split
    ) -> None:
        """Counts the entities of a batch, and which type each word was taken for."""
        predicted = self.tagging.decode(output, batch.lengths)
        metrics["entities"].update(predicted, batch.targets, batch.lengths)
        type_of = torch.tensor([self.types.index(tag.type or "none") for tag in self.tags]).to(self.device)
        real = real_steps(batch.inputs, batch.lengths)  # (N, T)
        metrics["types"].update(type_of[batch.targets[real]], type_of[predicted[real]])

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        """The text, and its entities as they should be and as they are found."""
        assert batch.references is not None
        colours = distinct(self.types[1:])
        rows: list[dict[str, Exhibit]] = []
        for (reference,), found in zip(
            batch.references, self._find(batch.inputs, batch.lengths), strict=True
        ):
            words, expected = parse_tagged(reference)
            rows.append(
                {
                    "text": Text(" ".join(words)),
                    "expected": coloured(words, expected, colours),
                    "found": coloured(words, found, colours),
                }
            )
        return rows

    def figures(self, batch: Batch) -> dict[str, Figure]:
        """Which type each word of the last test was taken for, if there was one."""
        return confusion_figures(self._confusions.get("test"), self.types)

    def predict(
        self,
        lines: Iterable[str],
        *,
        format: Literal["line", "conll", "brackets"] = "line",
        batch_size: Positive = 1,
    ) -> Iterator[str]:
        """Finds the entities of each line.

        Args:
            lines: Sentences, their words (and punctuation) separated by blanks.
            format: line has a tag in IOB2 behind each word, Ada/B-PER ran/O; conll is two columns, the word
                and its tag, and an empty line after each sentence; brackets is for people, [PER Ada] ran.
            batch_size: Lines read and answered together.

        Returns:
            An answer for each line, in order; that to an empty line is empty.
        """
        formatted = {"line": format_tagged, "conll": format_columns, "brackets": format_bracketed}[format]
        for chunk in together(lines, batch_size):
            sentences = [_words(line) for line in chunk]
            found = iter(self._answer([words for words in sentences if words]))
            for words in sentences:
                yield formatted(words, next(found) if words else [])

    def graph(self) -> Graph:
        """The scores of the tags of each word ``(N, T, K)``, which a CRF has still to choose among.

        The inputs ``(N, T, 1 + C)`` are the number of each word, and those of its characters.
        """

        def compute(inputs: Tensor, lengths: Tensor) -> Tensor:
            x = self.embedding(inputs[..., 0])  # (N, T, E)
            if self.characters is not None:
                spelt = self.characters.read(inputs[..., 1:].flatten(0, 1))  # (N T, C)
                x = torch.cat((x, spelt.unflatten(0, inputs.shape[:2])), -1)
            return self.scores(self.encoder(x, lengths)[0])

        def example(rows: int, steps: int) -> Tensor:
            words = torch.randint(len(self.lexicon.words), (rows, steps, 1))
            return torch.cat((words, torch.randint(len(self.lexicon.characters), (rows, steps, 6))), -1)

        return Graph(compute, "scores", example, ("batch", "time", "characters"))

    def views(self) -> list[View]:
        """Entities in colours, and the units of the net over the words."""
        return [View.of("entities", self.mark), activations(self.encoder, self._read_aloud, " ")]

    def mark(self, line: str) -> Iterator[dict[str, Exhibit]]:
        """Finds the entities of a sentence, whose words and punctuation are separated by blanks.

        Args:
            line: The sentence, its words (and punctuation) separated by blanks.

        Returns:
            The sentence, its entities coloured.
        """
        words = _words(line)
        (found,) = self._answer([words]) if words else ([],)
        yield {"entities": coloured(words, found, distinct(self.types[1:]))}

    def _read_aloud(self, line: str) -> list[str]:
        """Has the net read a sentence, and gives its words."""
        words = _words(line)
        self._answer([words] if words else [])
        return words

    def _crf(self, constraints: bool) -> CRF:
        follow = [
            [not constraints or legal(one, other, self.meta["tagging"]) for other in self.tags]
            for one in self.tags
        ]
        may_follow = torch.tensor(follow)
        return CRF(may_follow[0], may_follow, may_follow[:, 0])  # the first tag is the one outside

    def _read(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        words = inputs[..., 0]  # (N, T)
        if self.training and self.singleton_dropout:
            dropped = torch.rand(words.shape, device=words.device) < self.singleton_dropout
            words = words.masked_fill(
                dropped & (words >= self.lexicon.first_singleton), self.lexicon.words.unk
            )
        x = self.embedding(words)  # (N, T, E)
        if self.characters is not None:
            real = real_steps(words, lengths)  # (N, T)
            read = self.characters(inputs[real][:, 1:])  # (M, C), the words that are no padding
            spelt = read.new_zeros(*words.shape, read.shape[1])
            spelt[real] = read
            x = torch.cat((x, spelt), -1)  # (N, T, E + C)
        y, _ = self.encoder(self.dropout(x), lengths)  # (N, T, H)
        return self.scores(self.dropout(y))

    def _answer(self, sentences: Sequence[Sequence[str]]) -> list[list[Entity]]:
        """The entities of sentences, each of one word or more."""
        if not sentences:
            return []
        inputs, lengths = padded_words([self.lexicon.encode(words) for words in sentences])
        return self._find(inputs.to(self.device), lengths.to(self.device))

    @torch.no_grad()
    def _find(self, inputs: Tensor, lengths: Tensor) -> list[list[Entity]]:
        """The entities of each row."""
        best = self.tagging.decode(self._read(inputs, lengths), lengths).tolist()
        return [
            entities(self.tags[number] for number in row[:length])
            for row, length in zip(best, lengths.tolist(), strict=True)
        ]


def _words(line: str) -> list[str]:
    return [word for word in BLANKS.split(line) if word]
