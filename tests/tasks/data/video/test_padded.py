from __future__ import annotations

import numpy as np
import torch

from rnnx.tasks.data.video.example import Video
from rnnx.tasks.data.video.padded import PaddedVideos


def test_a_batch_of_features_is_padded_and_counted() -> None:
    long, short = np.arange(6, dtype=np.float16).reshape(3, 2), np.array([[7.0, 8.0]])
    batch = PaddedVideos([Video(long, [2, 0, 1]), Video(short, [1])])[[1, 0]]
    assert batch.inputs.tolist() == [[[7, 8], [0, 0], [0, 0]], [[0, 1], [2, 3], [4, 5]]]
    assert batch.inputs.dtype == torch.float32
    assert batch.targets.tolist() == [[1, -100, -100], [2, 0, 1]]
    assert batch.lengths.tolist() == [1, 3]
    assert batch.index.tolist() == [1, 0]
    assert batch.target_lengths is batch.references is None
    assert not batch.continues


def test_a_batch_of_pictures_is_of_bytes() -> None:
    pictures = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    batch = PaddedVideos([Video(pictures[:1], [0]), Video(pictures, [0, 1])])[[0, 1]]
    assert batch.inputs.dtype == torch.uint8
    assert batch.inputs[1].tolist() == pictures.tolist()
    assert batch.inputs[0, 0].tolist() == pictures[0].tolist()
    assert not batch.inputs[0, 1].any()


def test_lengths_are_those_of_the_videos() -> None:
    assert PaddedVideos([Video(np.zeros((n, 1)), [0] * n) for n in (3, 1, 2)]).lengths == [3, 1, 2]
