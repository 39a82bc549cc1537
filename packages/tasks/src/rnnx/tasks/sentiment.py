"""Sentiment, or any other label of a text: read in order, or composed along its tree (Tai et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Self, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric, Metric

from rnnx.core.batch import Batch
from rnnx.core.bounds import AboveZero, Positive, Rate
from rnnx.core.data import Meta, Split
from rnnx.core.errors import UsageError
from rnnx.core.exhibits.activations import activations
from rnnx.core.exhibits.bars import Bars
from rnnx.core.exhibits.exhibit import Exhibit, Spans, Text
from rnnx.core.exhibits.heat import Heat
from rnnx.core.exhibits.palettes import scale
from rnnx.core.exhibits.view import View
from rnnx.core.graph import Graph
from rnnx.core.nets.dropout import Dropout
from rnnx.core.nets.linear import Linear
from rnnx.core.nets.padding import real_steps
from rnnx.core.task import Loss, Task
from rnnx.tasks.parts.ensemble import mean
from rnnx.tasks.parts.lines import each, together
from rnnx.tasks.parts.nets.cross_entropy import IGNORED
from rnnx.tasks.parts.nets.embeddings import Initialization, embeddings, without_vector_files
from rnnx.tasks.parts.nets.pooling import Pooling, pool
from rnnx.tasks.parts.pictures.phrases import Phrases
from rnnx.tasks.parts.scores.confusion import ClassScores, confusion_figures
from rnnx.tasks.parts.texts.reader import Example, Reader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WATCHED: Final = 200  # words of a text that are watched one by one, at most


@final
class Logits(NamedTuple):
    """The logits of the classes.

    Attributes:
        texts: Of each text; of a tree they are its root's. ``(N, C)``.
        nodes: Of each node of the trees, ``(N, T, C)``; None if the texts have no trees.
    """

    texts: Tensor
    nodes: Tensor | None


@final
class Sentiment(Task):
    """Tells the class of a text, from what a net of any cell makes of it.

    A text is read in order, and its class told from its outputs, pooled. Where the data has trees, the net
    composes along them: a leaf's input is the embedding of its word, an inner node's is zero; the class of
    each node is told from its output, and that of the text is the root's.

    Args:
        embedding: How the vectors of words start: one-hot (as wide as the vocabulary, and never trained),
            zero, uniform or normal (see embedding_scale), xavier or he; of words that data.vectors has, as
            there.
        embedding_size: Width of the embeddings; with data.vectors they are as wide as those.
        embedding_scale: A uniform start is between minus and plus this; of a normal one it is the standard
            deviation.
        embedding_frozen: Whether embeddings stay as they start.
        pooling: What of the outputs the class of a text is told from: the last one (also the first, of a net
            that reads both ways), their mean, their maximum, or their mean weighted by attention.
        all_nodes: Whether each labelled node of a tree counts in the loss, or its root alone.
        embedding_dropout: Rate on embeddings.
        dropout: Rate on what classes are told from.
    """

    monitor: ClassVar[str] = "accuracy"
    mode: ClassVar[Literal["min", "max"]] = "max"
    pipeline: ClassVar[str | None] = "text-classification"
    counted: ClassVar[str] = "labels"

    def __init__(
        self,
        net: Mapping[str, Any],
        meta: Meta,
        *,
        embedding: Initialization = "normal",
        embedding_size: Positive = 100,
        embedding_scale: AboveZero = 0.1,
        embedding_frozen: bool = False,
        pooling: Pooling = "last",
        all_nodes: bool = True,
        embedding_dropout: Rate = 0.0,
        dropout: Rate = 0.2,
    ) -> None:
        super().__init__(net, meta)
        self.hparams["meta"] = without_vector_files(meta, "vectors")
        self.reader = Reader.from_plain(meta)
        if self.reader.trees and self.net.bidirectional:
            raise UsageError(
                "net.bidirectional: a tree is composed from its leaves to its root, in one direction; set "
                "net.bidirectional=false, or give texts without trees"
            )
        if self.reader.trees and pooling != "last":
            raise UsageError(
                f"task.pooling: the class of a tree is told from its root alone, got {pooling}; set "
                "task.pooling=last, or give texts without trees"
            )
        self.embedding = embeddings(
            self.reader.vocabulary,
            meta["vectors"],
            embedding,
            size=embedding_size,
            scale=embedding_scale,
            frozen=embedding_frozen,
        )
        self.encoder = self.net.encoder(self.embedding.embedding_dim)
        self.pool = pool(pooling, self.encoder.output_size, self.net.bidirectional)
        self.output = Linear(self.pool.output_size, len(self.reader.classes))
        self.embedding_dropout, self.dropout = Dropout(embedding_dropout), Dropout(dropout)
        self.all_nodes = all_nodes
        self._confusions: dict[Split, ClassScores] = {}

    def forward(self, batch: Batch) -> Logits:
        """Reads texts, or composes along trees; the probabilities of several models are averaged."""
        told = [member._told(batch) for member in self.members]
        if len(told) == 1:
            return told[0]
        nodes = [one.nodes.log_softmax(-1) for one in told if one.nodes is not None]
        return Logits(mean([one.texts.log_softmax(-1) for one in told]), mean(nodes) if nodes else None)

    def _told(self, batch: Batch) -> Logits:
        x = self.embedding_dropout(self.embedding(batch.inputs))  # (N, T, E)
        if batch.parents is None:
            y, _ = self.encoder(x, batch.lengths)  # (N, T, H)
            pooled = self.pool(y, real_steps(y, batch.lengths))
            return Logits(self.output(self.dropout(pooled)), None)
        x = x * (batch.inputs != self.reader.vocabulary.pad).unsqueeze(-1)
        y, _ = self.encoder(x, trees=batch.trees)
        nodes = self.output(self.dropout(y))  # (N, T, C)
        return Logits(nodes[batch.parents == -1], nodes)

    def loss(self, output: Logits, batch: Batch) -> Loss:
        """Cross-entropy in nats a text; of trees a labelled node, or a tree."""
        if output.nodes is not None and self.all_nodes:
            labelled = batch.targets != IGNORED
            logits = output.nodes[labelled]
            targets = batch.targets[labelled]
        else:
            logits = output.texts
            targets = _targets(batch)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        total = F.cross_entropy(logits, targets, reduction="sum")
        return Loss(total, torch.tensor(len(targets), device=total.device))

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Accuracy and macro F1 of texts, or of roots, and of trees the accuracy of all labelled nodes."""
        self._confusions[split] = ClassScores(len(self.reader.classes))
        metrics: dict[str, Metric] = {"confusion": self._confusions[split]}
        if self.reader.trees:
            metrics["node_accuracy"] = MeanMetric(nan_strategy="disable")
        return metrics

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Logits, loss: Loss, split: Split
    ) -> None:
        """Adds the answers of a batch."""
        metrics["confusion"].update(_targets(batch), output.texts.argmax(-1))
        if output.nodes is not None:
            labelled = batch.targets != IGNORED
            right = output.nodes.argmax(-1)[labelled] == batch.targets[labelled]
            metrics["node_accuracy"].update(100.0 * right)

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        """The text or the tree, its class and the answer; of trees also the answer at each phrase."""
        output: Logits = self(batch)
        return [self._sample(batch, output, row) for row in range(len(batch))]

    def figures(self, batch: Batch) -> dict[str, Figure]:
        """The confusion matrix of the last test, if there was one."""
        return confusion_figures(self._confusions.get("test"), self.reader.classes)

    def predict(self, lines: Iterable[str], *, batch_size: Positive = 64) -> Iterator[str]:
        """Tells the class of each line.

        Args:
            lines: Texts; bracketed trees where the model was trained on trees, whose labels may be anything.
            batch_size: Lines read and answered together.

        Returns:
            The class and its probability, a tab between them.

        Raises:
            InputError: a line is to be a tree and is none.
        """
        for examples in together(each(lines, self.reader.read), batch_size):
            batch = self.reader.batch(examples, range(len(examples))).to(self.device)
            with torch.no_grad():
                probabilities, answers = self(batch).texts.float().softmax(-1).max(-1)
            for probability, answer in zip(probabilities.tolist(), answers.tolist(), strict=True):
                yield f"{self.reader.classes[answer]}\t{probability:.4f}"

    def agree(self, other: Self) -> None:
        """Another model must read the same words, of texts or of trees, and tell the same classes."""
        if found := self.reader.vocabulary.difference(other.reader.vocabulary):
            raise UsageError(f"expected one vocabulary, got {found}; train both on the same data")
        if self.reader.classes != other.reader.classes:
            both = " and ".join(", ".join(one.reader.classes) for one in (self, other))
            raise UsageError(f"expected the same classes, got {both}; train both on the same data")
        if self.reader.trees != other.reader.trees:
            raise UsageError("expected two that read trees, or none, got one; train both on the same data")

    def views(self) -> list[View]:
        """The class, and of a text the units of the net; of a tree the class of each phrase."""
        views = [View.of("classify", self.classify)]
        return views if self.reader.trees else [*views, activations(self.encoder, self._read_aloud, " ")]

    def classify(self, line: str) -> Iterator[dict[str, Exhibit]]:
        """Tells the class of a text or of a tree.

        Each word of a text is coloured by what the class would be if the text ended there: from vermilion for
        the first class to blue for the last. Below each phrase of a tree is the colour of its class.

        Args:
            line: The text; a bracketed tree where the model was trained on trees.

        Returns:
            The class and the probability of each; of a tree the class of each phrase; of a text its words in
            colours.
        """
        (example,) = each([line], self.reader.read)
        with torch.no_grad():
            batch = self.reader.batch([example], [0]).to(self.device)
            output: Logits = self(batch)
        classes, colours = self.reader.classes, scale(self.reader.classes)
        shares = list(zip(classes, output.texts.float().softmax(-1)[0].tolist(), strict=True))
        answer, _ = max(shares, key=lambda share: share[1])
        shown: dict[str, Exhibit] = {
            "class": Spans(answer, [(answer, answer)], colours),
            "probabilities": Bars.of(shares),
        }
        if output.nodes is not None:
            tree = self.reader.named(batch, 0, output.nodes[0].argmax(-1).tolist())
            shown["phrases"] = Phrases(answer, tree, colours)
        elif 0 < len(example.tokens) <= WATCHED:
            shown["as it is read"] = self._as_read(example)
        yield shown

    @torch.no_grad()
    def _as_read(self, example: Example) -> Heat:
        """The words of a text, coloured by the class of what has been read up to each."""
        starts = [example._replace(tokens=example.tokens[: end + 1]) for end in range(len(example.tokens))]
        batch = self.reader.batch(starts, range(len(starts))).to(self.device)
        shares = self(batch).texts.float().softmax(-1)  # (T, C)
        values = shares @ torch.linspace(-1, 1, shares.shape[1]).to(shares)  # (T,)
        words = [self.reader.vocabulary.tokens[token] for token in example.tokens.tolist()]
        columns = [[(f"{word} ", value)] for word, value in zip(words, values.tolist(), strict=True)]
        return Heat(" ".join(f"{word}{value:+.2f}" for ((word, value),) in columns), columns)

    def _read_aloud(self, line: str) -> list[str]:
        """Has the net read a text, and gives its words."""
        (example,) = each([line], self.reader.read)
        if not len(example.tokens):
            return []
        self(self.reader.batch([example], [0]).to(self.device))
        return [self.reader.vocabulary.tokens[token] for token in example.tokens.tolist()]

    def _sample(self, batch: Batch, output: Logits, row: int) -> dict[str, Exhibit]:
        colours = scale(self.reader.classes)
        line = self.reader.line(batch, row)
        expected = self.reader.classes[int(_targets(batch)[row])]
        answer = self.reader.classes[int(output.texts[row].argmax())]
        expected_class = Spans(expected, [(expected, expected)], colours)
        if output.nodes is None:
            answered_class = Spans(answer, [(answer, answer)], colours)
            return {"text": Text(line), "expected": expected_class, "answer": answered_class}
        true = self.reader.named(batch, row, batch.targets[row].tolist())
        answered = self.reader.named(batch, row, output.nodes[row].argmax(-1).tolist())
        return {
            "text": Phrases(line, true, colours),
            "expected": expected_class,
            "answer": Phrases(answer, answered, colours),
        }

    def graph(self) -> Graph:
        """The scores of the classes ``(N, C)``, from the numbers of words ``(N, T)``."""
        if self.reader.trees:
            raise UsageError("ONNX has no operator that composes along trees; export a folder instead")
        return Graph(
            lambda inputs, lengths: self(Batch(inputs, lengths, lengths, lengths)).texts,
            "scores",
            lambda *size: torch.randint(len(self.reader.vocabulary), size),
        )


def _targets(batch: Batch) -> Tensor:
    """The class of each text, which is that of a tree's root, ``(N,)``."""
    return batch.targets if batch.parents is None else batch.targets[batch.parents == -1]
