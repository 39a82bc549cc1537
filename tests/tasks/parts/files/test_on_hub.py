from __future__ import annotations

from dataclasses import dataclass

from rnnx.core.data import SPLITS
from rnnx.tasks.parts.files.hub import HubSplit
from rnnx.tasks.parts.files.on_hub import OnHub


@dataclass(kw_only=True, eq=False)
class Rows(OnHub):
    pass


def test_each_split_is_named_by_its_own_option() -> None:
    rows = Rows(path="ada/rows", config_name="small", train_split="a", valid_split="b", test_split="c")
    assert rows.hub_split("train") == HubSplit("ada/rows", "small", name="a", option="train_split")
    assert rows.hub_split("valid") == HubSplit("ada/rows", "small", name="b", option="valid_split")
    assert rows.hub_split("test") == HubSplit("ada/rows", "small", name="c", option="test_split")
    assert str(rows.hub_split("test")) == "ada/rows (c)"


def test_the_splits_are_called_as_most_data_sets_of_the_hub_have_them() -> None:
    rows = Rows(path="ada/rows")
    assert [rows.hub_split(split).name for split in SPLITS] == ["train", "validation", "test"]
