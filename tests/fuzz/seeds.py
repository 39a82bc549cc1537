"""Small valid files, written by hand, for each reader; what the fuzzer starts from."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image

from rnnx.core.experiment import Experiment
from rnnx.core.task import Task

SMALL: Final = ("cell.hidden_size=4", "trainer.accelerator=cpu", "logger=none")
TOY: Final = ("data.train=12", "data.valid=4", "data.test=4")


FEATURES: Final = "FEATURES"


class Trap:
    """What unpickles to a new file beside the folder, if anybody unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("../sprung", "w")


def picture(form: str, size: tuple[int, int] = (8, 8)) -> bytes:
    """An image file."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("P" if form == "gif" else "RGB").save(file, form)
    return file.getvalue()


def array(values: ArrayLike, allow_pickle: bool = False) -> bytes:
    """A ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, np.asarray(values, dtype=object if allow_pickle else np.float32), allow_pickle=allow_pickle)
    return file.getvalue()


def tarred(files: Mapping[str, bytes], packed: bool) -> bytes:
    """A tar archive, with a link out of it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("imdb/train/pos/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return gzip.compress(file.getvalue(), mtime=0) if packed else file.getvalue()


@cache
def experiment(*words: str) -> tuple[Experiment, Task]:
    """A small experiment, and its model, which has learnt nothing; with a last word, one of features."""
    made = Experiment.from_words(*SMALL, *(word for word in words if word != FEATURES))
    data, _ = made.prepare()
    meta = dict(data.meta) | ({"shape": [3]} if FEATURES in words else {})
    return made, made.task(meta).eval()


def run(*words: str) -> dict[str, bytes]:
    """The files of a run."""
    made, _ = experiment(*words)
    return {"config.yaml": made.config.yaml().encode(), "checkpoints/best.ckpt": checkpoint(plain(*words))}


def plain(*words: str) -> dict[str, Any]:
    """What a checkpoint holds."""
    _, task = experiment(*words)
    return {"state_dict": task.state_dict(), "hyper_parameters": dict(task.hparams), "epoch": 1, "rnnx": {}}


def checkpoint(content: object) -> bytes:
    """A checkpoint that holds this."""
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()
