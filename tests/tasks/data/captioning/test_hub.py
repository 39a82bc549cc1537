"""Images and captions of the ``datasets`` library, from local parquet."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.captioning.hub import Hub


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def packed(red: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (12, 9), (red, 0, 0)).save(file, "png")
    return file.getvalue()


def rows(folder: Path, **wrong: dict[int, Any]) -> str:
    """Eight images, the redness of each its row from 0, with captions in one, two or a list of columns."""
    columns: dict[str, list[Any]] = {
        "image": [{"bytes": packed(row), "path": None} for row in range(8)],
        "caption": [[f"Image {row}.", f"{row} again"] for row in range(8)],
        "caption_0": [f"first {row}" for row in range(8)],
        "caption_1": [f"second {row}" for row in range(8)],
    }
    for name, values in wrong.items():
        for row, value in values.items():
            columns[name][row] = value
    text = datasets.Value("string")
    features = {
        "image": datasets.Image(),
        "caption": datasets.List(text),
        "caption_0": text,
        "caption_1": text,
    }
    path = folder / "rows.parquet"
    datasets.Dataset.from_dict(columns, datasets.Features(features)).to_parquet(path)
    return str(path)


def hub(path: str, **options: Any) -> Hub:
    splits = {"train_split": "train[:5]", "valid_split": "train[5:6]", "test_split": "train[6:]"}
    return Hub(path=path, side=8, **splits, **options)  # type: ignore[arg-type]


def problem(path: str, **options: Any) -> str:
    with pytest.raises((InputError, UsageError)) as caught:
        hub(path, **options).prepare()
    return str(caught.value).replace(path, "PATH")


def test_a_row_is_an_image_with_a_list_of_captions(folder: Path) -> None:
    data = hub(rows(folder))
    assert data.meta["images"] == {"train": 5, "valid": 1, "test": 2}
    assert data.meta["examples"]["train"] == 10
    assert data.meta["shape"] == [3, 8, 8]
    assert data.meta["places"] == ["", ""]
    (batch,) = data.loader("test")
    assert batch.inputs[:, 0, 0].float().mean((1, 2)).tolist() == [6, 7]
    assert batch.references == (("image 6", "6 again"), ("image 7", "7 again"))


def test_captions_may_be_texts_of_one_or_several_columns(folder: Path) -> None:
    path = rows(folder, caption_1={7: None})
    (batch,) = hub(path, caption="caption_0").loader("test")
    assert batch.references == (("first 6",), ("first 7",))
    (batch,) = hub(path, caption=("caption_1", "caption_0")).loader("test")
    assert batch.references == (("second 6", "first 6"), ("first 7",))


def test_workers_read_the_same(folder: Path) -> None:
    (batch,) = hub(rows(folder), workers=1).loader("test")
    assert batch.inputs[:, 0, 0, 0, 0].tolist() == [6, 7]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"image": {6: {"bytes": b"no image", "path": None}}},
         "PATH (train[6:]):1: expected an image, and it does not decode"),
        ({"image": {6: {"bytes": packed(1)[:45], "path": None}}},
         "PATH (train[6:]):1: expected an image, and it does not decode"),
        ({"image": {7: None}}, "PATH (train[6:]):2: expected an image, and there is none"),
        ({"caption": {1: ["a", " ."]}}, "PATH (train[:5]):2: expected a caption with a word in it, got ' .'"),
        ({"caption": {5: []}}, "PATH (train[5:6]):1: there is no caption of the image"),
        ({"caption": {5: None}}, "PATH (train[5:6]):1: there is no caption of the image"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(wrong: dict[str, dict[int, Any]], expected: str, folder: Path) -> None:
    assert problem(rows(folder, **wrong)).startswith(expected)


def test_wrong_rows_are_left_out_and_counted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = rows(folder, image={1: {"bytes": b"x", "path": None}}, caption={0: [], 3: ["-"]})
    assert hub(path, skip=True).meta["images"] == {"train": 2, "valid": 1, "test": 2}
    (message,) = caplog.messages
    assert message.startswith(f"'{path} (train[:5])': left out 3 of 5 train images; the first: ")


def test_wrong_columns_are_said(folder: Path) -> None:
    path, columns = rows(folder), "its columns are image, caption, caption_0, caption_1"
    assert problem(path, image="img", caption=("caption_0", "caption_5")).splitlines() == [
        f"data.image: 'PATH' has no column 'img'; {columns}",
        f"data.caption: 'PATH' has no column 'caption_5'; {columns}",
    ]
    assert problem(path, image="caption_0").startswith(
        "PATH: expected images in column 'caption_0' of 'train[:5]'"
    )
