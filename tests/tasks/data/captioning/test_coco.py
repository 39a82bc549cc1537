from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.captioning.coco import Coco


def content(split: str) -> dict[str, Any]:
    """Two images, 10 and 20, of whose captions the second's stand first; and what else COCO has."""
    return {
        "info": {"year": 2014},
        "images": [
            {"id": 10, "file_name": f"{split}_10.jpg", "height": 9, "license": 3},
            {"id": 20, "file_name": f"{split}_20.jpg"},
        ],
        "annotations": [
            {"id": 1, "image_id": 20, "caption": "A black cat sits.\n"},
            {"id": 2, "image_id": 10, "caption": "A dog runs."},
            {"id": 3, "image_id": 10, "caption": "One dog, running."},
        ],
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.json").write_text(json.dumps(content(split)))
        (tmp_path / f"{split}2014").mkdir()
        for number in (10, 20):
            Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / f"{split}2014/{split}_{number}.jpg")
    return tmp_path


def coco(root: Path, skip: bool = False) -> Coco:
    names = {"train": "train", "valid": "val", "test": "test"}
    files = {split: str(root / f"{name}.json") for split, name in names.items()}
    folders = {f"{split}_images": str(root / f"{name}2014") for split, name in names.items()}
    return Coco(**files, **folders, side=8, skip=skip)  # type: ignore[arg-type]


def problem(root: Path) -> str:
    with pytest.raises((InputError, UsageError)) as caught:
        coco(root).prepare()
    return str(caught.value).replace(f"{root}/", "")


def test_captions_are_those_of_the_image_with_their_number(root: Path) -> None:
    data = coco(root)
    images = data.captioned()["valid"]
    assert [image.captions for image in images] == [
        ["A dog runs.", "One dog, running."],
        ["A black cat sits."],
    ]
    assert [round(image.read()[0, 0].mean()) for image in images] == [10, 20]
    assert data.meta["shape"] == [3, 8, 8]
    assert data.meta["places"] == [f"{root}/test2014/test_{number}.jpg" for number in (10, 20)]
    assert data.meta["examples"] == {"train": 3, "valid": 2, "test": 2}


def test_splits_may_share_a_folder_but_no_image(root: Path) -> None:
    for image in (root / "test2014").iterdir():
        image.rename(root / "val2014" / image.name)
    (root / "test2014").rmdir()
    (root / "test2014").symlink_to(root / "val2014")
    assert coco(root).meta["images"] == {"train": 2, "valid": 2, "test": 2}
    (root / "test.json").write_text(json.dumps(content("val")))
    assert problem(root) == "test.json: 'test2014/val_10.jpg' is in 'val.json' already; leave one out"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", ":1: not JSON: Expecting property name enclosed in double quotes at column 2"),
        ('{\n"images": [],\n}', ":"),
        pytest.param("[" * 100_000, ": JSON that cannot be read: ", id="nested too deep"),
        ("[1, 2]", ": expected an object with the lists 'images' and 'annotations', got [1, 2]"),
        ("{}", ": expected an object with the lists 'images' and 'annotations', got {}"),
        (
            '{"images": []}',
            ": expected an object with the lists 'images' and 'annotations', got {\"images\": []}",
        ),
        (
            '{"images": {}, "annotations": []}',
            ": expected an object with the lists 'images' and 'annotations', got",
        ),
        ('{"images": [], "annotations": []}', ": expected train images, and there is none"),
    ],
)
def test_what_is_no_such_json_is_said(text: str, expected: str, root: Path) -> None:
    (root / "train.json").write_text(text)
    assert problem(root).startswith(f"train.json{expected}")


@pytest.mark.parametrize(
    ("key", "entry", "expected"),
    [
        ("images", {"id": 30}, "images[2]: expected a text under 'file_name', got {\"id\": 30}"),
        ("images", {"file_name": "x.jpg"}, "images[2]: expected an integer under 'id', got "),
        ("images", {"id": "30", "file_name": "x"}, "images[2]: expected an integer under 'id', got "),
        ("images", {"id": True, "file_name": "x"}, "images[2]: expected an integer under 'id', got "),
        ("images", 7, "images[2]: expected a text under 'file_name', got 7"),
        ("images", {"id": 10, "file_name": "x.jpg"}, "images[2]: another image has the id 10"),
        ("images", {"id": 30, "file_name": "../../etc/passwd"},
         "expected the name of a file in 'test2014', got '../../etc/passwd'"),
        ("images", {"id": 30, "file_name": "/etc/passwd"},
         "expected the name of a file in 'test2014', got '/etc/passwd'"),
        ("images", {"id": 30, "file_name": "no.jpg"}, "there is no file 'test2014/no.jpg'"),
        ("images", {"id": 30, "file_name": "test_10.jpg"},
         "there is no caption of 'test2014/test_10.jpg'; give one"),
        ("annotations", {"image_id": 10}, "annotations[3]: expected a text under 'caption', got "),
        ("annotations", {"caption": "a"}, "annotations[3]: expected an integer under 'image_id', got "),
        ("annotations", None, "annotations[3]: expected an integer under 'image_id', got null"),
        ("annotations", {"image_id": 10, "caption": 5}, "annotations[3]: expected a text under 'caption'"),
        ("annotations", {"image_id": 11, "caption": "A dog"}, "annotations[3]: no image has the id 11"),
        ("annotations", {"image_id": 10, "caption": " "},
         "annotations[3]: expected a caption with a word in it, got ' '"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_named_with_its_number(key: str, entry: Any, expected: str, root: Path) -> None:
    wrong = content("test")
    wrong[key].append(entry)
    (root / "test.json").write_text(json.dumps(wrong))
    assert problem(root).startswith(f"test.json: {expected}")


def test_missing_files_and_folders_are_said(root: Path) -> None:
    (root / "val.json").rename(root / "vall.json")
    assert problem(root).startswith("data.valid: there is no file 'val.json'; did you mean 'vall.json'")
    (root / "vall.json").rename(root / "val.json")
    (root / "test2014").rename(root / "test2015")
    assert problem(root) == "data.test_images: there is no folder 'test2014'; check the path"
    (root / "val.json").write_bytes(b'{\n"caf\xe9": 1}')
    assert problem(root).startswith("val.json:2: not UTF-8: byte 0xe9")


def test_wrong_entries_are_left_out_and_counted(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    wrong = content("train")
    wrong["images"] += [{"id": 30, "file_name": "../x.jpg"}, {"id": 40, "file_name": "no.jpg"}]
    wrong["annotations"] += [{"image_id": 50, "caption": "a"}, {"image_id": 10, "caption": ""}]
    (root / "train.json").write_text(json.dumps(wrong))
    assert coco(root, skip=True).meta["examples"] == {"train": 3, "valid": 2, "test": 2}
    captions, images = (message.replace(f"{root}/", "") for message in caplog.messages)
    assert captions.startswith("'train.json': left out 2 of 5 captions; the first: ")
    assert captions.endswith("the first: train.json: annotations[3]: no image has the id 50")
    assert images.startswith(
        "'train.json': left out 2 of 4 train images; the first: train.json: expected the name"
    )
