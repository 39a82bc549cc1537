from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from rnnx.core.errors import UsageError
from rnnx.tasks.data.lm.hub import Hub

ROWS = {"train": ["", " = Title = \n", " a b \n"], "validation": ["c"], "test": ["d\n", "\n"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    for split, rows in ROWS.items():
        lines = "".join(json.dumps({"text": row}) + "\n" for row in rows)
        (tmp_path / "data" / f"{split}.jsonl").write_text(lines)
    return str(tmp_path / "data")


def test_a_row_is_a_line_whether_it_ends_in_a_line_feed_or_not(folder: str) -> None:
    data = Hub(path=folder)
    assert data.texts() == {"train": "\n = Title = \n a b \n", "valid": "c\n", "test": "d\n\n"}
    assert data.meta["tokens"] == {"train": 1 + 4 + 3, "valid": 2, "test": 2 + 1}


def test_the_option_of_a_wrong_column_is_named(folder: str) -> None:
    with pytest.raises(UsageError) as caught:
        Hub(path=folder, column="body").texts()
    assert str(caught.value) == f"data.column: '{folder}' has no column 'body'; its columns are text"
