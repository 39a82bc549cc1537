"""A small zoo of components, and configurations typed with its names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rnnx.core.config import Config
from rnnx.core.errors import RunWarning, UsageError
from rnnx.core.resolution import resolve

ZOO = '''
    from __future__ import annotations

    from typing import Literal

    class GRU:
        """Cell.

        Args:
            hidden_size: Width.
        """

        def __init__(
            self, input_size: int, *, hidden_size: int = 256, reset: Literal["before", "after"] = "after",
            activation: Literal["tanh", "relu"] = "tanh", rate: float = 0.1, sizes: tuple[int, ...] = (1, 2),
            label: str = "",
        ) -> None:
            if hidden_size < 1:
                raise ValueError(f"hidden_size is {hidden_size}, not 1 or more")
            self.built = (input_size, hidden_size, reset, sizes)


    class LSTM:
        def __init__(
            self, input_size: int, *, hidden_size: int = 128, peephole: bool = False,
            activation: Literal["tanh", "sigmoid"] = "tanh",
        ) -> None:
            self.built = (input_size, hidden_size, peephole)


    class Translation:
        def __init__(self, net, meta, *, attention: Literal["additive", "dot", "none"] = "additive") -> None:
            pass


    class Model:
        def __init__(self, net, meta, *, tied: bool = True) -> None:
            pass


    class Toy:
        def __init__(self, *, batch_size: int = 64, sentences: int = 100) -> None:
            pass


    class Text:
        def __init__(self, *, batch_size: int = 32, columns: dict[str, int] | None = None) -> None:
            pass


    class Files:
        def __init__(self, *, train: str, valid: str, batch_size: int = 64) -> None:
            pass


    class Adam:
        def __init__(self, *, lr: float = 1e-3) -> None:
            pass


    class Nothing:
        pass


    class NGram:
        def __init__(self, *, order: int = 5) -> None:
            pass


    class Net:
        def __init__(self, cell, *, layers: int = 1, dropout: float = 0.0) -> None:
            pass


    class Trainer:
        def __init__(self, *, max_epochs: int = 10, rate: float = 1.0) -> None:
            pass
'''
GROUPS = {
    "cells": {"gru": "zoo:GRU", "lstm": "zoo:LSTM"},
    "tasks": {"nmt": "zoo:Translation", "lm": "zoo:Model"},
    "data": {"nmt.toy": "zoo:Toy", "nmt.files": "zoo:Files", "lm.toy": "zoo:Text"},
    "optimizers": {"adam": "zoo:Adam"},
    "schedules": {"constant": "zoo:Nothing"},
    "loggers": {"wandb": "zoo:Nothing", "none": "zoo:Nothing"},
    "baselines": {"lm.ngram": "zoo:NGram"},
}
KEYS = (
    "keys: task, cell, data, optimizer, schedule, logger, baseline, net, trainer, checkpoint, stopping, "
    "seed, name, out"
)


def resolved(*words: str) -> tuple[Config, list[str]]:
    """The configuration, and what is told of it."""
    with pytest.warns(RunWarning) as told:
        config = resolve(words)
    return config, [str(warning.message) for warning in told]


def problems(*words: str) -> tuple[str, ...]:
    with pytest.raises(UsageError) as refused:
        resolve(words)
    assert "zoo" not in sys.modules
    return refused.value.problems


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name
