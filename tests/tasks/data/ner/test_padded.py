from __future__ import annotations

import pytest
import torch

from rnnx.tasks.data.ner.padded import PaddedSentences
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.parts.texts.lexicon import Lexicon
from rnnx.tasks.parts.texts.tags import Entity, Scheme, inventory

SENTENCES = [
    Sentence(["Ada", "Lovelace", "met", "Bo"], [Entity(0, 2, "PER"), Entity(3, 4, "PER")]),
    Sentence(["Rain"], []),
    Sentence(["in", "Cambridge"], [Entity(1, 2, "LOC")]),
]
LEXICON = Lexicon.train([sentence.words for sentence in SENTENCES], lowercase=True, zero_digits=True)


@pytest.mark.parametrize(
    ("scheme", "names"),
    [
        ("iob2", ["B-PER I-PER O B-PER", "O O O O", "O B-LOC O O"]),
        ("iobes", ["B-PER E-PER O S-PER", "O O O O", "O S-LOC O O"]),
    ],
)
def test_a_batch(scheme: Scheme, names: list[str]) -> None:
    tags = inventory(["LOC", "PER"], scheme)
    sentences = PaddedSentences(SENTENCES, LEXICON, tags, scheme)
    assert sentences.lengths == [4, 1, 2]
    batch = sentences[[2, 0]]
    assert batch.index.tolist() == [2, 0]
    assert batch.lengths.tolist() == [2, 4]
    assert batch.target_lengths is None
    assert [" ".join(str(tags[number]) for number in row) for row in batch.targets.tolist()] == [
        names[2],
        names[0],
    ]
    assert batch.references == (("in/O Cambridge/B-LOC",), ("Ada/B-PER Lovelace/I-PER met/O Bo/B-PER",))
    assert batch.inputs.shape == (2, 4, 1 + len("Cambridge"))
    for row, sentence in zip(batch.inputs, (SENTENCES[2], SENTENCES[0]), strict=True):
        alone = LEXICON.encode(sentence.words)
        assert torch.equal(row[: len(alone), : alone.shape[1]], alone)
        assert row.sum() == alone.sum()  # all else is 0


def test_it_is_as_wide_as_it_must_be() -> None:
    sentences = PaddedSentences(SENTENCES, LEXICON, inventory(["LOC", "PER"], "iob2"), "iob2")
    assert sentences[[1]].inputs.shape == (1, 1, 1 + len("Rain"))
