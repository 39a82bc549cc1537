from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.ner.hub import Hub
from rnnx.tasks.data.ner.sentence import Sentence

SPLITS = {"train_split": "train[:2]", "valid_split": "train[2:3]", "test_split": "train[3:]"}
ROWS = [
    {"tokens": ["Ada", "Lovelace", "ran"], "ner_tags": ["B-PER", "I-PER", "O"]},
    {"tokens": ["in", "Ely"], "ner_tags": ["O", "B-LOC"]},
    {"tokens": ["Bo"], "ner_tags": ["B-PER"]},
    {"tokens": ["rain"], "ner_tags": ["O"]},
]
READ = {
    "train": [
        Sentence(["Ada", "Lovelace", "ran"], [(0, 2, "PER")]),
        Sentence(["in", "Ely"], [(1, 2, "LOC")]),
    ],
    "valid": [Sentence(["Bo"], [(0, 1, "PER")])],
    "test": [Sentence(["rain"], [])],
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))


def written(folder: Path, rows: list[dict[str, Any]]) -> str:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def test_lists_of_texts(tmp_path: Path) -> None:
    assert Hub(path=written(tmp_path, ROWS), **SPLITS).sentences() == READ


def test_classes_with_names_and_other_columns(tmp_path: Path) -> None:
    names = ["O", "B-PER", "I-PER", "B-LOC"]
    features = datasets.Features(
        {
            "words": datasets.List(datasets.Value("string")),
            "labels": datasets.List(datasets.ClassLabel(names=names)),
        }
    )
    rows = [{"words": row["tokens"], "labels": [names.index(tag) for tag in row["ner_tags"]]} for row in ROWS]
    path = str(tmp_path / "rows.parquet")
    datasets.Dataset.from_list(rows, features).to_parquet(path)
    assert Hub(path=path, words="words", tags="labels", **SPLITS).sentences() == READ


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"tokens": [], "ner_tags": []}, "expected one word or more and as many tags, got 0 and 0"),
        (
            {"tokens": ["a", "b"], "ner_tags": ["O"]},
            "expected one word or more and as many tags, got 2 and 1",
        ),
        ({"tokens": ["New York"], "ner_tags": ["O"]}, "expected words without blanks, got 'New York'"),
        ({"tokens": [""], "ner_tags": ["O"]}, "expected words without blanks, got ''"),
        (
            {"tokens": ["a"], "ner_tags": ["X"]},
            "expected a tag such as O, B-PER or I-PER, got 'X'; is it the column of the tags? "
            "data.tags says which",
        ),
    ],
)
def test_a_wrong_row_is_told_or_left_out(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    path = written(tmp_path, [ROWS[0], row, *ROWS[2:]])
    with pytest.raises(InputError) as caught:
        Hub(path=path, **SPLITS).sentences()
    assert str(caught.value) == f"{path} (train[:2]):2: {problem}"
    assert Hub(path=path, **SPLITS, skip=True).sentences()["train"] == READ["train"][:1]


def test_a_wrong_column_or_split_is_told_by_its_option(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    with pytest.raises(UsageError, match=r"^data\.tags: .* has no column 'labels'; its columns are tok"):
        Hub(path=path, tags="labels", **SPLITS).sentences()
    with pytest.raises(UsageError, match=r"^data\.valid_split: 'validation' of "):
        Hub(path=path).sentences()
