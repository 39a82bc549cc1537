from __future__ import annotations

import csv
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import pytest

from rnnx.core.errors import InputError, RunError, UsageError
from rnnx.tasks.parts.files.hub import (
    HubSplit,
    image_file,
    read_columns,
    read_images,
    read_labels,
    read_lists,
)

ROWS = [{"pair": {"de": f"ein {n}", "en": f"a {n}"}, "text": f"row {n}", "label": n} for n in range(10)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def rows(tmp_path: Path) -> str:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(file)


def train(path: str) -> HubSplit:
    return HubSplit(path, None, "train", "train_split")


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
    columns = read_columns(train(rows), {"source": "pair.de", "column": "text"})
    assert columns == [[f"ein {n}" for n in range(10)], [f"row {n}" for n in range(10)]]


def test_a_slice(rows: str) -> None:
    (texts,) = read_columns(HubSplit(rows, None, "train[80%:]", "test_split"), {"column": "text"})
    assert texts == ["row 8", "row 9"]


def test_csv(tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["de", "en"], ['ein "Hund", so', "a dog"], ["eins", "one"]])
    columns = read_columns(train(str(tmp_path / "rows.csv")), {"source": "de", "target": "en"})
    assert columns == [['ein "Hund", so', "eins"], ["a dog", "one"]]


def test_parquet(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).to_parquet(tmp_path / "rows.parquet")
    (texts,) = read_columns(train(str(tmp_path / "rows.parquet")), {"target": "pair.en"})
    assert texts == [f"a {n}" for n in range(10)]


def test_a_folder_with_a_file_for_each_split(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")
    assert read_columns(HubSplit(str(tmp_path), None, "test", "s"), {"column": "text"}) == [["test"]]


def test_a_missing_value_is_the_empty_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": null}\n{"text": "x"}\n')
    assert read_columns(train(str(tmp_path / "a.jsonl")), {"c": "text"}) == [["", "x"]]


def test_unknown_columns_are_named_all_at_once(rows: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_columns(train(rows), {"source": "de", "target": "pair"})
    assert caught.value.problems == (
        f"data.source: '{rows}' has no column 'de'; its columns are pair.de, pair.en, text, label",
        f"data.target: '{rows}' has no column 'pair'; its columns are pair.de, pair.en, text, label",
    )


def test_an_unknown_split_is_named_with_the_known(rows: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_columns(HubSplit(rows, None, "validation", "valid_split"), {"column": "text"})
    assert str(caught.value).startswith(f"data.valid_split: 'validation' of '{rows}' cannot be had: ")
    assert "['train']" in str(caught.value)


def test_a_column_of_numbers_is_refused(rows: str) -> None:
    with pytest.raises(InputError) as caught:
        read_columns(train(rows), {"column": "label"})
    assert str(caught.value) == f"{rows}: expected text in column 'label' of 'train', got int in row 1"


@pytest.mark.parametrize("path", ["./nothing", "/nowhere/at/all", "a/b/c", "data.csv"])
def test_a_local_path_that_does_not_exist_is_not_sought_on_the_hub(path: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_columns(train(path), {"column": "text"})
    assert str(caught.value) == f"data.path: there is no file or folder '{path}'; check the path"


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"x")
    with pytest.raises(UsageError) as caught:
        read_columns(train(str(tmp_path / "a.xlsx")), {"column": "text"})
    assert str(caught.value) == (
        f"data.path: '{tmp_path}/a.xlsx' ends in none of .parquet, .json, .jsonl, .csv"
    )


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("no json\n")
    with pytest.raises(RunError, match=r"'.*a.jsonl' cannot be loaded: "):
        read_columns(train(str(tmp_path / "a.jsonl")), {"column": "text"})


@pytest.mark.usefixtures("closed_port")
def test_without_a_network_there_is_one_sentence() -> None:
    with pytest.raises(RunError) as caught:
        read_columns(train("owner/name"), {"column": "text"})
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
        read_columns(train("owner/name"), {"column": "text"})


class Broken(BaseHTTPRequestHandler):
    """A server that has trouble of its own, hangs up, or says nothing for a long time."""

    def do_HEAD(self) -> None:
        match self.path.strip("/"):
            case "trouble":
                self.send_error(500)
            case "silence":
                time.sleep(60)

    def log_message(self, format: str, *_: object) -> None:
        pass


@pytest.mark.parametrize("way", ["trouble", "nothing", "silence"])
def test_a_hub_that_is_not_itself_is_not_waited_for(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library alone tries for half a minute, and says that there is no such data set."""
    monkeypatch.setattr("rnnx.tasks.parts.files.hub.PATIENCE", 0.5)
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/{way}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        with pytest.raises(RunError, match=r"is a data set of 127\.0\.0\.1, which cannot be reached"):
            read_columns(train("owner/name"), {"column": "text"})
        server.shutdown()


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
    words, tags, names = read_lists(train(path), columns)
    assert words == [["Ada", "ran"], [], []]
    assert tags == names == [["B-PER", "O"], [], []]


def test_classes_without_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_lists(train(sentences(tmp_path)), {"tags": "classes"})
    assert str(caught.value).endswith(
        "sentences.parquet: expected a list of texts in column 'classes' of 'train', got [1, 0] in row 1"
    )


def test_texts_are_no_lists_of_texts(rows: str) -> None:
    with pytest.raises(
        InputError, match=r"expected a list of texts in column 'text' .* got 'row 0' in row 1"
    ):
        read_lists(train(rows), {"words": "text"})
    with pytest.raises(UsageError, match=r"^data\.tags: .* has no column 'ner_tags'"):
        read_lists(train(rows), {"tags": "ner_tags"})


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
    assert read_labels(train(path), columns) == [
        ["b", "a", ""],
        ["5", "-1", ""],
        ["good", "bad", ""],
    ]


def test_numbers_that_are_not_whole_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"stars": 4.5}\n')
    with pytest.raises(InputError, match="expected text in column 'stars' of 'train', got float in row 1"):
        read_labels(train(str(path)), {"label": "stars"})


def pictures(path: Path, images: list[dict[str, Any] | None], **columns: list[Any]) -> str:
    """A parquet file with a column of images."""
    features = {
        name: datasets.Dataset.from_dict({name: values}).features[name] for name, values in columns.items()
    }
    table = datasets.Dataset.from_dict(
        {"image": images, **columns}, datasets.Features({"image": datasets.Image(), **features})
    )
    table.to_parquet(path)
    return str(path)


def test_images_are_read_row_by_row_and_texts_gathered(tmp_path: Path) -> None:
    images: list[dict[str, Any] | None] = [{"bytes": bytes([row]) * 3, "path": None} for row in range(3)]
    path = pictures(tmp_path / "a.parquet", [*images], many=[["a", "b"], [], None], one=["c", None, "d"])
    found, texts = read_images(train(path), ("image", "image"), ("caption", ("one", "many")))
    assert texts == [["c", "a", "b"], [], ["d"]]
    files = [image_file(found[row], path, "x") for row in (2, 0)]
    assert [file.read() for file in files if isinstance(file, BytesIO)] == [b"\2\2\2", b"\0\0\0"]


def test_other_columns_are_no_images_and_no_texts(tmp_path: Path) -> None:
    path = pictures(tmp_path / "a.parquet", [None], n=[7], ns=[[7]], text=["a"])
    for column, shown in (("n", "7"), ("ns", "[7]")):
        with pytest.raises(InputError) as caught:
            read_images(train(path), ("image", "image"), ("caption", ["text", column]))
        assert caught.value.problem == (
            f"expected a text or a list of texts in column '{column}' of 'train', got {shown} in row 1"
        )
    with pytest.raises(InputError, match="expected images in column 'text' of 'train', got Value"):
        read_images(train(path), ("image", "text"), ("caption", ["text"]))
    with pytest.raises(UsageError) as unknown:
        read_images(train(path), ("image", "img"), ("caption", ["text", "b", "c"]))
    assert [problem.partition(" has ")[0] for problem in unknown.value.problems] == [
        f"data.image: '{path}'",
        f"data.caption: '{path}'",
        f"data.caption: '{path}'",
    ]


def test_an_image_is_a_file_of_the_data_set_or_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, cache, other = tmp_path / "data", tmp_path / "cache", tmp_path / "other"
    for folder in (own, cache, other):
        folder.mkdir()
        (folder / "1.png").write_text(folder.name)
    monkeypatch.setattr(datasets.config, "HF_CACHE_HOME", str(cache))
    for folder in (own, cache):
        file = folder / "1.png"
        assert image_file({"bytes": None, "path": str(file)}, str(own), "row 1") == file
    (own / "link.png").symlink_to(other / "1.png")
    for path in (str(other / "1.png"), f"{own}/../other/1.png", str(own / "link.png"), "/etc/passwd"):
        with pytest.raises(InputError) as caught:
            image_file({"bytes": None, "path": path}, str(own), "row 1")
        assert (
            str(caught.value) == f"row 1: the image is said to be '{path}', which is no file of the data set"
        )
    for image in (None, {"bytes": None, "path": None}):
        with pytest.raises(InputError, match="row 1: expected an image, and there is none"):
            image_file(image, str(own), "row 1")
