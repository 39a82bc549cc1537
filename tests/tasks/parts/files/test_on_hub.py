from __future__ import annotations

from dataclasses import dataclass

from rnnx.core.data import SPLITS
from rnnx.tasks.parts.files.on_hub import OnHub


@dataclass(kw_only=True, eq=False)
class Rows(OnHub):
    pass


def test_each_split_is_named_by_its_own_option() -> None:
    rows = Rows(path="ada/rows", config_name="small", train_split="a", valid_split="b", test_split="c")
    assert rows.place("train") == ("ada/rows", "small", ("train_split", "a"))
    assert rows.place("valid") == ("ada/rows", "small", ("valid_split", "b"))
    assert rows.place("test") == ("ada/rows", "small", ("test_split", "c"))
    assert rows.called("test") == "ada/rows (c)"


def test_the_splits_are_called_as_most_data_sets_of_the_hub_have_them() -> None:
    rows = Rows(path="ada/rows")
    assert [rows.place(split)[2][1] for split in SPLITS] == ["train", "validation", "test"]
