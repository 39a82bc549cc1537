"""Tags as people write them: schemes, slips, and what stops the run or is left out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, final

import pytest

from rnnx.core.data import Split
from rnnx.core.errors import InputError
from rnnx.tasks.data.ner.annotations import Annotations, Draft, Source
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.texts.tagged_text import format_bracketed

IOB1 = ["I-PER I-PER B-PER", "O I-LOC I-PER"]
IOB2 = ["B-PER I-PER B-PER", "O B-LOC B-PER"]
IOBES = ["B-PER E-PER S-PER", "O S-LOC S-PER"]


@final
@dataclass(kw_only=True, eq=False)
class Written(Annotations):
    """Sentences of the words a, b, c, ... with these tags, the first words on the lines 10, 20, 30, ...

    Args:
        train: Tags to train on.
        other: Tags of the other splits.
    """

    train: list[str]
    other: list[str] | None = None

    def source(self, split: Split) -> Source:
        rows = [row.split() for row in (self.train if split == "train" or self.other is None else self.other)]
        drafts = [
            Draft("abcdefgh"[: len(tags)], tags, range(10 * n, 10 * n + len(tags)))
            for n, tags in enumerate(rows, 1)
        ]
        return Source(len(rows), drafts, Faults(f"{split}.txt", self.skip))


def read(split: Split = "train", **options: Any) -> list[str]:
    return [format_bracketed(*sentence) for sentence in Written(**options).sentences()[split]]


def refused(**options: Any) -> str:
    with pytest.raises(InputError) as caught:
        Written(**options).sentences()
    return str(caught.value)


@pytest.mark.parametrize(("scheme", "tags"), [("iob1", IOB1), ("iob2", IOB2), ("iobes", IOBES)])
def test_schemes_are_detected_or_said(scheme: Any, tags: list[str]) -> None:
    expected = ["[PER a b] [PER c]", "a [LOC b] [PER c]"]
    assert read(train=tags) == read(train=tags, scheme=scheme) == expected
    assert read("test", train=tags, other=tags[1:]) == expected[1:]


@pytest.mark.parametrize(
    ("scheme", "tags", "problem"),
    [
        (
            "iob2",
            IOB1,
            "train.txt:10: expected tags in the scheme iob2, where each entity begins with B- and goes on "
            "with I-, got 'I-PER' at the beginning of the sentence",
        ),
        (
            "iob1",
            IOB2,
            "train.txt:10: expected tags in the scheme iob1, where each entity is of I- tags, and begins "
            "with B- only right after one of its type, got 'B-PER' at the beginning of the sentence",
        ),
        (
            "iob1",
            ["I-PER O B-PER"],
            "train.txt:12: expected tags in the scheme iob1, where each entity is of I- tags, and begins "
            "with B- only right after one of its type, got 'B-PER' after 'O'",
        ),
        (
            "iobes",
            ["S-PER B-PER"],
            "train.txt:11: expected tags in the scheme iobes, where an entity is B- I- ... E-, or S- by "
            "itself, got the end of the sentence after 'B-PER'",
        ),
        (
            "auto",
            ["B-PER I-PER", "B-LOC I-PER"],
            "train.txt:21: expected tags in the scheme iob2, where each entity begins with B- and goes on "
            "with I-, got 'I-PER' after 'B-LOC'",
        ),
    ],
)
def test_tags_that_break_their_scheme_stop_the_run(scheme: Any, tags: list[str], problem: str) -> None:
    assert refused(train=tags, scheme=scheme) == f"{problem}; data.slips=1 reads it all the same"


def test_the_scheme_of_training_is_that_of_all_splits() -> None:
    assert refused(train=IOB2, other=["B-PER", "O I-PER"]).startswith("valid.txt:21: expected tags in the")


@pytest.mark.parametrize("skip", [False, True])
def test_few_slips_are_read_as_conlleval_reads_them_and_said(
    skip: bool, caplog: pytest.LogCaptureFixture
) -> None:
    tags = ["B-PER O"] * 99 + ["O I-LOC"]
    with caplog.at_level(logging.WARNING):
        assert read(train=tags, other=IOB2, slips=0.01, skip=skip)[-1] == "a [LOC b]"
    assert caplog.messages == [
        "train.txt:1001: expected tags in the scheme iob2, where each entity begins with B- and goes on with "
        "I-, got 'I-LOC' after 'O'; read as conlleval does (such tags: 1)"
    ]
    assert refused(train=tags, slips=0.0099).startswith("train.txt:1001: ")


def test_all_slips_can_be_allowed() -> None:
    assert read(train=["O I-PER I-LOC"], scheme="iob2", slips=1.0) == ["a [PER b] [LOC c]"]


def test_sentences_with_slips_can_be_left_out(caplog: pytest.LogCaptureFixture) -> None:
    tags = ["B-PER O", "O I-LOC", "B-LOC B-PER I-LOC"]
    assert read(train=tags, other=tags[:1], skip=True) == ["[PER a] b"]
    assert caplog.messages == [
        "'train.txt': left out 2 of 3 sentences; the first: train.txt:21: expected tags in the scheme iob2, "
        "where each entity begins with B- and goes on with I-, got 'I-LOC' after 'O'; data.slips=1 reads it "
        "all the same"
    ]


def test_types_left_out_of_training_are_in_no_split() -> None:
    tags = ["B-PER O"] * 3 + ["O I-LOC"]
    data = Written(train=tags, other=["B-PER", "B-LOC"], skip=True)
    assert data.meta["tags"] == ["O", "B-PER", "I-PER", "E-PER", "S-PER"]
    assert [format_bracketed(*sentence) for sentence in data.sentences()["test"]] == ["[PER a]"]


@pytest.mark.parametrize("tag", ["PER", "b-PER", "B-", "0", "L-PER", "B_PER"])
def test_what_is_no_tag_stops_the_run(tag: str) -> None:
    assert refused(train=["B-PER", f"O {tag}"], slips=1.0) == (
        f"train.txt:21: expected a tag such as O, B-PER or I-PER, got {tag!r}; is it the column of the tags?"
    )


def test_a_type_that_training_does_not_know_stops_the_run() -> None:
    assert refused(train=IOB2, other=["B-PER", "O B-ORG"]) == (
        "valid.txt:21: expected an entity of a type that training has (LOC, PER), got 'B-ORG'"
    )
    assert read("valid", train=IOB2, other=["B-PER", "O B-ORG"], skip=True) == ["[PER a]"]


def test_a_training_split_that_names_nothing_is_refused() -> None:
    assert refused(train=["O O", "O"]) == (
        "train.txt: expected entities to learn from, but every tag is O; is it the column of the tags?"
    )
    assert read("test", train=IOB2, other=["O O"]) == ["a b"]
