"""A shape that moves, grows and blinks, in small rendered frames: a video task that every machine has."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import final

from rnnx.core.bounds import Positive, Seed
from rnnx.core.data import Split
from rnnx.tasks.data.video.example import Video
from rnnx.tasks.data.video.videos import Videos
from rnnx.tasks.parts.toys.moving_shapes import CLASSES, drawn, scene


@final
@dataclass(kw_only=True, eq=False)
class Toy(Videos):
    """Generated videos of 30 to 50 frames of 16 x 16 pixels, in which a shape does one thing after another.

    It goes left, right, up or down, grows, shrinks or blinks, not in every frame, so that who sees one frame
    cannot know, and must remember the last change.

    Args:
        batch_size: Videos in a batch, in each process.
        train: How many training videos.
        valid: How many validation videos.
        test: How many test videos.
        seed: The seed of the generator; the same seed gives the same videos.
    """

    batch_size: Positive = 8
    train: Positive = 1500
    valid: Positive = 100
    test: Positive = 100
    seed: Seed = 1

    @property
    def classes(self) -> list[str]:
        """The background and seven actions."""
        return list(CLASSES)

    def videos(self) -> dict[Split, list[Video]]:
        """Generates the videos of each split."""
        numbers = random.Random(self.seed)
        sizes: dict[Split, int] = {"train": self.train, "valid": self.valid, "test": self.test}
        return {split: [_video(numbers) for _ in range(size)] for split, size in sizes.items()}


def _video(numbers: random.Random) -> Video:
    shapes, actions = scene(numbers)
    return Video(drawn(shapes), [CLASSES.index(action) for action in actions])
