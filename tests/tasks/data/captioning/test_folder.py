from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest
from PIL import Image

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.captioning.folder import Folder

TABLE = 'file_name,n,text\n1.png,7,A dog runs .\nsub/2.png,8,"A ""red"" car,\nand a cat"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split in ("train", "validation", "test"):
        (tmp_path / split / "sub").mkdir(parents=True)
        for number, name in enumerate(("1.png", "sub/2.png"), 1):
            Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / split / name)
        (tmp_path / split / "metadata.csv").write_text(TABLE)
        (tmp_path / split / "readme.txt").write_text("no image")
    return tmp_path


def data(root: Path, caption: str = "text", skip: bool = False) -> Folder:
    return Folder(path=str(root), caption=caption, side=8, skip=skip)


def found(root: Path, caption: str = "text") -> list[tuple[str, list[str]]]:
    return [
        (str(Path(image.place).relative_to(root / "train")), image.captions)
        for image in data(root, caption).captioned()["train"]
    ]


def lines(root: Path, rows: list[object], split: str = "train") -> None:
    (root / split / "metadata.csv").unlink()
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    (root / split / "metadata.jsonl").write_text(text)


def problem(root: Path, caption: str = "text") -> str:
    with pytest.raises((InputError, UsageError)) as caught:
        data(root, caption).prepare()
    return str(caught.value).replace(f"{root}/", "")


def test_a_row_is_a_caption(root: Path) -> None:
    assert found(root) == [("1.png", ["A dog runs ."]), ("sub/2.png", ['A "red" car,\nand a cat'])]
    assert data(root).meta["images"] == {"train": 2, "valid": 2, "test": 2}
    assert data(root).meta["places"] == [f"{root}/test/1.png", f"{root}/test/sub/2.png"]
    (batch,) = data(root).loader("test")
    assert batch.inputs[:, 0, 0].float().mean((1, 2)).tolist() == [1, 2]
    assert batch.references == (("a dog runs",), ("a red car and a cat",))


def test_the_same_as_the_library_reads(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = [{"file_name": "sub/2.png", "text": "two"}, {"file_name": "1.png", "text": "one"}]
    for split in ("train", "validation", "test"):
        lines(root, [*rows], split)
    cache = str(tmp_path_factory.mktemp("cache"))
    table = datasets.load_dataset("imagefolder", data_dir=str(root), split="train", cache_dir=cache)
    images = table.cast_column("image", datasets.Image(decode=False))["image"]
    theirs = [(image["path"], [text]) for image, text in zip(images, table["text"], strict=True)]
    assert [(str(root / "train" / name), captions) for name, captions in found(root)] == theirs


def test_several_rows_or_a_list_are_several_captions(root: Path) -> None:
    (root / "train/metadata.csv").write_text("file_name,text\nsub/2.png,two\n1.png,one\nsub/2.png,zwei\n")
    assert found(root) == [("sub/2.png", ["two", "zwei"]), ("1.png", ["one"])]
    rows = [{"file_name": "1.png", "says": ["one", "ein"]}, {"file_name": "sub/2.png", "says": "two", "n": 7}]
    for split in ("train", "validation", "test"):
        lines(root, [*rows], split)
    assert found(root, "says") == [("1.png", ["one", "ein"]), ("sub/2.png", ["two"])]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            "1.png",
            "expected a text under 'file_name' and under 'text', got {'file_name': '1.png', 'text': None}",
        ),
        ("1.png,a,b", "expected a text under 'file_name' and under 'text', got {"),
        ("1.png,", "expected a caption with a word in it, got ''"),
        ("../1.png,a dog", "expected the name of a file in 'train', got '../1.png'"),
        ("../../etc/passwd,a dog", "expected the name of a file in 'train', got '../../etc/passwd'"),
        ("/etc/passwd,a dog", "expected the name of a file in 'train', got '/etc/passwd'"),
        (",a dog", "expected the name of a file in 'train', got ''"),
        ("3.png,a dog", "there is no file 'train/3.png'"),
    ],
)
def test_a_wrong_row_of_a_table_is_named(row: str, expected: str, root: Path) -> None:
    (root / "train/metadata.csv").write_text(f'file_name,text\n1.png,"a\ndog"\nsub/2.png,a cat\n{row}\n')
    assert problem(root).startswith(f"train/metadata.csv:5: {expected}")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("{", "not JSON: Expecting property name"),
        ("", "not JSON: Expecting value at column 1"),
        ("[1]", "expected a text under 'file_name' and under 'text', got [1]"),
        ({"text": "a"}, "expected a text under 'file_name' and under 'text', got {'text': 'a'}"),
        ({"file_name": "1.png"}, "expected a text under 'file_name' and under 'text', got "),
        ({"file_name": 1, "text": "a"}, "expected a text under 'file_name' and under 'text', got "),
        (
            {"file_name": "1.png", "text": ["a", 1]},
            "expected a text under 'file_name' and under 'text', got ",
        ),
        ({"file_name": "1.png", "text": ["a", ""]}, "expected a caption with a word in it, got ''"),
        ({"file_name": "..\\1.png", "text": "a"}, "expected the name of a file in 'train', got "),
    ],
)
def test_a_wrong_line_is_named(row: object, expected: str, root: Path) -> None:
    lines(root, [{"file_name": "1.png", "text": "a"}, {"file_name": "sub/2.png", "text": "b"}, row, {}])
    assert problem(root).startswith(f"train/metadata.jsonl:3: {expected}")


def test_an_image_without_captions_is_named(root: Path) -> None:
    Image.new("L", (9, 9)).save(root / "test/sub/3.JPG")
    (root / "test/.hidden.png").write_text("")
    assert problem(root) == "test/metadata.csv: expected a row for 'test/sub/3.JPG', and there is none"
    (root / "test/sub/3.JPG").unlink()
    lines(root, [{"file_name": "1.png", "text": []}, {"file_name": "sub/2.png", "text": "b"}])
    assert problem(root) == "train/metadata.jsonl:1: there is no caption of 'train/1.png'; give one"


def test_a_broken_table_is_named(root: Path) -> None:
    (root / "train/metadata.csv").write_text('file_name,text\n1.png,"a" dog\n')
    assert problem(root).startswith("train/metadata.csv:2: not comma-separated text: ")
    (root / "train/metadata.csv").write_bytes(b"file_name,text\n1.png,caf\xe9\n")
    assert problem(root).startswith("train/metadata.csv:2: not UTF-8: byte 0xe9")
    (root / "train/metadata.csv").write_text("file_name,text\n")
    assert problem(root) == "train/metadata.csv: expected a row for 'train/1.png', and there is none"
    for name in ("1.png", "sub/2.png"):
        (root / "train" / name).unlink()
    assert problem(root) == "train/metadata.csv: expected train images, and there is none"


def test_folders_and_metadata_have_to_be_there_once(root: Path) -> None:
    assert problem(root / "no") == f"data.path: there is no folder '{root}/no'; check the path"
    (root / "train/metadata.jsonl").write_text("{}\n")
    both = "data.path: expected one of metadata.csv and metadata.jsonl in 'train', got 2 of them"
    assert problem(root) == both
    (root / "train/metadata.jsonl").unlink()
    (root / "validation").rename(root / "dev")
    assert data(root).meta["images"]["valid"] == 2
    (root / "val").mkdir()
    wanted = f"data.path: expected one folder valid or validation or val or dev in '{root}', got "
    assert problem(root) == f"{wanted}'val' and 'dev'".replace(f"{root}/", "")
    for name in ("val", "dev"):
        (root / name).rename(root / f"my{name}")
    assert problem(root) == f"{wanted}none of them"


def test_wrong_rows_are_left_out_and_counted(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (root / "train/metadata.csv").open("a") as table:
        table.write("1.png,7\n3.png,7,A ghost\n")
    Image.new("L", (9, 9)).save(root / "train/4.png")
    assert data(root, skip=True).meta["images"] == {"train": 2, "valid": 2, "test": 2}
    rows, images = (message.replace(f"{root}/", "") for message in caplog.messages)
    assert rows.startswith(
        "'train/metadata.csv': left out 1 of 4 rows; the first: train/metadata.csv:5: expected "
    )
    assert images.startswith("'train/metadata.csv': left out 2 of 4 train images; the first: ")
