from __future__ import annotations

from functools import partial

import numpy as np
import torch

from rnnx.tasks.data.captioning.example import Example
from rnnx.tasks.data.captioning.padded import PaddedCaptions


def test_places_and_captions_are_padded_each_to_its_longest() -> None:
    few, many = np.array([[7.0, 8.0]], ">f8"), np.arange(6, dtype=np.float16).reshape(3, 2)
    examples = [Example(lambda: many, [9, 3], ("a",)), Example(lambda: few, [5, 6, 3], ("b c", "d e"))]
    batch = PaddedCaptions(examples, pad=1)[[1, 0]]
    assert batch.inputs.tolist() == [[[7, 8], [0, 0], [0, 0]], [[0, 1], [2, 3], [4, 5]]]
    assert batch.inputs.dtype == torch.float32
    assert batch.lengths.tolist() == [1, 3]
    assert batch.targets.tolist() == [[5, 6, 3], [9, 3, 1]]
    assert batch.target_lengths is not None
    assert batch.target_lengths.tolist() == [3, 2]
    assert batch.references == (("b c", "d e"), ("a",))
    assert batch.index.tolist() == [1, 0]


def test_a_picture_is_one_step_of_bytes() -> None:
    pictures = np.arange(96, dtype=np.uint8).reshape(2, 1, 3, 4, 4)
    examples = [Example(partial(pictures.__getitem__, number), [3], ("a",)) for number in range(2)]
    batch = PaddedCaptions(examples, pad=0)[[0, 1]]
    assert batch.inputs.dtype == torch.uint8
    assert batch.inputs.tolist() == pictures.tolist()
    assert batch.lengths.tolist() == [1, 1]


def test_an_image_is_read_when_its_batch_is_made_and_only_then() -> None:
    read = []

    def reading(number: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        read.append(number)
        return np.zeros((1, 1))

    captions = PaddedCaptions([Example(partial(reading, n), [3] * n, ("a",)) for n in (1, 2, 4)], pad=0)
    assert captions.lengths == [1, 2, 4]
    assert not read
    _ = captions[[2, 0]]
    assert read == [4, 1]
