"""The files that the pages speak of as the reader's own: small ones of the same form."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
SPLITS = ("train", "dev", "test")
GERMAN = ("ein hund läuft", "zwei kinder spielen", "ein mann liest ein buch", "eine frau singt")
ENGLISH = ("a dog runs", "two children play", "a man reads a book", "a woman sings")
SPANISH = ("un perro corre", "dos niños juegan", "un hombre lee un libro", "una mujer canta")
TREES = "(3 (2 It) (4 (2 's) (3 good)))\n(1 (0 bad) (2 film))\n(2 so)\n"
COLUMNS = (
    "-DOCSTART- -X- O O\n\nPeter NNP I-NP I-PER\nlives VBZ I-VP O\nin IN I-PP O\nRome NNP I-NP I-LOC\n\n"
    "EU NNP I-NP I-ORG\nrejects VBZ I-VP O\nit PRP I-NP O\n. . O O\n\n"
)
VIDEOS = ("S1_Tea", "S2_Tea", "S3_Tea", "S4_Tea")
ACTIONS = ("background", "open", "pour")


def lay(folder: Path) -> None:
    """Puts everything there."""
    (folder / "experiments").symlink_to(ROOT / "experiments")
    _texts(folder)
    _photographs(folder)
    _videos(folder / "gtea")


def _texts(folder: Path) -> None:
    for split in SPLITS:
        for language, lines in (("de", GERMAN), ("en", ENGLISH), ("es", SPANISH)):
            _write(folder / f"corpus/{split}.{language}", "\n".join(lines * 4) + "\n")
        _write(folder / f"trees/{split}.txt", TREES * 4)
        table = "".join(
            f"{line}\t{'pos' if index % 2 else 'neg'}\n" for index, line in enumerate(ENGLISH * 2)
        )
        _write(folder / f"{split}.tsv", table)
        _write(folder / f"ptb.{'valid' if split == 'dev' else split}.txt", "\n".join(ENGLISH * 8) + "\n")
    for name in ("eng.train", "eng.testa", "eng.testb"):
        _write(folder / name, COLUMNS * 3)
    _write(folder / "book.txt", "It was the best of times, it was the worst of times.\n" * 40)
    _write(folder / "sentences.txt", "la niña come la manzana roja\nel águila te vio\n")
    vectors = "".join(f"{word} {' '.join(['0.5'] * 100)}\n" for word in ("a", "dog", "book"))
    (folder / "glove.6B.100d.txt.gz").write_bytes(gzip.compress(vectors.encode()))


def _photographs(folder: Path) -> None:
    names = {split: [f"{split}{number}.jpg" for number in range(2)] for split in SPLITS}
    captions = ""
    for number, name in enumerate(name for split in SPLITS for name in names[split]):
        path = folder / "Flicker8k_Dataset" / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), (40 * number, 90, 200 - 30 * number)).save(path)
        captions += "".join(f"{name}#{index}\t{line} .\n" for index, line in enumerate(ENGLISH))
    _write(folder / "Flickr8k.token.txt", captions)
    for split, listed in names.items():
        _write(folder / f"{split}.txt", "\n".join(listed) + "\n")


def _videos(folder: Path) -> None:
    _write(folder / "mapping.txt", "".join(f"{number} {name}\n" for number, name in enumerate(ACTIONS)))
    _write(folder / "splits/train.split1.bundle", "".join(f"{video}.txt\n" for video in VIDEOS[1:]))
    _write(folder / "splits/test.split1.bundle", f"{VIDEOS[0]}.txt\n")
    (folder / "features/split1").mkdir(parents=True)
    for number, video in enumerate(VIDEOS):
        labels = [ACTIONS[(frame + number) // 10 % len(ACTIONS)] for frame in range(60)]
        _write(folder / f"groundTruth/{video}.txt", "\n".join(labels) + "\n")
        features = np.eye(8)[[ACTIONS.index(label) for label in labels]].T
        np.save(folder / f"features/split1/{video}.npy", features.astype("float32"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
