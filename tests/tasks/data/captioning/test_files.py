from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.captioning.files import Files

SHADES = {"a.jpg": 0, "b.png": 90, "c.jpg": 180, "d.jpg": 250}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four photographs of one shade each and of different sizes."""
    (tmp_path / "images").mkdir()
    for number, (name, shade) in enumerate(SHADES.items()):
        Image.new("L", (20 + 10 * number, 30), shade).save(tmp_path / "images" / name)
    (tmp_path / "captions.txt").write_text(
        "".join(f"{name}#{n}\tPhoto {name[0]} , {n} .\n" for name in SHADES for n in range(2))
    )
    (tmp_path / "train.txt").write_text("b.png\na.jpg\n")
    (tmp_path / "valid.txt").write_text("c.jpg\n")
    (tmp_path / "test.txt").write_text("d.jpg\n")
    return tmp_path


def files(root: Path, **options: bool) -> Files:
    texts = {name: str(root / f"{name}.txt") for name in ("captions", "train", "valid", "test")}
    return Files(images=str(root / "images"), side=8, **texts, **options)  # type: ignore[arg-type]


def problem(root: Path, **options: bool) -> str:
    with pytest.raises((InputError, UsageError)) as caught:
        files(root, **options).prepare()
    return str(caught.value).replace(f"{root}/", "")


def test_photographs_are_squares_with_their_captions(root: Path) -> None:
    data = files(root)
    assert data.meta["shape"] == [3, 8, 8]
    assert data.meta["places"] == [f"{root}/images/d.jpg"]
    assert data.meta["images"] == {"train": 2, "valid": 1, "test": 1}
    (batch,) = data.loader("train")
    assert batch.inputs.shape == (4, 1, 3, 8, 8)
    assert batch.references is not None
    shades = {
        row[0][:7]: int(image.float().mean())
        for row, image in zip(batch.references, batch.inputs, strict=True)
    }
    assert shades == {"photo b": 90, "photo a": 0}
    (batch,) = data.loader("test")
    assert batch.references == (("photo d 0", "photo d 1"),)


def test_they_may_be_grey(root: Path) -> None:
    assert files(root, grey=True).meta["shape"] == [1, 8, 8]


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_photograph_that_cannot_be_read_stops_the_run_before_it_starts(
    content: bytes | None, root: Path
) -> None:
    """None for the first half of its file."""
    photo = root / "images/d.jpg"
    whole = photo.read_bytes()
    photo.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert problem(root).startswith("images/d.jpg: expected an image, and it does not decode (")
    (root / "test.txt").write_text("d.jpg\nc.jpg\n")
    (root / "valid.txt").write_text("b.png\n")
    (root / "train.txt").write_text("a.jpg\n")
    assert files(root, skip=True).meta["images"] == {"train": 1, "valid": 1, "test": 1}


@pytest.mark.parametrize("name", ["../captions.txt", "../../etc/passwd", "/etc/passwd", "a/../../x.jpg"])
def test_a_list_does_not_lead_out_of_the_folder(name: str, root: Path) -> None:
    (root / "captions.txt").write_text((root / "captions.txt").read_text() + f"{name}#0\tA secret .\n")
    (root / "test.txt").write_text(f"d.jpg\n{name}\n")
    assert problem(root) == f"test.txt:2: expected the name of a file in 'images', got '{name}'"


def test_a_missing_folder_is_said(root: Path) -> None:
    (root / "images").rename(root / "photos")
    assert problem(root) == "data.images: there is no folder 'images'; check the path"


def test_paths_are_found_from_home(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root.parent))
    assert len(files(Path("~") / root.name).meta["places"]) == 1
