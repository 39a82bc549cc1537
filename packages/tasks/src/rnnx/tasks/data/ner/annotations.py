"""Sentences as people tagged them: read in their scheme, and checked."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, final

from rnnx.core.bounds import Share
from rnnx.core.data import SPLITS, Split
from rnnx.core.errors import InputError
from rnnx.tasks.data.ner.corpus import Sentences
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.texts.tags import RULES, TAG, Scheme, Tag, breaks, detect, entities

log = logging.getLogger(__name__)


@final
class Draft(NamedTuple):
    """A sentence as it was read, its tags not yet checked.

    Attributes:
        words: One or more.
        tags: One for each word.
        lines: Where each word stands.
    """

    words: Sequence[str]
    tags: Sequence[str]
    lines: Sequence[int]


@final
class Source(NamedTuple):
    """What a split was read from.

    Attributes:
        total: How many sentences there are.
        drafts: Those that could be read, in order.
        faults: What was wrong with the others.
        option: The one that says where the tags are; empty where none does.
    """

    total: int
    drafts: list[Draft]
    faults: Faults
    option: str = ""

    @property
    def advice(self) -> str:
        """What to do where the tags are none, as the end of a sentence."""
        said = f" {self.option} says which" if self.option else ""
        return f"; is it the column of the tags?{said}"


Tagged: TypeAlias = tuple[Draft, list[Tag]]


@dataclass(kw_only=True, eq=False)
class Annotations(Sentences, ABC):
    """Tagged sentences, which may be wrong.

    A tag is ``O``, or a prefix and a type, as ``B-PER``. Tags are read as the scheme has them. A slip, a tag
    that its scheme has no place for, is read as conlleval reads it, and said; more slips than are allowed
    stop the run.

    Args:
        scheme: That of the tags; auto for the one that the training tags break least often.
        slips: Slips in a split at most, as a share of its entities.
        skip: Whether sentences that cannot be read are left out, and counted, instead of stopping.
    """

    scheme: Literal["auto", "iob1", "iob2", "iobes"] = "auto"
    slips: Share = 0.001
    skip: bool = False

    @abstractmethod
    def source(self, split: Split) -> Source:
        """Reads the drafts of a split."""

    @final
    def sentences(self) -> dict[Split, list[Sentence]]:
        """Reads and checks each split.

        Raises:
            UsageError: nothing can be read from a file, or an option does not suit it.
            InputError: a line or a tag is wrong, or nothing is named in the training split.
        """
        sources = {split: self.source(split) for split in SPLITS}
        train = self._tagged(sources["train"], None)
        scheme = detect([tags for _, tags in train]) if self.scheme == "auto" else self.scheme
        found: dict[Split, list[Sentence]] = {"train": self._checked(sources["train"], train, scheme)}
        types = {entity.type for sentence in found["train"] for entity in sentence.entities}
        if not types:
            raise InputError(
                sources["train"].faults.path,
                f"expected entities to learn from, but every tag is O{sources['train'].advice}",
            )
        for split in SPLITS[1:]:
            read = self._tagged(sources[split], types)
            found[split] = self._checked(sources[split], read, scheme)
        return found

    def _tagged(self, source: Source, types: Collection[str] | None) -> list[Tagged]:
        """The drafts whose tags are tags, of these types if they are given."""
        found = []
        for draft in source.drafts:
            with source.faults:
                _check(source, draft, types)
                found.append((draft, [Tag.of(text) for text in draft.tags]))
        return found

    def _checked(self, source: Source, read: list[Tagged], scheme: Scheme) -> list[Sentence]:
        """The sentences; those with slips too, if there are few slips."""
        slips: list[InputError | None] = []  # the first of each sentence
        count = 0
        for draft, tags in read:
            places = list(breaks(tags, scheme))
            slips.append(_slip(source.faults.path, draft, places[0], scheme) if places else None)
            count += len(places)
        are_few = count <= self.slips * sum(len(entities(tags)) for _, tags in read)
        if count and are_few:
            first = next(slip for slip in slips if slip is not None)
            log.warning("%s; read as conlleval does (such tags: %d)", first, count)
        sentences = []
        for (draft, tags), slip in zip(read, slips, strict=True):
            with source.faults:
                if slip is not None and not are_few:
                    problem = f"{slip.problem}; data.slips=1 reads it all the same"
                    raise InputError(slip.path, problem, slip.line)
                sentences.append(Sentence(draft.words, entities(tags)))
        source.faults.report(source.total, "sentences")
        return sentences


def _check(source: Source, draft: Draft, types: Collection[str] | None) -> None:
    """Refuses what is no tag, or of a type that training has not.

    Raises:
        InputError: there is such a tag.
    """
    path = source.faults.path
    for text, line in zip(draft.tags, draft.lines, strict=True):
        if not TAG.fullmatch(text):
            raise InputError(
                path,
                f"expected a tag such as O, B-PER or I-PER, got {text!r}{source.advice}",
                line,
            )
        type = Tag.of(text).type
        if type and types is not None and type not in types:
            raise InputError(
                path,
                f"expected an entity of a type that training has ({', '.join(sorted(types))}), got {text!r}",
                line,
            )


def _slip(path: str | Path, draft: Draft, place: int, scheme: Scheme) -> InputError:
    """What is wrong at a place."""
    got = repr(draft.tags[place]) if place < len(draft.tags) else "the end of the sentence"
    where = f"after {draft.tags[place - 1]!r}" if place else "at the beginning of the sentence"
    return InputError(
        path,
        f"expected tags in the scheme {scheme}, where {RULES[scheme]}, got {got} {where}",
        draft.lines[min(place, len(draft.lines) - 1)],
    )
