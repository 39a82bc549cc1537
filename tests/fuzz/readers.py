"""Every reader of rnnx: the valid files that it starts from, and what reads them."""

from __future__ import annotations

import gzip
import io
import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, final

import numpy as np

from rnnx.cli.commands.predict import lines_of
from rnnx.core.comparing.record import Record
from rnnx.core.data import Data
from rnnx.core.errors import InputError, UsageError
from rnnx.core.plots import curves
from rnnx.core.resolution import resolve
from rnnx.core.run import Run
from rnnx.core.running.checkpoints import read_checkpoint
from rnnx.core.runs import read_result
from rnnx.tasks.data.captioning.coco import Coco
from rnnx.tasks.data.captioning.features import Features as CaptionedFeatures
from rnnx.tasks.data.captioning.files import Files as Photographs
from rnnx.tasks.data.captioning.folder import Folder
from rnnx.tasks.data.lm.files import Files as RunningText
from rnnx.tasks.data.ner.files import Files as Entities
from rnnx.tasks.data.nmt.files import Files as Pairs
from rnnx.tasks.data.sentiment.files import Files as Labelled
from rnnx.tasks.data.sentiment.trees import Trees
from rnnx.tasks.data.video.features import Features as VideoFeatures
from rnnx.tasks.data.video.files import Files as Videos
from rnnx.tasks.parts.files.vector_file import read_vectors
from rnnx.tasks.parts.pictures.film_strip import film_strip
from tests.fuzz import seeds
from tests.fuzz.mutations import NONSENSE, Files, mutated

Act = Callable[[Path], object]


@final
@dataclass(frozen=True)
class Reader:
    """Something of rnnx that reads what others wrote.

    Attributes:
        files: Valid files, by their names.
        act: Reads them in a folder.
        anywhere: Whether it may read files elsewhere, as what the user types may name them.
        change: Makes an input of the files.
    """

    files: Callable[[], Mapping[str, bytes]]
    act: Act
    anywhere: bool = False
    change: Callable[[Mapping[str, bytes], Random], Files] = mutated


def text(**files: str) -> dict[str, bytes]:
    """Text files; a double underscore in a name is a dot."""
    return {name.replace("__", "."): content.encode() for name, content in files.items()}


def data(source: Callable[..., Data], /, **options: Any) -> Act:
    """Prepares data, describes it, and makes a batch of each split; values with a slash are in the folder."""

    def act(folder: Path) -> None:
        here = {
            name: value.replace("HERE", str(folder)) if isinstance(value, str) else value
            for name, value in options.items()
        }
        made = source(**here)
        made.prepare()
        json.dumps(made.meta, allow_nan=False)
        for split in ("train", "valid", "test"):
            list(islice(made.loader(split), 2))

    return act


SPLITS = {"train": "HERE/train", "valid": "HERE/valid", "test": "HERE/test"}


def splits(ending: str) -> dict[str, str]:
    return {split: path + ending for split, path in SPLITS.items()}


def everywhere(content: str, ending: str) -> dict[str, bytes]:
    return {f"{split}{ending}": content.encode() for split in SPLITS}


SENTENCES = "a dog runs .\nthe dog sees a cat .\ndéjà vu\n"
TABLE = "good film\tpos\nbad film\tneg\nso so\tneg\n"
CSV = 'text,label\n"good, very",pos\nbad,neg\n"so ""so""",neg\n'
OBJECTS = (
    '{"text": "good", "label": "pos"}\n{"text": "b\\u00e4d", "label": 0}\n{"text": "so", "label": "0"}\n'
)
TREES = "(3 (2 It) (4 (2 's) (3 good)))\n(1 (0 bad) (2 film))\n(2 so)\n"
COLUMNS = (
    "-DOCSTART- -X- O\n\nEU NNP B-ORG\nrejects VBZ O\nNew NNP B-LOC\nYork NNP I-LOC\n\nPeter NNP B-PER\n\n"
)
CAPTIONS = "".join(
    f"{name}.png#{n}\ta dog {word} .\n" for name in "abc" for n, word in enumerate(("runs", "sat"))
)
VECTORS = "the 0.5 -1\ncat 1e-3 2\n. . . 3 4\ndog 5 6\n"
FLOW = '[{"layer": "net", "loss": [1.0, null], "state": [1, 0.5], "memory": 2}]'
SAMPLES = '[{"in": {"text": "a", "html": null}, "out": {"text": "b", "html": "<b>b</b>"}}]'
METRICS = "epoch,step,train/loss,valid/loss\n0,1,2.5,\n0,2,,2.25\n1,3,1.5,\n"
RESULT = json.dumps(
    {
        "test": {"loss": 1.5, "bleu": 20.0},
        "valid": {"loss": 1.25},
        "seconds": {"fit": 1.0, "test": 0.5},
        "throughput": {"train_tokens_per_second": 10.0},
        "parameters": 100,
        "seed": 1,
        "versions": {"rnnx": "0.1"},
        "command": "rnnx run",
    }
)


def pictures(folder: str, *names: str) -> dict[str, bytes]:
    forms = ("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm")
    return {f"{folder}{name}.png": seeds.picture(forms[n % len(forms)]) for n, name in enumerate(names)}


def lists() -> dict[str, bytes]:
    return {f"{split}.txt": f"{name}.png\n".encode() for split, name in zip(SPLITS, "abc", strict=True)}


def flickr() -> dict[str, bytes]:
    return {**lists(), "captions.txt": CAPTIONS.encode(), **pictures("images/", *"abc")}


def captioned_features() -> dict[str, bytes]:
    arrays = {f"features/{name}.npy": seeds.array(np.ones((2, 3))) for name in "ab"}
    maps = {"features/c.npy": seeds.array(np.ones((3, 2, 2)))}
    return {**lists(), "captions.txt": CAPTIONS.encode(), **arrays, **maps}


def coco() -> dict[str, bytes]:
    content = {
        split: json.dumps(
            {
                "images": [{"id": 7, "file_name": f"{name}.png"}],
                "annotations": [{"image_id": 7, "caption": "A dog."}, {"image_id": 7, "caption": "it's"}],
            }
        ).encode()
        for split, name in zip(SPLITS, "abc", strict=True)
    }
    return {**{f"{split}.json": text for split, text in content.items()}, **pictures("images/", *"abc")}


def folders(metadata: str, content: str) -> dict[str, bytes]:
    files = {metadata: content.encode(), "1.png": seeds.picture("png")}
    return {f"{split}/{name}": file for split in SPLITS for name, file in files.items()}


def videos() -> dict[str, bytes]:
    return {
        "mapping.txt": b"0 pour\n1 stir\n",
        "splits/train.split1.bundle": b"a_1.txt\nb_1.txt\n",
        "splits/test.split1.bundle": b"c_1.txt\n",
        **{f"groundTruth/{name}_1.txt": b"pour\nstir\n" for name in "abc"},
    }


def frames() -> dict[str, bytes]:
    return {
        **videos(),
        **{name: file for one in "abc" for name, file in pictures(f"frames/{one}_1/", "1", "2").items()},
    }


def features() -> dict[str, bytes]:
    return {**videos(), **{f"features/{one}_1.npy": seeds.array(np.ones((3, 2))) for one in "abc"}}


def imdb() -> dict[str, bytes]:
    return {
        f"imdb/{split}/{label}/{n}.txt": f"a {word} film<br />{n}".encode()
        for split in ("train", "test")
        for label, word in (("pos", "good"), ("neg", "bad"), ("unsup", "odd"))
        for n in (1, 2)
    }


def archive(name: str) -> Reader:
    options = {split: f"HERE/{name}/imdb/{split}" for split in ("train", "test")}
    return Reader(lambda: {name: seeds.tarred(imdb(), packed=name.endswith("gz"))}, data(Labelled, **options))


def predict(
    words: tuple[str, ...], content: bytes, others: Callable[[], Mapping[str, bytes]] = dict, **options: Any
) -> Reader:
    """The lines of standard input of ``rnnx predict``; files that they name lie beside them."""

    def act(folder: Path) -> None:
        asked_for = (folder / "input").read_bytes() if (folder / "input").exists() else b""
        lines = lines_of(io.BytesIO(asked_for.replace(b"HERE", bytes(folder))))
        _, task = seeds.experiment(*words)
        asked = 0

        def counted() -> Iterator[str]:
            nonlocal asked
            for asked, line in enumerate(lines, 1):  # noqa: B007
                yield line

        answers = list(task.predict(counted(), **options))
        assert len(answers) == asked, f"{len(answers)} answers to {asked} lines"
        assert not any("\n" in answer for answer in answers if words[0] != "task=lm")

    return Reader(lambda: {"input": content, **others()}, act, anywhere=True)


def words(content: Mapping[str, bytes], random: Random) -> Files:
    """Words of a command line, one a line, changed or put together from what keys and values are made of."""
    keys = [
        b"cell",
        b"task",
        b"data",
        b"net",
        b"trainer",
        b"optimizer.lr",
        b"net.layers",
        b"data.train",
        b"seed",
        b"name",
    ]
    values = [
        b"gru",
        b"nmt",
        b"lm",
        b"files",
        b"1",
        b"0.5",
        b"true",
        b"null",
        b"[1, 2]",
        b"{a: 1}",
        b"=",
        b"",
        *NONSENSE,
    ]
    if random.random() < 0.5:
        return mutated(content, random)
    made = [
        random.choice(keys) + random.choice((b"=", b"=", b".", b"", b":")) + random.choice(values)
        for _ in range(4)
    ]
    return {"words": b"\n".join(made)}


def read_words(folder: Path) -> None:
    resolve((folder / "words").read_bytes().decode(errors="surrogateescape").split("\n"))


def read_yaml(folder: Path) -> None:
    resolve([str(folder / "config.yaml")])


def record(folder: Path) -> None:
    """All that a comparison reads of a run."""
    run = Record.read(folder)
    run.curves(), run.samples(), run.flows(), run.plots()


def checkpoints(content: Mapping[str, bytes], random: Random) -> Files:
    """A checkpoint whose bytes are changed, or what it says."""
    if random.random() < 0.4:
        return mutated(content, random)
    if random.random() < 0.1:
        return {
            **content,
            CHECKPOINT: random.choice(
                (seeds.checkpoint({"state_dict": seeds.Trap()}), pickle.dumps(seeds.Trap()))
            ),
        }
    return {**content, CHECKPOINT: seeds.checkpoint(_rewritten(seeds.plain(*NMT), random))}


CHECKPOINT = "checkpoints/best.ckpt"
SOMETHING = [
    None,
    True,
    0,
    -1,
    1e300,
    float("nan"),
    10**30,
    "",
    "gru",
    "\x00",
    [],
    {},
    [[]],
    {"a": {}},
    [1] * 9,
    np.pi,
]


def _rewritten(value: Any, random: Random) -> Any:
    """Plain data with something in it left out, or replaced by something else."""
    if random.random() < 0.2 or not isinstance(value, dict | list) or not value:
        return random.choice(SOMETHING)
    copy = value.copy()
    key = random.choice(list(copy)) if isinstance(copy, dict) else random.randrange(len(copy))
    if random.random() < 0.2:
        del copy[key]
    else:
        copy[key] = _rewritten(copy[key], random)
    return copy


TOY = seeds.TOY
NMT = ("task=nmt", *TOY, "task.embedding_size=4")
SENTIMENT = ("task=sentiment", *TOY, "task.embedding_size=4")
CAPTIONING = ("task=captioning", *TOY)
VIDEO = ("task=video", *TOY)


def shown(words: tuple[str, ...], named: bytes) -> dict[str, bytes]:
    """Lines that show three black frames to a model: a film strip, and the name of files that lie beside."""
    _, task = seeds.experiment(*words)
    frames = np.zeros((3, *task.meta["shape"]), np.uint8)
    return {"input": film_strip(frames).encode() + b"\n" + named, **pictures("clip/", "1", "2")}


def paths(folder: Path) -> None:
    """Gives a path to every source of data; none may find anything."""
    path = (folder / "path").read_bytes().decode(errors="replace").replace("HERE", str(folder))
    for source, options in SOURCES.items():
        try:
            source(**dict.fromkeys(options, path), **OTHERS.get(source, {})).prepare()
        except (UsageError, InputError):
            continue
        raise AssertionError(f"{source} finds data in {path!r}")


SOURCES: dict[Callable[..., Data], tuple[str, ...]] = {
    Pairs: tuple(SPLITS),
    RunningText: ("text",),
    Labelled: ("train", "test"),
    Trees: tuple(SPLITS),
    Entities: tuple(SPLITS),
    Photographs: (*SPLITS, "captions", "images"),
    Folder: ("path",),
    CaptionedFeatures: (*SPLITS, "captions", "features"),
    Coco: (*SPLITS, *(f"{s}_images" for s in SPLITS)),
    Videos: ("path",),
    VideoFeatures: ("path",),
}

OTHERS: dict[Callable[..., Data], dict[str, Any]] = {
    Pairs: {"source": "de", "target": "en"},
    Videos: {"valid": ("b",)},
    VideoFeatures: {"valid": ("b",)},
}

READERS: dict[str, Reader] = {
    "nmt lines": Reader(
        lambda: {f"{s}.{side}": SENTENCES.encode() for s in SPLITS for side in ("de", "en")},
        data(Pairs, **SPLITS, source="de", target="en"),
    ),
    "nmt packed sub-words": Reader(
        lambda: {
            f"{s}.{side}.gz": gzip.compress(SENTENCES.encode(), mtime=0)
            for s in SPLITS
            for side in ("de", "en")
        },
        data(Pairs, **SPLITS, source="de", target="en", level="bpe", vocabulary_size=40),
    ),
    "nmt columns": Reader(
        lambda: everywhere("a dog\tein Hund\nthe cat\tdie Katze\n", ".tsv"),
        data(Pairs, **splits(".tsv"), source="en", target="de"),
    ),
    "nmt objects": Reader(
        lambda: everywhere(
            '{"en": "a dog", "de": "ein Hund"}\n{"de": "Katz\\u00e9", "en": "cat"}\n', ".jsonl"
        ),
        data(Pairs, **splits(".jsonl"), source="en", target="de"),
    ),
    "lm words": Reader(
        lambda: text(all__txt=SENTENCES * 5), data(RunningText, text="HERE/all.txt", cut=(0.6, 0.2, 0.2))
    ),
    "lm characters": Reader(
        lambda: everywhere(SENTENCES, ".txt"), data(RunningText, **splits(".txt"), level="char")
    ),
    "lm sub-words": Reader(
        lambda: everywhere(SENTENCES, ".txt"), data(RunningText, **splits(".txt"), level="bpe")
    ),
    "sentiment columns": Reader(
        lambda: everywhere(TABLE, ".tsv"), data(Labelled, **splits(".tsv"), skip=True)
    ),
    "sentiment commas": Reader(
        lambda: everywhere(CSV, ".csv"), data(Labelled, **splits(".csv"), text="text", label="label")
    ),
    "sentiment objects": Reader(lambda: everywhere(OBJECTS, ".jsonl"), data(Labelled, **splits(".jsonl"))),
    "sentiment folders": Reader(
        imdb, data(Labelled, train="HERE/imdb/train", test="HERE/imdb/test", apart=True)
    ),
    "sentiment archive": archive("imdb.tar"),
    "sentiment packed archive": archive("imdb.tar.gz"),
    "sentiment trees": Reader(lambda: everywhere(TREES, ".txt"), data(Trees, **splits(".txt"))),
    "ner columns": Reader(lambda: everywhere(COLUMNS, ".txt"), data(Entities, **splits(".txt"))),
    "captioning flickr": Reader(
        flickr,
        data(Photographs, **splits(".txt"), captions="HERE/captions.txt", images="HERE/images", side=4),
    ),
    "captioning features": Reader(
        captioned_features,
        data(CaptionedFeatures, **splits(".txt"), captions="HERE/captions.txt", features="HERE/features"),
    ),
    "captioning coco": Reader(
        coco, data(Coco, **splits(".json"), **{f"{s}_images": "HERE/images" for s in SPLITS}, side=4)
    ),
    "captioning table": Reader(
        lambda: folders("metadata.csv", "file_name,text\n1.png,a dog\n1.png,it sat\n"),
        data(Folder, path="HERE", side=4),
    ),
    "captioning objects": Reader(
        lambda: folders("metadata.jsonl", '{"file_name": "1.png", "text": ["a dog", "it"]}\n'),
        data(Folder, path="HERE", side=4),
    ),
    "video frames": Reader(frames, data(Videos, path="HERE", valid=("b",))),
    "video features": Reader(features, data(VideoFeatures, path="HERE", valid=("b",))),
    "vectors": Reader(
        lambda: text(vectors__txt=VECTORS),
        lambda folder: read_vectors.__wrapped__(str(folder / "vectors.txt"), ("the", "Cat", "dog", ". .")),
    ),
    "vectors packed": Reader(
        lambda: {"vectors.gz": gzip.compress(("4 2\n" + VECTORS).encode(), mtime=0)},
        lambda folder: read_vectors.__wrapped__(str(folder / "vectors.gz"), ("the", "Cat", "dog", ". .")),
    ),
    "words": Reader(
        lambda: {
            "words": b"task=lm\ncell=lstm\ncell.hidden_size=8\nnet.layers=2\ndata.level=char\n"
            b"optimizer.lr=1e-3\nseed=3\nname=a"
        },
        read_words,
        anywhere=True,
        change=words,
    ),
    "configuration": Reader(lambda: {"config.yaml": seeds.run(*NMT)["config.yaml"]}, read_yaml),
    "checkpoint": Reader(
        lambda: {CHECKPOINT: seeds.checkpoint(seeds.plain(*NMT))},
        lambda folder: read_checkpoint(folder / CHECKPOINT),
        change=checkpoints,
    ),
    "run": Reader(lambda: seeds.run(*NMT), lambda folder: Run.load(folder), change=checkpoints),
    "paths": Reader(lambda: {"path": b"HERE/data/train.de"}, paths, anywhere=True),
    "metrics": Reader(lambda: text(metrics__csv=METRICS), lambda folder: curves(folder / "metrics.csv")),
    "result": Reader(lambda: text(result__json=RESULT), read_result),
    "record": Reader(
        lambda: {
            **text(config__yaml="task: {name: lm}\nseed: 1\n", result__json=RESULT, flow__json=FLOW),
            "metrics.csv": METRICS.encode(),
            "samples/test.json": SAMPLES.encode(),
        },
        record,
    ),
    "record of texts": Reader(
        lambda: {
            **text(config__yaml="task: {name: lm}\nseed: 1\n"),
            "samples/test.tsv": b'in\tout\r\na\t"b\nc"\r\n',
        },
        record,
    ),
    "predict nmt": predict(NMT, b"una casa\nla casa verde \n\n", max_length=5),
    "predict lm": predict(
        ("task=lm", "data.characters=1000", "task.embedding_size=4"), b"import \ndef f(\n\n", length=4
    ),
    "predict lm scores": predict(
        ("task=lm", "data.characters=1000", "data.level=word", "task.embedding_size=4"),
        b"import os\ndef f ( )\n\n",
        mode="score",
    ),
    "predict ner": predict(("task=ner", *TOY), b"Ada ran to Rome .\n\n3 cats\n"),
    "predict sentiment": predict((*SENTIMENT, "data.trees=false"), b"a good film\n\nnot bad\n"),
    "predict trees": predict((*SENTIMENT, "cell=tree-lstm"), TREES.encode()),
    "predict captions": predict(
        CAPTIONING, b"", lambda: shown(CAPTIONING, b"HERE/clip/1.png\n"), max_length=4
    ),
    "predict video": predict(VIDEO, b"", lambda: shown(VIDEO, b"HERE/clip\n")),
    "predict captions of features": predict(
        (*CAPTIONING, "FEATURES"),
        b"HERE/a.npy\nHERE/b.npy\n",
        lambda: {"a.npy": seeds.array(np.ones((5, 3))), "b.npy": seeds.array(np.ones((3, 2, 2)))},
        max_length=4,
    ),
    "predict video of features": predict(
        (*VIDEO, "FEATURES"), b"HERE/a.npy\n", lambda: {"a.npy": seeds.array(np.ones((3, 5)))}
    ),
    "predict memory": predict(
        ("task=memory", *TOY, "data.length=4"), b"0.3:0 0.8:1 0.5:1 .2:0\n1:0 1:1 1:0 0:1\n"
    ),
    "predict digits": predict(("task=memory", "data=digits"), b"0 8 16 1 " * 15 + b"1 2 3 4\n"),
}
