"""Videos with a label for each frame: what every source of them shares."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import final

from rnnx.core.bounds import Count, Positive
from rnnx.core.data import Data, Loader, Meta, Split
from rnnx.tasks.data.video.example import Video


@dataclass(kw_only=True, eq=False)
class Videos(Data, ABC):
    """Videos in three splits; a source says only where they come from.

    A batch has ``inputs``, features ``(N, T, D)`` or pictures ``(N, T, C, H, W)`` of bytes, and ``targets``
    ``(N, T)``, -100 on padding. Training batches hold videos of like length in a new order each epoch; those
    of the other splits are sorted by length, and ``index`` tells each video's place.

    Args:
        every: Of so many frames the first is read; the others are left out, of the scores too.
        batch_size: Videos in a batch, in each process.
        workers: Processes that make batches beside the training one; 0 makes them in it.
    """

    every: Positive = 1
    batch_size: Positive = 4
    workers: Count = 0

    @property
    @abstractmethod
    def classes(self) -> list[str]:
        """The names of the classes, in the order of their numbers; none has a blank in it."""

    @abstractmethod
    def videos(self) -> dict[Split, list[Video]]:
        """Reads the videos of each split; a frame is of the same shape in all."""

    @final
    def prepare(self) -> None:
        _ = self._videos

    @property
    @final
    def meta(self) -> Meta:
        """What it takes to label a video, and what there is.

        ``shape`` is that of a frame: one number of features, three of pictures (channels, height, width).
        ``places`` are the lines that ``rnnx predict`` reads the test videos from, empty where they lie
        nowhere.
        """
        return {
            "classes": self.classes,
            "shape": list(self._videos["train"][0].inputs.shape[1:]),
            "every": self.every,
            "videos": {split: len(videos) for split, videos in self._videos.items()},
            "places": [video.place for video in self._videos["test"]],
        }

    @final
    def loader(self, split: Split) -> Loader:
        """The batches of a split; the order of ``train`` follows from torch's seed when this is called."""
        from rnnx.tasks.data.video.padded import PaddedVideos
        from rnnx.tasks.parts.bucketing import bucketed

        videos = PaddedVideos(self._videos[split])
        return bucketed(videos, videos.lengths, self.batch_size, split == "train", self.workers)

    @cached_property
    def _videos(self) -> dict[Split, list[Video]]:
        return {split: [self._thinned(v) for v in videos] for split, videos in self.videos().items()}

    def _thinned(self, video: Video) -> Video:
        return video._replace(inputs=video.inputs[:: self.every], labels=video.labels[:: self.every])
