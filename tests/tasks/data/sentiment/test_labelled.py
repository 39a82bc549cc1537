"""Texts and trees of a source written by hand, as batches."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import pytest
import torch

from rnnx.core.data import Split
from rnnx.core.declarations.validation import validate
from rnnx.core.errors import UsageError
from rnnx.core.options import options_of
from rnnx.tasks.data.sentiment.corpus import Corpus, LabelledText
from rnnx.tasks.data.sentiment.labelled import Labelled, Reading
from rnnx.tasks.parts.files.brackets import parse_tree
from rnnx.tasks.parts.texts.reader import Reader

TRAIN = ["so good", "So bad , really", "a b c d e f", "bad"]
TEST = ["never seen so"]


@final
@dataclass(kw_only=True, eq=False)
class Given(Labelled):
    """The texts above, by turns of the class yes and no."""

    level: str = "word"
    apart: bool = False
    max_length: int | None = None
    calls: list[str] = field(default_factory=list)

    @property
    def reading(self) -> Reading:
        return Reading(self.level, self.apart, self.max_length)  # type: ignore[arg-type]

    def corpus(self) -> Corpus:
        self.calls.append("corpus")
        splits: dict[Split, list[str]] = {"train": TRAIN, "valid": TRAIN[:2], "test": TEST}
        return Corpus(
            ["no", "yes"],
            {
                split: [LabelledText(text, ("yes", "no")[n % 2]) for n, text in enumerate(texts)]
                for split, texts in splits.items()
            },
        )


@final
@dataclass(kw_only=True, eq=False)
class Grown(Labelled):
    """A tree or two."""

    def corpus(self) -> Corpus:
        trees = [parse_tree("(yes (no so) (yes good))"), parse_tree("(no (no so) (? (? very) (no bad)))")]
        texts = [LabelledText(tree.text, tree.labels[-1], tree) for tree in trees]
        return Corpus(["no", "yes"], {"train": texts, "valid": texts, "test": texts[:1]})


def read(data: Labelled, split: Split) -> dict[int, tuple[str, list[int]]]:
    """Text and targets as the batches say them, by position."""
    reader = Reader.from_plain(data.meta)
    found = {}
    for batch in data.loader(split):
        for row, position in enumerate(batch.index.tolist()):
            found[position] = reader.line(batch, row), batch.targets[row].flatten().tolist()
    return found


def test_every_text_is_there_with_its_class() -> None:
    assert read(Given(batch_size=3), "train") == {n: (text, [(n + 1) % 2]) for n, text in enumerate(TRAIN)}
    assert read(Given(), "test") == {0: ("<unk> <unk> so", [1])}


def test_every_tree_is_there_with_its_classes() -> None:
    assert read(Grown(), "valid") == {
        0: ("(1 (0 so) (1 good))", [0, 1, 1, -100, -100]),
        1: ("(0 (0 so) (? (? very) (0 bad)))", [0, -100, 0, -100, 0]),
    }


def test_the_vocabulary_is_that_of_training() -> None:
    tokens = Reader.from_plain(Given().meta).vocabulary.tokens
    assert tokens[:2] == ["<pad>", "<unk>"]
    assert set(tokens[2:]) == {word for text in TRAIN for word in text.split()}


def test_texts_are_read_as_the_source_says() -> None:
    assert read(Given(max_length=2), "train")[2] == ("a b", [1])
    assert read(Given(level="char"), "train")[1][0] == TRAIN[1]
    tokens = Reader.from_plain(Given(apart=True, lowercase=True).meta).vocabulary.tokens
    assert "So" not in tokens
    assert read(Given(lowercase=True), "train")[1][0] == "so bad , really"


@pytest.mark.parametrize("data", [Given(), Grown(), Given(apart=True, max_length=3)])
def test_meta_is_plain_and_tells_how_many_there_are(data: Labelled) -> None:
    meta = data.meta
    assert json.loads(json.dumps(meta)) == meta
    assert meta["classes"] == ["no", "yes"]
    assert meta["trees"] == isinstance(data, Grown)
    assert meta["vectors"] is None
    assert meta["examples"] == {"train": len(read(data, "train")), "valid": 2, "test": 1}


def test_training_is_in_another_order_each_epoch_and_the_rest_by_length() -> None:
    torch.manual_seed(0)
    loader = Given(batch_size=1).loader("train")
    orders = {tuple(int(batch.index) for batch in loader) for _ in range(8)}
    assert len(orders) > 1
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert [int(batch.index) for batch in Given(batch_size=1).loader("valid")] == [0, 1]


def test_vectors_are_read_with_the_meta_and_not_before(tmp_path: Path) -> None:
    """A model that was trained is tested without their file."""
    file = tmp_path / "vectors.txt"
    data = Given(vectors=str(file))
    data.prepare()
    list(data.loader("test"))
    with pytest.raises(UsageError, match=r"^data\.vectors: there is no file"):
        _ = data.meta
    file.write_text("so 1 2\ngood 3 4\n")
    assert data.meta["vectors"] == {"path": str(file), "size": 2, "found": 3, "words": 14}


def test_preparing_twice_reads_once() -> None:
    data = Given()
    data.prepare()
    data.prepare()
    list(data.loader("train"))
    assert data.meta["examples"]["train"] == 4
    assert data.calls == ["corpus"]


def test_every_wrong_number_is_named_at_once() -> None:
    values = {"batch_size": 0, "workers": -1, "min_frequency": 0, "vocabulary_size": 2}
    assert validate("data", "data", options_of(f"{Labelled.__module__}:Labelled"), values)[1] == {
        "min_frequency": "data.min_frequency: expected an integer of at least 1, got 0",
        "vocabulary_size": "data.vocabulary_size: expected an integer of at least 3 or null, got 2",
        "batch_size": "data.batch_size: expected an integer of at least 1, got 0",
        "workers": "data.workers: expected an integer of at least 0, got -1",
    }
