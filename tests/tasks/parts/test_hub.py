from __future__ import annotations

import csv
import json
import socket
from pathlib import Path

import datasets
import pytest

from rnnx.core.errors import InputError, RunError, UsageError
from rnnx.tasks.parts.hub import read_columns, read_labels, read_lists

ROWS = [{"pair": {"de": f"ein {n}", "en": f"a {n}"}, "text": f"row {n}", "label": n} for n in range(10)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def rows(tmp_path: Path) -> str:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(file)


@pytest.fixture
def closed_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is at a port of this machine where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def test_a_nested_column_and_a_flat_one(rows: str) -> None:
    columns = read_columns(rows, None, ("train_split", "train"), {"source": "pair.de", "column": "text"})
    assert columns == [[f"ein {n}" for n in range(10)], [f"row {n}" for n in range(10)]]


def test_a_slice(rows: str) -> None:
    (texts,) = read_columns(rows, None, ("test_split", "train[80%:]"), {"column": "text"})
    assert texts == ["row 8", "row 9"]


def test_csv(tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["de", "en"], ['ein "Hund", so', "a dog"], ["eins", "one"]])
    columns = read_columns(str(tmp_path / "rows.csv"), None, ("s", "train"), {"source": "de", "target": "en"})
    assert columns == [['ein "Hund", so', "eins"], ["a dog", "one"]]


def test_parquet(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).to_parquet(tmp_path / "rows.parquet")
    (texts,) = read_columns(str(tmp_path / "rows.parquet"), None, ("s", "train"), {"target": "pair.en"})
    assert texts == [f"a {n}" for n in range(10)]


def test_a_folder_with_a_file_for_each_split(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")
    assert read_columns(str(tmp_path), None, ("s", "test"), {"column": "text"}) == [["test"]]


def test_a_missing_value_is_the_empty_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": null}\n{"text": "x"}\n')
    assert read_columns(str(tmp_path / "a.jsonl"), None, ("s", "train"), {"c": "text"}) == [["", "x"]]


def test_unknown_columns_are_named_all_at_once(rows: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_columns(rows, None, ("train_split", "train"), {"source": "de", "target": "pair"})
    assert caught.value.problems == (
        f"data.source: '{rows}' has no column 'de'; its columns are pair.de, pair.en, text, label",
        f"data.target: '{rows}' has no column 'pair'; its columns are pair.de, pair.en, text, label",
    )


def test_an_unknown_split_is_named_with_the_known(rows: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_columns(rows, None, ("valid_split", "validation"), {"column": "text"})
    assert str(caught.value).startswith(f"data.valid_split: 'validation' of '{rows}' cannot be had: ")
    assert "['train']" in str(caught.value)


def test_a_column_of_numbers_is_refused(rows: str) -> None:
    with pytest.raises(InputError) as caught:
        read_columns(rows, None, ("train_split", "train"), {"column": "label"})
    assert str(caught.value) == f"{rows}: expected text in column 'label' of 'train', got int in row 0"


@pytest.mark.parametrize("path", ["./nothing", "/nowhere/at/all", "a/b/c", "data.csv"])
def test_a_local_path_that_does_not_exist_is_not_sought_on_the_hub(path: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_columns(path, None, ("train_split", "train"), {"column": "text"})
    assert str(caught.value) == f"data.path: there is no file or folder '{path}'; check the path"


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"x")
    with pytest.raises(UsageError) as caught:
        read_columns(str(tmp_path / "a.xlsx"), None, ("train_split", "train"), {"column": "text"})
    assert str(caught.value) == (
        f"data.path: '{tmp_path}/a.xlsx' ends in none of .parquet, .json, .jsonl, .csv"
    )


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("no json\n")
    with pytest.raises(RunError, match=r"'.*a.jsonl' cannot be loaded: "):
        read_columns(str(tmp_path / "a.jsonl"), None, ("train_split", "train"), {"column": "text"})


@pytest.mark.usefixtures("closed_port")
def test_without_a_network_there_is_one_sentence() -> None:
    with pytest.raises(RunError) as caught:
        read_columns("owner/name", None, ("train_split", "train"), {"column": "text"})
    assert str(caught.value) == (
        "'owner/name' is a data set of 127.0.0.1, which cannot be reached; connect to the network, give a "
        "local file or folder as data.path, or set HF_HUB_OFFLINE=1 if it was downloaded before"
    )


def test_a_dead_proxy_is_no_network_either(closed_port: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    with pytest.raises(
        RunError, match=r"'owner/name' is a data set of hub\.example, which cannot be reached"
    ):
        read_columns("owner/name", None, ("train_split", "train"), {"column": "text"})


def sentences(tmp_path: Path, features: datasets.Features | None = None) -> str:
    """Words, tags as text and as classes, and a sentence without any of them."""
    rows = [
        {"tokens": ["Ada", "ran"], "texts": ["B-PER", "O"], "classes": [1, 0]},
        {"tokens": [], "texts": [], "classes": []},
        {"tokens": None, "texts": None, "classes": None},
    ]
    path = tmp_path / "sentences.parquet"
    datasets.Dataset.from_list(rows, features).to_parquet(path)
    return str(path)


def test_lists_of_texts_and_of_classes(tmp_path: Path) -> None:
    text = datasets.List(datasets.Value("string"))
    classes = datasets.List(datasets.ClassLabel(names=["O", "B-PER"]))
    path = sentences(tmp_path, datasets.Features({"tokens": text, "texts": text, "classes": classes}))
    columns = {"words": "tokens", "tags": "texts", "classes": "classes"}
    words, tags, names = read_lists(path, None, ("train_split", "train"), columns)
    assert words == [["Ada", "ran"], [], []]
    assert tags == names == [["B-PER", "O"], [], []]


def test_classes_without_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_lists(sentences(tmp_path), None, ("train_split", "train"), {"tags": "classes"})
    assert str(caught.value).endswith(
        "sentences.parquet: expected a list of texts in column 'classes' of 'train', got [1, 0] in row 0"
    )


def test_texts_are_no_lists_of_texts(rows: str) -> None:
    with pytest.raises(
        InputError, match=r"expected a list of texts in column 'text' .* got 'row 0' in row 0"
    ):
        read_lists(rows, None, ("train_split", "train"), {"words": "text"})
    with pytest.raises(UsageError, match=r"^data\.tags: .* has no column 'ner_tags'"):
        read_lists(rows, None, ("train_split", "train"), {"tags": "ner_tags"})


def test_labels_are_texts_integers_or_names_of_classes(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "stars": datasets.Value("int64"),
            "kind": datasets.ClassLabel(names=["bad", "good"]),
        }
    )
    rows = {"text": ["b", "a", None], "stars": [5, -1, None], "kind": [1, 0, -1]}
    path = str(tmp_path / "labels.parquet")
    datasets.Dataset.from_dict(rows, features).to_parquet(path)
    columns = {"a": "text", "b": "stars", "c": "kind"}
    assert read_labels(path, None, ("train_split", "train"), columns) == [
        ["b", "a", ""],
        ["5", "-1", ""],
        ["good", "bad", ""],
    ]


def test_numbers_that_are_not_whole_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"stars": 4.5}\n')
    with pytest.raises(InputError, match="expected text in column 'stars' of 'train', got float in row 0"):
        read_labels(str(path), None, ("train_split", "train"), {"label": "stars"})
