"""What every source of sentences shares, on a source of three sentences."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pytest
import torch

from rnnx.core.batch import Batch
from rnnx.core.data import Split
from rnnx.tasks.data.ner.corpus import Sentences
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.parts.texts.lexicon import Lexicon
from rnnx.tasks.parts.texts.tags import Entity

TRAIN = [
    Sentence(["Rain", "in", "Ely", "on", "7", "May"], [Entity(2, 3, "LOC")]),
    Sentence(["Ada", "Lovelace", "left", "Ely"], [Entity(0, 2, "PER"), Entity(3, 4, "LOC")]),
    Sentence(["Rain"], []),
]
OTHER = [Sentence(["Bo", "left", "Rome"], [Entity(0, 1, "PER"), Entity(2, 3, "LOC")])]


@final
@dataclass(kw_only=True, eq=False)
class Three(Sentences):
    """Three sentences to train on, and another one."""

    def __post_init__(self) -> None:
        self.read = 0

    def sentences(self) -> dict[Split, list[Sentence]]:
        self.read += 1
        return {"train": TRAIN, "valid": OTHER, "test": OTHER}


def batches(data: Three, split: Split) -> list[Batch]:
    return list(data.loader(split))


def test_it_reads_once_and_not_before_it_is_asked_to() -> None:
    data = Three()
    assert data.read == 0
    data.prepare()
    data.prepare()
    _ = data.meta, batches(data, "train"), batches(data, "test")
    assert data.read == 1


@pytest.mark.parametrize(
    ("tagging", "tags"),
    [
        ("iob2", ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]),
        ("iobes", ["O", *(f"{prefix}-{type}" for type in ("LOC", "PER") for prefix in "BIES")]),
    ],
)
def test_meta_is_plain(tagging: Any, tags: list[str]) -> None:
    meta = Three(tagging=tagging).meta
    assert json.loads(json.dumps(meta)) == meta
    assert meta["tags"] == tags
    assert meta["tagging"] == tagging
    assert meta["examples"] == {"train": 3, "valid": 1, "test": 1}
    assert meta["vectors"] is None


def test_the_lexicon_is_that_of_the_training_words() -> None:
    lexicon = Lexicon.from_plain(Three().meta["lexicon"])
    words = {"rain", "in", "ely", "on", "0", "may", "ada", "lovelace", "left"}
    assert set(lexicon.words.tokens) == {"<pad>", "<unk>", *words}
    options = {"lowercase": False, "zero_digits": False, "min_frequency": 2}
    other = Lexicon.from_plain(Three(**options).meta["lexicon"])
    assert set(other.words.tokens) == {"<pad>", "<unk>", "Rain", "Ely"}
    assert "7" in other.characters.tokens
    assert "7" not in lexicon.characters.tokens


def test_vectors_are_told_of(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("ely 1 2 3\nRome 4 5 6\nada 7 8 9\n")
    assert Three(vectors=str(file)).meta["vectors"] == {"path": str(file), "size": 3, "found": 2, "words": 11}


def test_batches_are_of_like_length_and_every_sentence_comes_once() -> None:
    data = Three(batch_size=2, tagging="iob2")
    train = batches(data, "train")
    assert sorted(index for batch in train for index in batch.index.tolist()) == [0, 1, 2]
    assert sorted(batch.lengths.tolist() for batch in train) == [[1, 4], [6]]
    for batch in train:
        for index, row, length in zip(
            batch.index.tolist(), batch.targets, batch.lengths.tolist(), strict=True
        ):
            named = {place for entity in TRAIN[index].entities for place in range(entity.start, entity.stop)}
            assert {place for place in range(length) if row[place]} == named
    (test,) = batches(data, "test")
    assert test.targets.tolist() == [[3, 0, 1]]
    lexicon = Lexicon.from_plain(data.meta["lexicon"])
    assert torch.equal(test.inputs[0], lexicon.encode(OTHER[0].words))


def test_each_epoch_has_an_order_of_its_own() -> None:
    torch.manual_seed(0)
    loader = Three(batch_size=1).loader("train")
    orders = {tuple(int(batch.index) for batch in loader) for _ in range(8)}
    assert len(orders) > 1
