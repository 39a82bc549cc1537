"""Bracketed trees with a label at every node, as the Stanford Sentiment Treebank (Socher et al. 2013)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, final

from annotated_types import Ge

from rnnx.core.data import Split
from rnnx.core.errors import InputError
from rnnx.tasks.data.sentiment.corpus import FIVE, Corpus, LabelledText
from rnnx.tasks.data.sentiment.labelled import Labelled
from rnnx.tasks.parts.files.brackets import Tree, parse_tree
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.given import refuse_unreadable
from rnnx.tasks.parts.files.text import read_lines

TWO: Final = ["negative", "positive"]
NONE: Final = "?"  # the label of a node that is neither negative nor positive


@final
@dataclass(kw_only=True, eq=False)
class Trees(Labelled):
    """Your own trees, UTF-8, one a line: ``(3 (2 It) (4 (2 's) (3 good)))``.

    Brackets, labels and words are separated by blanks (a no-break space is part of its word). Any number of
    children may hang on a node; a label is a number from 0, the worst, to ``labels - 1``, the best.

    Args:
        train: The file of the training trees, plain or .gz.
        valid: The file of the validation trees.
        test: The file of the test trees.
        labels: How many labels there are; five are named from very negative to very positive.
        binary: Whether the lower half of the labels is negative, the upper half positive, a node in the
            middle without a label, and a tree whose root is in the middle left out of every split.
        skip: Whether lines that are no such tree are left out and counted; else they stop the run.
    """

    train: str
    valid: str
    test: str
    labels: Annotated[int, Ge(2)] = 5
    binary: bool = False
    skip: bool = False

    def corpus(self) -> Corpus:
        """Reads the trees of each split.

        Raises:
            UsageError: nothing can be read from a file; all of them are named at once.
            InputError: a line is no tree with such labels.
        """
        files: dict[Split, str] = {"train": self.train, "valid": self.valid, "test": self.test}
        refuse_unreadable(files.items())
        classes = TWO if self.binary else self._names
        return Corpus(classes, {split: self._read(file) for split, file in files.items()})

    @property
    def _names(self) -> list[str]:
        """The class of each label, the worst first."""
        if not self.binary:
            return FIVE if self.labels == len(FIVE) else [str(label) for label in range(self.labels)]
        half = self.labels // 2
        return [TWO[0]] * half + [NONE] * (self.labels % 2) + [TWO[1]] * half

    def _read(self, path: str) -> list[LabelledText]:
        lines = read_lines(path)
        faults = Faults(path, self.skip)
        texts = []
        for number, line in enumerate(lines, 1):
            with faults:
                tree = self._tree(path, number, line)
                texts.append(LabelledText(tree.text, tree.labels[-1], tree))
        faults.report(len(lines), "trees")
        labelled = [text for text in texts if text.label != NONE]
        if not labelled:
            raise InputError(path, "expected trees that are negative or positive, and all are in the middle")
        return labelled

    def _tree(self, path: str, number: int, line: str) -> Tree:
        try:
            tree = parse_tree(line)
        except ValueError as error:
            raise InputError(path, str(error), number) from error
        names = {str(label): name for label, name in enumerate(self._names)}
        wrong = next((label for label in tree.labels if label not in names), None)
        if wrong is not None:
            raise InputError(path, f"expected labels from 0 to {self.labels - 1}, got {wrong!r}", number)
        return tree._replace(labels=[names[label] for label in tree.labels])
