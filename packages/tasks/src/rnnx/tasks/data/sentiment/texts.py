"""Texts without trees: what every source of them shares."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

from rnnx.core.bounds import Positive
from rnnx.core.data import Split
from rnnx.core.errors import InputError
from rnnx.tasks.data.sentiment.corpus import Corpus, LabelledText
from rnnx.tasks.data.sentiment.labelled import Labelled, Reading
from rnnx.tasks.parts.files.faults import Faults


@final
class Found(NamedTuple):
    """A text with its label, and where it was found."""

    text: str
    label: str
    path: str
    line: int | None = None


@dataclass(kw_only=True, eq=False)
class Texts(Labelled, ABC):
    """Texts with labels; their classes are the labels of the training texts, in alphabetical order.

    Args:
        level: What a token is: a word (what blanks separate), a sub-word (byte-pair encoding) or a character.
        apart: Whether punctuation is first taken off the words, and an HTML line break read as a blank: for
            text that is not tokenised.
        max_length: Tokens of a text that are read, the first ones; by default all of them.
        skip: Whether examples that cannot be used (without text, or with a label that training has not) are
            left out and counted; else they stop the run.
    """

    level: Literal["word", "bpe", "char"] = "word"
    apart: bool = False
    max_length: Positive | None = None
    skip: bool = False

    @abstractmethod
    def texts(self) -> dict[Split, list[Found]]:
        """Reads the texts of each split, in order; none is empty."""

    @property
    @final
    def reading(self) -> Reading:
        return Reading(self.level, self.apart, self.max_length)

    @final
    def corpus(self) -> Corpus:
        """The texts of each split.

        Raises:
            InputError: training has one class only, or another split a class that training has not.
        """
        found = self.texts()
        classes = sorted({text.label for text in found["train"]})
        if len(classes) == 1:
            path = found["train"][0].path
            raise InputError(
                path, f"expected texts of two classes at least, and all have the label {classes[0]!r}"
            )
        return Corpus(classes, {split: self._known(texts, classes) for split, texts in found.items()})

    def _known(self, texts: list[Found], classes: list[str]) -> list[LabelledText]:
        """Those whose class training has."""
        faults = Faults(texts[0].path, self.skip)
        known = []
        for text, label, path, line in texts:
            with faults:
                if label not in classes:
                    raise InputError(
                        path, f"expected a label of the training texts, {_few(classes)}, got {label!r}", line
                    )
                known.append(LabelledText(text, label))
        faults.report(len(texts), "texts")
        return known


def _few(classes: list[str], shown: int = 5) -> str:
    return ", ".join(classes[:shown]) + (", ..." if len(classes) > shown else "")


def checked(found: Found) -> Found:
    """A text with its label, without the blanks around both.

    Raises:
        InputError: one of them is empty.
    """
    text, label = found.text.strip(), found.label.strip()
    for name, value in (("text", text), ("label", label)):
        if not value:
            raise InputError(found.path, f"expected a {name}, got an empty one", found.line)
    return found._replace(text=text, label=label)
