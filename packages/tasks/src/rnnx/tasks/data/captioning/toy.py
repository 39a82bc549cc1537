"""Two coloured shapes, one beside or above the other: a captioning task that every machine has."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np

from rnnx.core.bounds import Positive, Seed
from rnnx.core.data import Split
from rnnx.tasks.data.captioning.captioned import Captioned
from rnnx.tasks.data.captioning.image import CaptionedImage
from rnnx.tasks.parts.toys.scenes import Scene, drawn, scene


@final
@dataclass(kw_only=True, eq=False)
class Toy(Captioned):
    """Generated pictures of 32 x 32 pixels with five captions each, which say all there is to see.

    A caption is true of a scene exactly when it is one of the five. In each test scene a shape of a colour is
    where none of that colour is in training, a red circle on the left, say.

    Args:
        train: How many training pictures.
        valid: How many validation pictures.
        test: How many test pictures.
        seed: The seed of the generator; the same seed gives the same pictures.
    """

    train: Positive = 3000
    valid: Positive = 200
    test: Positive = 300
    seed: Seed = 1

    def captioned(self) -> dict[Split, list[CaptionedImage]]:
        """Generates the pictures of each split."""
        numbers = random.Random(self.seed)
        sizes: dict[Split, int] = {"train": self.train, "valid": self.valid, "test": self.test}
        return {
            split: [_image(scene(numbers, familiar=split != "test")) for _ in range(size)]
            for split, size in sizes.items()
        }


def _image(scene: Scene) -> CaptionedImage:
    picture = drawn(scene)[np.newaxis]
    return CaptionedImage(partial(np.asarray, picture), scene.captions)
