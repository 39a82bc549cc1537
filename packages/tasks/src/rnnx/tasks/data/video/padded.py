"""Videos as padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch.utils.data import Dataset

from rnnx.core.batch import Batch
from rnnx.tasks.data.video.example import Video
from rnnx.tasks.parts.files.frames import to_tensor
from rnnx.tasks.parts.nets.cross_entropy import IGNORED
from rnnx.tasks.parts.padding import padded


@final
class PaddedVideos(Dataset[Batch]):
    """The videos at some positions, as one batch; what lies in files is read when the batch is made.

    Args:
        videos: The videos.

    Example:
        >>> from numpy import ones
        >>> long, short = Video(ones((2, 3)), [1, 0]), Video(ones((1, 3)), [1])
        >>> batch = PaddedVideos([long, short])[[1, 0]]
        >>> batch.inputs.shape, batch.lengths.tolist(), batch.targets.tolist()
        (torch.Size([2, 2, 3]), [1, 2], [[1, -100], [1, 0]])
    """

    def __init__(self, videos: Sequence[Video]) -> None:
        self.videos = videos
        self.lengths = [len(video.labels) for video in videos]

    def __getitem__(self, positions: list[int]) -> Batch:
        videos = [self.videos[position] for position in positions]
        inputs, lengths = padded([to_tensor(video.inputs) for video in videos])
        targets, _ = padded([torch.tensor(video.labels) for video in videos], IGNORED)
        return Batch(inputs, lengths, targets, index=torch.tensor(positions))
