"""Texts of the datasets library, from local files."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.sentiment.hub import Hub


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def rows(folder: Path) -> str:
    file = folder / "rows.jsonl"
    texts = [{"review": {"text": f" text {n}"}, "stars": n % 3} for n in range(10)]
    file.write_text("".join(json.dumps(text) + "\n" for text in texts))
    return str(file)


def hub(path: str, **options: str) -> Hub:
    given = {"train_split": "train[:8]", "valid_split": "train[8:9]", "test_split": "train[9:]"}
    return Hub(path=path, **(given | options))  # type: ignore[arg-type]


def test_columns_and_slices(folder: Path) -> None:
    classes, texts = hub(rows(folder), text="review.text", label="stars").corpus()
    assert classes == ["0", "1", "2"]
    assert [(text.text, text.label) for text in texts["train"]] == [
        (f"text {n}", str(n % 3)) for n in range(8)
    ]
    assert [text.text for split in ("valid", "test") for text in texts[split]] == ["text 8", "text 9"]  # type: ignore[index]


def test_classes_of_the_hub_have_their_names(folder: Path) -> None:
    kinds = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    table = datasets.Dataset.from_dict({"text": list("abcd"), "label": [1, 0, 1, -1]}, features=kinds)
    table.to_parquet(folder / "a.parquet")
    given = {"train_split": "train[:3]", "valid_split": "train[:3]"}
    data = hub(str(folder / "a.parquet"), **given, test_split="train[2:3]")
    assert [text.label for text in data.corpus().texts["train"]] == ["good", "bad", "good"]
    with pytest.raises(InputError) as caught:
        hub(str(folder / "a.parquet"), **given, test_split="train[2:]").corpus()
    assert str(caught.value) == (f"{folder}/a.parquet (train[2:]), row 2: expected a label, got an empty one")


def test_empty_texts_stop_the_run_or_are_left_out(folder: Path) -> None:
    file = folder / "a.csv"
    file.write_text("text,label\na,x\n ,y\nb,y\n")
    given = dict.fromkeys(("train_split", "valid_split", "test_split"), "train")
    with pytest.raises(InputError, match=r"row 2: expected a text, got an empty one"):
        Hub(path=str(file), **given).corpus()  # type: ignore[arg-type]
    data = Hub(path=str(file), **given, skip=True)  # type: ignore[arg-type]
    assert [text.text for text in data.corpus().texts["test"]] == ["a", "b"]


@pytest.mark.parametrize(("option", "column"), [("text", "body"), ("label", "kind")])
def test_the_option_of_a_wrong_column_is_named(folder: Path, option: str, column: str) -> None:
    file = folder / "a.csv"
    file.write_text("text,label\na,x\n")
    with pytest.raises(UsageError, match=rf"^data\.{option}: .* has no column '{column}'"):
        hub(str(file), **{option: column}).corpus()


def test_the_option_of_a_wrong_split_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"^data\.test_split: 'dev' of "):
        hub(rows(folder), text="review.text", label="stars", test_split="dev").corpus()
