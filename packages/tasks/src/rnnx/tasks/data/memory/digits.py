"""Handwritten digits pixel by pixel, as in Le, Jaitly & Hinton 2015, but the small ones of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, final

import torch
from sklearn.datasets import load_digits  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.bounds import Positive, Seed
from rnnx.core.data import Data, Loader, Meta, Split
from rnnx.tasks.data.memory.draws import loader, whole

SIDE: Final = 8  # pixels
WHITE: Final = 16  # the largest value of a pixel
VALID, TEST = 180, 360  # of 1797 digits


@final
@dataclass(kw_only=True, eq=False)
class Digits(Data):
    """1797 digits of 8 x 8 pixels (Alpaydin & Kaynak 1998), read pixel by pixel and told apart at the end.

    The pixels, 0 to 16, are read as 0 to 1, line by line from the upper left. 1257 digits are for training,
    180 for validation and 360 for the test, each split with the same share of each class. Who sees nothing is
    right about 10%.

    Args:
        by: What is read at a step: one pixel (64 steps) or a row of 8 (8 steps).
        batch_size: Digits in a batch, in each process.
        seed: The seed of the split.
    """

    by: Literal["pixel", "row"] = "pixel"
    batch_size: Positive = 32
    seed: Seed = 1

    def prepare(self) -> None:
        _ = self._splits

    @property
    def meta(self) -> Meta:
        """The features of a step, the classes' names, the picture's shape and its largest value."""
        return {
            "kind": "classes",
            "features": self._features,
            "classes": [str(digit) for digit in range(10)],
            "answers": 1,
            "shape": [SIDE, SIDE],
            "scale": WHITE,
        }

    def loader(self, split: Split) -> Loader:
        """The batches of a split; the order of ``train`` follows from torch's seed when this is called."""
        examples = self._splits[split]
        training = split == "train"
        return loader(
            lambda draw: examples.select(draw.positions.tolist()),
            len(examples),
            self.batch_size,
            shuffle=training,
            training=training,
        )

    @property
    def _features(self) -> int:
        return {"pixel": 1, "row": SIDE}[self.by]

    @cached_property
    def _splits(self) -> dict[Split, Batch]:
        pictures, digits = load_digits(return_X_y=True)
        rest, test, rest_digits, test_digits = train_test_split(
            pictures, digits, test_size=TEST, stratify=digits, random_state=self.seed
        )
        train, valid, train_digits, valid_digits = train_test_split(
            rest, rest_digits, test_size=VALID, stratify=rest_digits, random_state=self.seed
        )
        return {
            "train": self._read(torch.tensor(train), torch.tensor(train_digits)),
            "valid": self._read(torch.tensor(valid), torch.tensor(valid_digits)),
            "test": self._read(torch.tensor(test), torch.tensor(test_digits)),
        }

    def _read(self, pictures: Tensor, digits: Tensor) -> Batch:
        """Pictures ``(N, 64)`` and digits ``(N,)`` as sequences ``(N, T, F)`` and targets ``(N, 1)``."""
        sequences = pictures.unflatten(1, (-1, self._features)) / WHITE
        return whole(sequences.to(torch.get_default_dtype()), digits.unsqueeze(1))
