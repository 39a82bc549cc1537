"""From texts and trees to batches: what data reads and what a prediction reads is made numbers in one way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.data import Meta
from rnnx.core.trees import Trees
from rnnx.tasks.parts.files.brackets import Tree, format_tree, parse_tree
from rnnx.tasks.parts.nets.cross_entropy import IGNORED
from rnnx.tasks.parts.padding import padded
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

ABSENT: Final = -2  # the parent of padding
LINE_BREAK: Final = re.compile(r"<br\s*/?>")
WORD: Final = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")


@final
class Example(NamedTuple):
    """A text or a tree in numbers.

    Attributes:
        tokens: ``(T,)``, of each word, or of each node of a tree: that of padding where the node has no word.
        labels: ``(1,)``, that of the text; or ``(T,)``, that of each node.
        parents: ``(T,)``, the number of each node's parent, -1 at the root; none, ``(0,)``, of a text.
    """

    tokens: Tensor
    labels: Tensor
    parents: Tensor


@final
class Reader:
    """Makes numbers of texts or of trees, and batches of them.

    Args:
        vocabulary: Of the words.
        classes: The names of the classes, in the order of their numbers.
        trees: Whether it reads trees.
        apart: Whether texts are :func:`taken_apart` first.
        max_length: Tokens of a text that are read, the first ones; None for all. A tree is always read whole.

    Example:
        >>> words = Vocabulary.train(["so good", "so bad"], "word", specials=("<pad>", "<unk>"))
        >>> reader = Reader(words, ["bad", "good"], trees=True)
        >>> examples = [reader.tree(parse_tree(line)) for line in ("(good (? so) (good good))", "(bad bad)")]
        >>> batch = reader.batch(examples, [7, 8])
        >>> batch.inputs.tolist(), batch.lengths.tolist(), batch.targets.tolist()
        ([[2, 4, 0], [3, 0, 0]], [3, 1], [[-100, 1, 1], [0, -100, -100]])
        >>> reader.line(batch, 0)
        '(1 (? so) (1 good))'
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        classes: Sequence[str],
        trees: bool = False,
        apart: bool = False,
        max_length: int | None = None,
    ) -> None:
        self.vocabulary, self.classes, self.trees = vocabulary, list(classes), trees
        self.apart, self.max_length = apart, max_length
        self._classes = {name: number for number, name in enumerate(classes)}

    @classmethod
    def from_plain(cls, plain: Meta) -> Reader:
        """The reader that :meth:`to_plain` wrote into a meta."""
        vocabulary = Vocabulary.from_plain(plain["vocabulary"])
        return cls(vocabulary, plain["classes"], plain["trees"], plain["apart"], plain["max_length"])

    def to_plain(self) -> Meta:
        """All it takes to make the reader again, as plain JSON types."""
        return {
            "vocabulary": self.vocabulary.to_plain(),
            "classes": self.classes,
            "trees": self.trees,
            "apart": self.apart,
            "max_length": self.max_length,
        }

    def read(self, line: str) -> Example:
        """What a user asks about: a text, or a bracketed tree, whose labels need be none of the classes.

        Raises:
            ValueError: it is to be a tree and is none.
        """
        return self.tree(parse_tree(line)) if self.trees else self.text(line)

    def text(self, text: str, label: str = "") -> Example:
        """A text with its class; of a name that is none there is no label."""
        (tokens,) = self.vocabulary.encode([taken_apart(text) if self.apart else text])
        return Example(_numbers(tokens[: self.max_length]), self._labels([label]), _numbers([]))

    def tree(self, tree: Tree) -> Example:
        """A tree with the class of each node; of a label that is none there is no label."""
        (words,) = self.vocabulary.encode([tree.text])
        leaf = torch.tensor([bool(word) for word in tree.words])
        tokens = torch.full((len(leaf),), self.vocabulary.pad)
        tokens[leaf] = _numbers(words)
        return Example(tokens, self._labels(tree.labels), _numbers(tree.parents))

    def batch(self, examples: Sequence[Example], index: Sequence[int]) -> Batch:
        """Examples as one batch.

        Args:
            examples: ``N`` of them.
            index: The position of each in its split.

        Returns:
            ``inputs`` and ``lengths`` of at least one step; of texts ``targets`` ``(N,)``; of trees
            ``targets`` and ``parents`` ``(N, T)``, and ``trees``.
        """
        inputs, lengths = padded([example.tokens for example in examples], self.vocabulary.pad)
        if not self.trees:
            if inputs.shape[1] == 0:  # of empty texts alone: a net reads one step at least
                inputs = F.pad(inputs, (0, 1), value=self.vocabulary.pad)
            classes = torch.cat([example.labels for example in examples])
            return Batch(inputs, lengths, classes, torch.tensor(index))
        parents, _ = padded([example.parents for example in examples], ABSENT)
        targets, _ = padded([example.labels for example in examples], IGNORED)
        trees = Trees.of(parents, silent=inputs == self.vocabulary.pad)
        return Batch(inputs, lengths, targets, torch.tensor(index), parents=parents, trees=trees)

    def line(self, batch: Batch, row: int) -> str:
        """One example of a batch as :meth:`read` takes it, its labels the numbers of the classes or ``?``."""
        if batch.parents is None:
            return self.vocabulary.decode(batch.inputs[row, : int(batch.lengths[row])].tolist())
        labels = ["?" if label == IGNORED else str(label) for label in batch.targets[row].tolist()]
        return format_tree(self._tree(batch, row, labels))

    def named(self, batch: Batch, row: int, labels: Sequence[int]) -> Tree:
        """One tree of a batch under other labels, the names of their classes; empty where there is no label.

        Args:
            batch: Of trees.
            row: Which.
            labels: Of its nodes at least, the numbers of their classes.
        """
        return self._tree(batch, row, ["" if label == IGNORED else self.classes[label] for label in labels])

    def _tree(self, batch: Batch, row: int, labels: Sequence[str]) -> Tree:
        assert batch.parents is not None
        length = int(batch.lengths[row])
        tokens = batch.inputs[row, :length].tolist()
        words = ["" if token == self.vocabulary.pad else self.vocabulary.tokens[token] for token in tokens]
        return Tree(words, list(labels[:length]), batch.parents[row, :length].tolist())

    def _labels(self, names: Sequence[str]) -> Tensor:
        return _numbers([self._classes.get(name, IGNORED) for name in names])


def taken_apart(text: str) -> str:
    """Words and punctuation separated by blanks; an HTML line break is a blank.

    Example:
        >>> taken_apart("Well,<br />it's so-so...")
        "Well , it's so-so . . ."
    """
    return " ".join(WORD.findall(LINE_BREAK.sub(" ", text)))


def _numbers(numbers: Sequence[int]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.long)
