from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from rnnx.core.errors import UsageError
from rnnx.tasks.data.nmt.hub import Hub


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "rows.jsonl"
    pairs = [{"translation": {"de": f"ein {n}", "en": f"a {n}"}} for n in range(10)]
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    return str(file)


def test_nested_columns_and_slices(rows: str) -> None:
    data = Hub(
        path=rows,
        train_split="train[:8]",
        valid_split="train[8:9]",
        test_split="train[9:]",
        source="translation.de",
        target="translation.en",
    )
    assert data.pairs() == {
        "train": [(f"ein {n}", f"a {n}") for n in range(8)],
        "valid": [("ein 8", "a 8")],
        "test": [("ein 9", "a 9")],
    }
    assert data.languages == ("de", "en")


def test_the_option_of_a_wrong_column_is_named(rows: str) -> None:
    with pytest.raises(
        UsageError, match=r"^data\.target: .* has no column 'en'; its columns are translation\.de"
    ):
        Hub(path=rows, source="translation.de", target="en").pairs()


def test_the_option_of_a_wrong_split_is_named(rows: str) -> None:
    with pytest.raises(UsageError, match=r"^data\.test_split: 'dev' of "):
        Hub(
            path=rows,
            valid_split="train",
            test_split="dev",
            source="translation.de",
            target="translation.en",
        ).pairs()
