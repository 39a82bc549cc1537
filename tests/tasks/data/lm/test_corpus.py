from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pytest

from rnnx.core.data import Split
from rnnx.core.declarations.validation import validate
from rnnx.core.errors import UsageError
from rnnx.core.options import options_of
from rnnx.tasks.data.lm.corpus import RunningText, cut_in_order
from rnnx.tasks.parts.texts.vocabulary import Vocabulary


@final
@dataclass(kw_only=True, eq=False)
class Given(RunningText):
    """Three texts."""

    train: str
    valid: str = "a\n"
    test: str = "a\n"

    def texts(self) -> dict[Split, str]:
        return {"train": self.train, "valid": self.valid, "test": self.test}


# as Penn Treebank and WikiText-2 lie on disk: blanks around each line, <unk> a word, blank lines
PENN = " no it was n't <unk> monday \n\n = <unk> = \n"


def test_words_end_each_line_with_eos_blank_lines_too() -> None:
    data = Given(train=PENN)
    vocabulary = Vocabulary.from_plain(data.meta["vocabulary"])
    assert [vocabulary.tokens[number] for number in data.tokens("train")] == [
        *["no", "it", "was", "n't", "<unk>", "monday", "<eos>"],
        "<eos>",
        *["=", "<unk>", "=", "<eos>"],
    ]
    assert len(vocabulary) == 8  # 6 words, <unk> and <eos>: nothing that never has to be predicted
    assert data.meta["tokens"] == {"train": 12, "valid": 2, "test": 2}
    assert data.meta["start"] == vocabulary.eos


def test_a_missing_last_line_feed_changes_no_words() -> None:
    assert Given(train=PENN).tokens("train") == Given(train=PENN.removesuffix("\n")).tokens("train")


def test_words_outside_training_are_unknown() -> None:
    data = Given(train="a b\n", test="a c b\n")
    unk, eos = 0, 1
    assert data.tokens("test") == [2, unk, 3, eos]


def test_vectors_are_those_of_its_words(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("c 1 2\na 3 4\n")
    data = Given(train="a b\n", vectors=str(file))
    assert data.meta["vectors"] == {"path": str(file), "size": 2, "found": 1, "words": 4}
    assert Given(train="a b\n").meta["vectors"] is None


def test_characters_are_all_there_and_no_others() -> None:
    text = "ab\r\n\n b\u2028a"
    data = Given(train=text, level="char", valid="b\n", test="\u2028")
    vocabulary = Vocabulary.from_plain(data.meta["vocabulary"])
    assert sorted(vocabulary.tokens) == sorted(set(text))
    assert vocabulary.decode(data.tokens("train")) == text
    assert data.meta["characters"] == data.meta["tokens"] == {"train": 9, "valid": 2, "test": 1}
    assert vocabulary.tokens[data.meta["start"]] == "\n"


@pytest.mark.parametrize(
    "options", [{"valid": "z"}, {"test": "z"}, {"min_frequency": 2}, {"vocabulary_size": 3}]
)
def test_characters_have_unk_only_where_a_text_needs_it(options: dict[str, object]) -> None:
    assert Given(train="aabbc\n", level="char").meta["vocabulary"]["specials"] == []
    data = Given(train="aabbc\n", level="char", **options)  # type: ignore[arg-type]
    assert data.meta["vocabulary"]["specials"] == ["<unk>"]


def test_a_text_without_a_line_feed_has_a_start_too() -> None:
    data = Given(train="abab", valid="a", test="b", level="char")
    assert data.meta["start"] in range(2)


def test_subwords_read_every_line_back() -> None:
    data = Given(train=PENN, level="bpe", vocabulary_size=40)
    vocabulary = Vocabulary.from_plain(data.meta["vocabulary"])
    numbers = data.tokens("train")
    lines: list[list[int]] = [[]]
    for number in numbers:
        if number == vocabulary.eos:
            lines.append([])
        else:
            lines[-1].append(number)
    assert "\n".join(vocabulary.decode(line) for line in lines) == PENN


def test_characters_count_code_points_at_every_level() -> None:
    for level in ("word", "bpe", "char"):
        meta = Given(train="é 😀\n", valid="a\nb", test="\n", level=level).meta  # type: ignore[arg-type]
        assert meta["characters"] == {"train": 4, "valid": 3, "test": 1}


def test_training_and_evaluation_have_their_own_streams() -> None:
    data = Given(train="abcdefghij" * 3, valid="abcdefg", test="abc", level="char", batch_size=4, bptt=5)
    assert [tuple(batch.inputs.shape) for batch in data.loader("train")] == [(4, 5), (4, 3)]
    assert [tuple(batch.inputs.shape) for batch in data.loader("valid")] == [(1, 5), (1, 2)]
    data = Given(train="abcdefghij", valid="abcdefg", level="char", eval_batch_size=2, bptt=5, test="a")
    assert [batch.lengths.tolist() for batch in data.loader("valid")] == [[4, 3]]


def test_meta_is_plain() -> None:
    meta = Given(train=PENN).meta
    assert json.loads(json.dumps(meta)) == meta


def test_every_wrong_number_is_named_at_once() -> None:
    values = {"batch_size": 0, "eval_batch_size": 0, "bptt": 0, "min_frequency": -1, "vocabulary_size": 2}
    assert validate("data", "data", options_of(f"{RunningText.__module__}:RunningText"), values)[1] == {
        "min_frequency": "data.min_frequency: expected an integer of at least 1, got -1",
        "vocabulary_size": "data.vocabulary_size: expected an integer of at least 3 or null, got 2",
        "batch_size": "data.batch_size: expected an integer of at least 1, got 0",
        "eval_batch_size": "data.eval_batch_size: expected an integer of at least 1, got 0",
        "bptt": "data.bptt: expected an integer of at least 1, got 0",
    }


def test_the_cut_keeps_every_character_in_order() -> None:
    text = "".join(f"line {n}\n" for n in range(100))
    for whole in (False, True):
        parts = cut_in_order(text, (0.9, 0.05, 0.05), whole)
        assert parts["train"] + parts["valid"] + parts["test"] == text
    assert all(part.endswith("\n") for part in parts.values())
    assert abs(len(parts["train"]) - 0.9 * len(text)) < 10


def test_no_share_for_the_test_makes_validation_the_test() -> None:
    # char-rnn's custom, and tiny Shakespeare's: int(0.9 * 1,115,394) = 1,003,854
    parts = cut_in_order("x" * 1_115_394, (0.9, 0.1, 0.0), whole_lines=False)
    assert [len(parts[split]) for split in ("train", "valid", "test")] == [1_003_854, 111_540, 111_540]


def test_what_the_shares_leave_over_is_not_used() -> None:
    assert cut_in_order("abcdefghij", (0.2, 0.1, 0.1), False) == {"train": "ab", "valid": "c", "test": "d"}


def test_a_cut_at_a_line_end_stays_there() -> None:
    assert cut_in_order("a\nb\nc\nd\n", (0.5, 0.25, 0.25), True) == {
        "train": "a\nb\n",
        "valid": "c\n",
        "test": "d\n",
    }


@pytest.mark.parametrize("cut", [(0.9, 0.1, 0.1), (0.0, 0.5, 0.5), (0.9, 0.0, 0.1), (0.9, 0.2, -0.1)])
def test_shares_that_make_no_cut_are_refused(cut: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError) as caught:
        cut_in_order("abcdefghij", cut, False)
    assert str(caught.value) == (
        "data.cut: expected three shares of the text, train and valid above 0 and together at most 1, "
        f"got {cut}"
    )


def test_a_text_too_short_to_cut_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        cut_in_order("abc", (0.9, 0.05, 0.05), False)
    assert str(caught.value) == (
        "data.cut: (0.9, 0.05, 0.05) of 3 characters leaves valid empty; give more characters"
    )


def test_a_long_text_of_too_few_lines_is_told_to_be_made_more_of() -> None:
    with pytest.raises(UsageError) as caught:
        cut_in_order("the same line " * 1000, (0.9, 0.05, 0.05), True)
    assert str(caught.value) == (
        "data.cut: (0.9, 0.05, 0.05) of 1 lines leaves valid and test empty; give more lines, "
        "or data.level=char, which is cut within them"
    )
