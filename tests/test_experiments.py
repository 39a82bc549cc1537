"""Every file of ``experiments/`` is the model it says it is, and takes its first steps on made-up data."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rnnx.core.experiment import Experiment
from rnnx.core.running.quiet import quiet
from rnnx.core.running.trainer import Trainer
from rnnx.core.running.training import count_parameters
from rnnx.core.task import Task

FOLDER = Path(__file__).parents[1] / "experiments"
FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*.yaml"))

# Numbers of parameters as published, or as the sizes in the paper make them, counted by hand.
PUBLISHED = {
    "lm/ptb-zaremba-small.yaml": 2 * 10_000 * 200 + 10_000 + 2 * 4 * 200 * (200 + 200 + 2),
    "lm/ptb-zaremba-medium.yaml": 19.8e6,
    "lm/ptb-zaremba-large.yaml": 66e6,
    "lm/ptb-variational-large.yaml": 66e6,
    "lm/ptb-rhn.yaml": 10_000 * 830 + 10_000 + 2 * 830 * 830 * (1 + 10) + 10 * 2 * 830,
    "lm/ptb-awd-lstm.yaml": 24_221_600,
    "lm/ptb-bai.yaml": 13e6,
    "lm/ptb-characters-bai.yaml": 3e6,
    "lm/shakespeare-char-rnn.yaml": 240_321,
    "memory/adding-bai.yaml": 70e3,
    "memory/copying-bai.yaml": 16e3,
    "sentiment/imdb-keras-bilstm.yaml": 2_757_761,
}


def small(name: str) -> list[str]:
    """Words that make a file's model small enough for quick steps."""
    return ["net.match=0", "cell.hidden_size=8", *(["task.embedding_size=8"] if name[:3] == "lm/" else [])]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def splits(folder: Path, name: str, text: str) -> list[str]:
    """One text as all three splits."""
    for split in ("train", "valid", "test"):
        write(folder / name.format(split), text)
    return [f"data.{split}={folder / name.format(split)}" for split in ("train", "valid", "test")]


def penn_treebank(folder: Path) -> list[str]:
    """10,000 words, the end of a line among them."""
    words = [f"w{number}" for number in range(9_999)]
    lines = (" ".join(words[start : start + 20]) for start in range(0, len(words), 20))
    return splits(folder, "ptb.{}.txt", "".join(f" {line} \n" for line in lines))


def shakespeare(folder: Path) -> list[str]:
    """65 characters."""
    alphabet = (string.ascii_letters + " \n!$&',-.3:;?")[:65]
    write(folder / "input.txt", alphabet * 200)
    return [f"data.text={folder / 'input.txt'}"]


def multi30k(folder: Path) -> list[str]:
    for split in ("train", "valid", "test"):
        for language in ("de", "en"):
            write(folder / f"{split}.{language}", "ein zwei drei\nzwei drei ein zwei\ndrei ein\n" * 100)
    return [f"data.{split}={folder / split}" for split in ("train", "valid", "test")]


def conll(folder: Path) -> list[str]:
    sentence = "Ada NNP I-NP I-PER\nran VBD I-VP O\nto TO I-PP O\nNew NNP I-NP I-LOC\nYork NNP I-NP I-LOC\n\n"
    return splits(folder, "eng.{}", "-DOCSTART- -X- O O\n\n" + sentence * 40)


def trees(folder: Path) -> list[str]:
    return splits(folder, "{}.txt", "(3 (2 It) (4 (2 's) (3 good)))\n(0 (1 so) (0 bad))\n" * 60)


def tables(folder: Path) -> list[str]:
    return splits(folder, "{}.tsv", "it is good\t1\nit is so bad\t0\n" * 60)


def reviews(folder: Path) -> list[str]:
    """More than 20,000 words."""
    for split in ("train", "test"):
        for number in range(160):
            words = (f"w{word}" for word in range(number * 150, (number + 1) * 150))
            label = ("pos", "neg")[number % 2]
            write(folder / "aclImdb" / split / label / f"{number}_7.txt", " ".join(words))
    return [f"data.{split}={folder / 'aclImdb' / split}" for split in ("train", "test")]


def gtea(folder: Path) -> list[str]:
    videos = ["S1_Tea", "S2_Tea", "S3_Tea", "S4_Tea", "S3_Pizza"]
    write(folder / "mapping.txt", "0 background\n1 pour\n")
    for video in videos:
        write(folder / "groundTruth" / f"{video}.txt", "background\n" * 40 + "pour\n" * 40)
        path = folder / "features" / "split1" / f"{video}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.ones((128, 80), dtype=np.float16))
    for split, names in (("test", videos[:1]), ("train", videos[1:])):
        write(folder / "splits" / f"{split}.split1.bundle", "".join(f"{name}.txt\n" for name in names))
    return [f"data.path={folder}"]


def flickr8k(folder: Path) -> list[str]:
    names = [f"{number}.jpg" for number in range(130)]
    (folder / "images").mkdir()
    for name in names:
        Image.new("RGB", (128, 128), "red").save(folder / "images" / name)
    captions = (f"{name}#{caption}\ta dog runs on sand .\n" for name in names for caption in range(5))
    write(folder / "captions.txt", "".join(captions))
    words = [f"data.images={folder / 'images'}", f"data.captions={folder / 'captions.txt'}"]
    for split, some in (("train", names[:-2]), ("valid", names[-2:-1]), ("test", names[-1:])):
        write(folder / f"{split}.txt", "".join(f"{name}\n" for name in some))
        words.append(f"data.{split}={folder / f'{split}.txt'}")
    return words


def made(folder: Path) -> list[str]:
    return ["data.train=100", "data.valid=20", "data.test=20"]


def found(folder: Path) -> list[str]:
    return []


SOURCES: dict[str, Callable[[Path], list[str]]] = {
    "captioning/flickr8k": flickr8k,
    "lm/ptb": penn_treebank,
    "lm/shakespeare": shakespeare,
    "memory/adding": made,
    "memory/copying": made,
    "memory/digits": found,
    "ner/": conll,
    "nmt/": multi30k,
    "sentiment/imdb": reviews,
    "sentiment/sst-": trees,
    "sentiment/sst2": tables,
    "video/gtea": gtea,
}


@pytest.fixture
def data(name: str, tmp_path: Path) -> list[str]:
    """Words that give a file its data: small, and in the format of the real one."""
    (source,) = (source for beginning, source in SOURCES.items() if name.startswith(beginning))
    return source(tmp_path)


@pytest.fixture(autouse=True)
def algorithms() -> Iterator[None]:
    """What a trainer sets for the whole process."""
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", FILES)
def test_its_model_has_the_published_size_and_it_takes_its_first_steps(
    name: str, data: list[str], tmp_path: Path
) -> None:
    if name in PUBLISHED:
        _, model = Experiment.from_words(str(FOLDER / name), *data).prepare()
        assert isinstance(model, Task)
        assert count_parameters(model) == pytest.approx(PUBLISHED[name], rel=0.015)
        del model

    experiment = Experiment.from_words(str(FOLDER / name), *data, *small(name))
    loaders, task = experiment.prepare()
    assert isinstance(task, Task)
    limits = {"limit_train_batches": 2, "limit_val_batches": 1, "max_epochs": 1, "accelerator": "cpu"}
    trainer = Trainer(**experiment.config.trainer | limits).build(tmp_path, [], [])
    before = {key: weight.clone() for key, weight in task.named_parameters() if weight.requires_grad}
    with quiet():
        trainer.fit(task, loaders.loader("train"), loaders.loader("valid"))
    assert trainer.global_step == 2
    assert trainer.callback_metrics["train/loss"].isfinite()
    after = dict(task.named_parameters())
    assert any(not weight.equal(after[key]) for key, weight in before.items())


def test_every_published_size_is_of_a_file() -> None:
    assert set(PUBLISHED) <= set(FILES)
    assert len(FILES) > 20


LEDGER = (FOLDER / "README.md").read_text(encoding="utf-8").partition("## Published figures")[2]
ROWS = dict.fromkeys(re.findall(r"^\|[^|]*\| `(\S+\.yaml)(.*?)`", LEDGER, re.MULTILINE))


@pytest.mark.filterwarnings("ignore:.* is left out, as cell:rnnx.core.errors.RunWarning")
@pytest.mark.parametrize(("name", "words"), ROWS)
def test_the_words_of_the_ledger_make_a_model(name: str, words: str, data: list[str], tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("good 0.1 0.2\nnew 0.3 0.4\n", encoding="utf-8")
    typed = words.replace("GLOVE", str(tmp_path / "glove.txt")).split()
    _, model = Experiment.from_words(str(FOLDER / name), *data, *small(name), *typed).prepare()
    assert isinstance(model, Task)


def test_every_file_of_a_published_figure_is_a_row() -> None:
    assert set(PUBLISHED) <= {name for name, _ in ROWS}
