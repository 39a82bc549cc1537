from __future__ import annotations

import numpy as np
import pytest

from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.tasks.data.video.toy import Toy
from rnnx.tasks.parts.toys.moving_shapes import CLASSES


def test_as_many_videos_as_asked_for_and_none_twice() -> None:
    data = Toy(train=40, valid=10, test=20)
    videos = data.videos()
    assert {split: len(found) for split, found in videos.items()} == {"train": 40, "valid": 10, "test": 20}
    assert len({video.inputs.tobytes() for found in videos.values() for video in found}) == 70
    assert data.meta == {
        "classes": list(CLASSES),
        "shape": [1, 16, 16],
        "every": 1,
        "videos": {"train": 40, "valid": 10, "test": 20},
        "places": [""] * 20,
    }
    assert data.meta["classes"][0] == "background"


def test_the_seed_makes_the_videos() -> None:
    def made(seed: int) -> list[bytes]:
        return [
            video.inputs.tobytes() for video in Toy(train=5, valid=1, test=1, seed=seed).videos()["train"]
        ]

    assert made(1) == made(1)
    assert not set(made(1)) & set(made(2))


def test_every_frame_has_a_picture_and_a_label() -> None:
    for video in Toy(train=20, valid=1, test=1).videos()["train"]:
        assert video.inputs.shape == (len(video.labels), 1, 16, 16)
        assert video.inputs.dtype == np.uint8
        assert video.labels[0] == 0
        assert set(video.labels) <= set(range(8))


def test_who_sees_one_frame_is_mostly_wrong() -> None:
    """Even the label of the most similar frame of 300 videos."""
    data = Toy(train=300, valid=1, test=20).videos()
    pictures, labels = (
        {split: np.concatenate([part(video) for video in data[split]]) for split in ("train", "test")}  # type: ignore[index]
        for part in (lambda video: video.inputs.reshape(-1, 256) / 255, lambda video: video.labels)
    )
    squares = (pictures["train"] ** 2).sum(1) - 2 * pictures["test"] @ pictures["train"].T
    nearest = labels["train"][squares.argmin(1)]
    assert np.mean(nearest == labels["test"]) < 0.4


def test_wrong_sizes_are_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(["task=video", "data=toy", "data.train=0", "data.test=-1"])
    assert caught.value.problems == (
        "data.train: expected an integer of at least 1, got 0",
        "data.test: expected an integer of at least 1, got -1",
    )
