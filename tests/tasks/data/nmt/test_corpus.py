from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pytest

from rnnx.core.batch import Batch
from rnnx.core.data import Split
from rnnx.core.declarations.validation import validate
from rnnx.core.errors import UsageError
from rnnx.core.options import options_of
from rnnx.tasks.data.nmt.corpus import Pairs, Parallel
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

TRAIN = [("el gato", "the cat"), ("el Perro ve", "the dog sees"), ("", "nothing"), ("a b c d e", "f")]
VALID = [("", "the cat"), ("un perro ve el gato hoy", "a dog sees the cat today"), ("gato", "")]


@final
@dataclass(kw_only=True, eq=False)
class Given(Parallel):
    """The pairs above."""

    @property
    def languages(self) -> tuple[str, str]:
        return "es", "en"

    def pairs(self) -> dict[Split, Pairs]:
        return {"train": TRAIN, "valid": VALID, "test": VALID[:1]}


def read(data: Parallel, split: Split) -> dict[int, tuple[str, str, str]]:
    """Source and target as the batches say them, with the reference, by position."""
    source, target = (Vocabulary.from_plain(data.meta[side]) for side in ("source", "target"))
    batches: Iterable[Batch] = data.loader(split)
    return {
        position: (source.decode(inputs), target.decode(targets), reference)
        for batch in batches
        for position, inputs, targets, (reference,) in zip(
            batch.index.tolist(), batch.inputs.tolist(), batch.targets.tolist(), batch.references, strict=True
        )
    }


def test_training_leaves_out_the_empty_and_the_long_and_says_how_many() -> None:
    data = Given(max_length=4)
    data.prepare()
    assert data.meta["examples"] == {"train": 2, "valid": 3, "test": 1}
    assert data.meta["left_out"] == 2
    assert read(data, "train") == {
        0: ("el gato", "the cat", "the cat"),
        1: ("el Perro ve", "the dog sees", "the dog sees"),
    }


def test_it_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    data = Given(max_length=4)
    data.prepare()
    data.loader("train")
    assert caplog.messages == [
        "left out 2 of 4 training pairs: 1 with an empty side, 1 with more than 4 tokens on a side "
        "(data.max_length)"
    ]


def test_where_none_is_left_out_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    @final
    @dataclass(kw_only=True, eq=False)
    class Whole(Parallel):
        @property
        def languages(self) -> tuple[str, str]:
            return "es", "en"

        def pairs(self) -> dict[Split, Pairs]:
            return {"train": TRAIN[:2], "valid": VALID, "test": VALID}

    Whole(max_length=3).prepare()
    assert caplog.messages == []


@pytest.mark.parametrize(("longest", "kept"), [(5, 3), (4, 2), (3, 2), (2, 1)])
def test_the_longest_length_itself_is_kept(longest: int, kept: int) -> None:
    assert Given(max_length=longest).meta["examples"]["train"] == kept


def test_other_splits_lose_nothing_and_keep_their_references() -> None:
    assert read(Given(max_length=4, batch_size=2), "valid") == {
        0: ("", "the cat", "the cat"),
        1: ("<unk> <unk> ve el gato <unk>", "<unk> dog sees the cat <unk>", "a dog sees the cat today"),
        2: ("gato", "", ""),
    }


def test_both_sides_end_in_eos_and_nothing_else_is_added() -> None:
    data = Given()
    source = Vocabulary.from_plain(data.meta["source"])
    (batch,) = data.loader("test")
    assert batch.inputs.tolist() == [[source.eos]]
    assert batch.lengths.tolist() == [1]
    target = Vocabulary.from_plain(data.meta["target"])
    assert [target.tokens[number] for number in batch.targets[0]] == ["the", "cat", "<eos>"]


def test_vocabularies_are_separate_unless_shared() -> None:
    separate, shared = Given().meta, Given(shared_vocabulary=True).meta
    assert "gato" in Vocabulary.from_plain(separate["source"]).tokens
    assert "gato" not in Vocabulary.from_plain(separate["target"]).tokens
    assert shared["source"] == shared["target"]
    assert {"gato", "cat"} < set(Vocabulary.from_plain(shared["target"]).tokens)
    assert (separate["shared_vocabulary"], shared["shared_vocabulary"]) == (False, True)


def test_the_vocabulary_is_that_of_training() -> None:
    tokens = Vocabulary.from_plain(Given().meta["source"]).tokens
    assert "hoy" not in tokens
    assert "Perro" in tokens


def test_lowercase_holds_for_text_references_and_prediction() -> None:
    data = Given(lowercase=True)
    assert read(data, "train")[1] == ("el perro ve", "the dog sees", "the dog sees")
    source = Vocabulary.from_plain(data.meta["source"])
    assert source.decode(source.encode(["EL GATO"])[0]) == "el gato"


def test_subwords_read_every_line_back() -> None:
    data = Given(level="bpe", vocabulary_size=60)
    assert read(data, "train") == {n: (*pair, pair[1]) for n, pair in enumerate([*TRAIN[:2], TRAIN[3]])}


@pytest.mark.parametrize(("sizes", "expected"), [((6, None), (6, 6)), ((6, 5), (6, 5)), ((None, 5), (13, 5))])
def test_each_side_may_have_a_size_of_its_own(
    sizes: tuple[int | None, int | None], expected: tuple[int, int]
) -> None:
    """Nine words of the source, counted by hand, and four special tokens."""
    both, of_target = sizes
    meta = Given(vocabulary_size=both, target_vocabulary_size=of_target).meta
    source, target = (Vocabulary.from_plain(meta[side]) for side in ("source", "target"))
    assert (len(source), len(target)) == expected
    assert target.tokens[4] == "the"  # the only word that is there twice


def test_meta_is_plain_and_names_the_languages() -> None:
    meta = Given().meta
    assert json.loads(json.dumps(meta)) == meta
    assert (meta["source_language"], meta["target_language"]) == ("es", "en")


def test_every_wrong_number_is_named_at_once() -> None:
    values = {
        "batch_size": 0,
        "max_length": -1,
        "workers": -1,
        "min_frequency": 0,
        "vocabulary_size": 4,
        "target_vocabulary_size": 4,
    }
    assert validate("data", "data", options_of(f"{Parallel.__module__}:Parallel"), values)[1] == {
        "min_frequency": "data.min_frequency: expected an integer of at least 1, got 0",
        "max_length": "data.max_length: expected an integer of at least 1, got -1",
        "batch_size": "data.batch_size: expected an integer of at least 1, got 0",
        "workers": "data.workers: expected an integer of at least 0, got -1",
        "vocabulary_size": "data.vocabulary_size: expected an integer of at least 5 or null, got 4",
        "target_vocabulary_size": "data.target_vocabulary_size: expected an integer of at least 5 or null, "
        "got 4",
    }


def test_nothing_left_to_train_on_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        Given(max_length=1).prepare()
    assert str(caught.value) == (
        "data.max_length: none of the 4 training pairs has between 1 and 1 tokens on both sides; raise it"
    )


def test_preparing_twice_reads_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    original = Given.pairs
    monkeypatch.setattr(Given, "pairs", lambda self: calls.append(self) or original(self))
    data = Given()
    data.prepare()
    data.prepare()
    list(data.loader("train"))
    assert len(calls) == 1


def test_vectors_are_those_of_each_side(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("gato 1 2\ncat 3 4\n")
    meta = Given(source_vectors=str(file)).meta
    assert meta["source_vectors"] == {
        "path": str(file),
        "size": 2,
        "found": 1,
        "words": 9 + 4,
    }
    assert meta["target_vectors"] is None
    assert Given(target_vectors=str(file)).meta["target_vectors"]["found"] == 1
    assert Given(source_vectors=str(file), shared_vocabulary=True).meta["source_vectors"]["found"] == 2
    with pytest.raises(UsageError, match=r"^data\.target_vectors: there is no file 'none\.txt'"):
        _ = Given(target_vectors="none.txt").meta
    with pytest.raises(UsageError) as refused:
        Given(target_vectors=str(file), target_vocabulary_size=9, shared_vocabulary=True).prepare()
    assert refused.value.problems == (
        "data.target_vectors: source and target share their vocabulary; leave it out, and give "
        "data.source_vectors for both",
        "data.target_vocabulary_size: source and target share their vocabulary; leave it out, and give "
        "data.vocabulary_size for both",
    )
